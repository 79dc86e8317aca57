"""Processes that tell /metrics, without the processes."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from mesh.cli.top.samples import Samples, parse
from mesh.cli.top.scrape import Scrape
from mesh.cli.top.target import Target


class Told:
    """The metrics of one process, under the names of the services'."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Histogram(
            "http_server_requests_seconds",
            "-",
            ("uri", "method", "status"),
            buckets=(0.01, 0.1, 1.0),
            registry=self.registry,
        )
        self.calls = Histogram(
            "grpc_server_handling_seconds",
            "-",
            ("grpc_service", "grpc_method", "grpc_code"),
            buckets=(0.01, 0.1, 1.0),
            registry=self.registry,
        )
        self.shed = Counter("grpc_server_shed_total", "-", registry=self.registry)
        self.refused = Counter("http_server_shed_total", "-", registry=self.registry)

    def gauge(self, name: str, value: float, /, **labels: str) -> None:
        """Sets one; made when it is new."""
        made = self.registry._names_to_collectors.get(name)
        gauge = made or Gauge(name, "-", tuple(labels), registry=self.registry)
        assert isinstance(gauge, Gauge)
        (gauge.labels(**labels) if labels else gauge).set(value)

    def requested(self, uri: str, seconds: float, *, times: int = 1, status: str = "200") -> None:
        """So many requests."""
        for _ in range(times):
            self.requests.labels(uri, "GET", status).observe(seconds)

    def called(self, method: str, seconds: float, *, times: int = 1, code: str = "OK") -> None:
        """So many calls of an RPC."""
        for _ in range(times):
            self.calls.labels("leaky.token.v1.QuotaService", method, code).observe(seconds)

    @property
    def text(self) -> str:
        """What it tells now."""
        return generate_latest(self.registry).decode()

    @property
    def samples(self) -> Samples:
        """The same, read."""
        return parse(self.text)


def scraped(told: Told | None, at: float, *, service: str = "token", name: str = "") -> Scrape:
    """An answer of a healthy instance, or none."""
    name = name or service
    url = f"http://127.0.0.1:8082/{name}"
    target = Target(service=service, name=name, url=url, health="healthy")
    problem = "" if told else "connection refused"
    return Scrape(target=target, at=at, samples=told.samples if told else None, problem=problem)
