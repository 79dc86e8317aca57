"""Prometheus and Alertmanager of a test's own, and somebody who is told.

A test cannot wait for five minutes. So its Prometheus asks every two seconds, and its rules are the
project's own with every duration in them, of windows and of `for`, divided by `SOONER`: the
expressions and thresholds are the same, and what has to happen within five minutes has to happen
within fifteen seconds.
"""

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

from tests.compose.rules import RULES
from tests.parts.native import NativePart, native_part, private_folder

SOONER = 20
INTERVAL = "2s"
_UNITS = {"s": 1_000, "m": 60_000, "h": 3_600_000}
_DURATION = re.compile(r"(\[|^ +for: )(\d+)([smh])(\]?)", re.MULTILINE)


def sooner(rules: str) -> str:
    """The rules with their durations divided by `SOONER`, and nothing else changed."""

    def shorter(found: re.Match[str]) -> str:
        before, number, unit, after = found.groups()
        return f"{before}{int(number) * _UNITS[unit] // SOONER}ms{after}"

    return _DURATION.sub(shorter, rules)


class Told:
    """What Alertmanager has sent, by receiver; it listens at `url`."""

    def __init__(self) -> None:
        told: dict[str, list[dict[str, Any]]] = {}
        self._told = told

        class Receiver(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                told.setdefault(self.path.strip("/"), []).append(body)
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 its name
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @contextmanager
    def listening(self) -> Iterator["Told"]:
        """During the block."""
        thread = threading.Thread(target=self._server.serve_forever)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()

    def alerts(self, receiver: str) -> set[str]:
        """The names of the alerts that this receiver was told of."""
        return {labels["alertname"] for labels in self._labels(receiver)}

    def services(self, receiver: str) -> set[str]:
        """The services that those alerts are about."""
        return {labels["service"] for labels in self._labels(receiver)}

    def _labels(self, receiver: str) -> Iterator[dict[str, str]]:
        for message in list(self._told.get(receiver, ())):
            for alert in message["alerts"]:
                if alert["status"] == "firing":
                    yield alert["labels"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """A Prometheus that asks the services, and who is told of its alerts."""

    http: httpx.Client
    told: Told

    def ask(self, expression: str) -> list[dict[str, Any]]:
        """An instant query's series; of a query that is refused, the reason is raised."""
        answer = self.http.get("/api/v1/query", params={"query": expression})
        assert answer.is_success, f"{expression}: {answer.text}"
        found: list[dict[str, Any]] = answer.json()["data"]["result"]
        return found

    def firing(self) -> set[str]:
        """The names of the alerts that fire now."""
        listed = self.http.get("/api/v1/alerts").raise_for_status().json()["data"]["alerts"]
        return {one["labels"]["alertname"] for one in listed if one["state"] == "firing"}

    def up(self) -> dict[str, str]:
        """Each target's health, by its label `instance`."""
        return {one["labels"]["instance"]: one["health"] for one in self._targets()}

    def addresses(self, service: str) -> set[str]:
        """Where the instances of a service are asked."""
        listed = self._targets()
        return {one["scrapeUrl"] for one in listed if one["labels"]["service"] == service}

    def _targets(self) -> list[dict[str, Any]]:
        answer = self.http.get("/api/v1/targets", params={"state": "active"})
        found: list[dict[str, Any]] = answer.raise_for_status().json()["data"]["activeTargets"]
        return found


@contextmanager
def alertmanager(folder: Path, told: Told) -> Iterator[NativePart]:
    """One that tells at once, by webhooks, whoever its configuration names."""
    settings = {"ALERTMANAGER_WEBHOOK": told.url, "ALERTMANAGER_GROUP_WAIT": "1s"}
    with _started("alertmanager", folder, settings) as part:
        yield part


@contextmanager
def watching(registry: str, token_file: Path) -> Iterator[Watch]:
    """One that learns from this Consul whom to ask, under a token from this file."""
    told = Told()
    with ExitStack() as stack:
        stack.enter_context(told.listening())
        folder = stack.enter_context(private_folder())
        rules = folder / "rules.yml"
        rules.write_text(sooner(RULES.read_text()))
        found = {"PARTS_CONSUL": registry, "TARGETS_TOKEN_FILE": str(token_file)}
        stack.enter_context(_started("targets", folder, found))
        stack.enter_context(alertmanager(folder, told))
        soon = {"PROMETHEUS_RULES": str(rules), "PROMETHEUS_INTERVAL": INTERVAL}
        prometheus = stack.enter_context(_started("prometheus", folder, soon))
        url = prometheus.variables["PARTS_PROMETHEUS"]
        yield Watch(http=stack.enter_context(httpx.Client(base_url=url, timeout=10)), told=told)


@contextmanager
def _started(name: str, folder: Path, settings: Mapping[str, str]) -> Iterator[NativePart]:
    with native_part(name, folder, **settings) as part:
        part.start()
        yield part
