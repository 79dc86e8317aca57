"""Prometheus is told of every instance that Consul knows, under a token that may do no more."""

from collections.abc import AsyncIterator, Iterator, Mapping

import httpx
import pytest

from mesh.cli.services import NAMES
from mesh.consul.client import opened
from mesh.consul.targets import PATH, Targets
from mesh.settings import MeshSettings
from tests.full.consul.guarded import Guarded, soon
from tests.parts.urls import CONSUL, url

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not url(CONSUL), reason="no real parts here"),
]
HOLDER = "prometheus"


@pytest.fixture(autouse=True)
def cleared(guarded: Guarded) -> Iterator[None]:
    """Without instances of a test before."""
    yield
    for instance in guarded.ask("management", "GET", "agent/services").json():
        guarded.ask("management", "PUT", f"agent/service/deregister/{instance}")


@pytest.fixture
async def http(guarded: Guarded) -> AsyncIterator[httpx.AsyncClient]:
    settings = MeshSettings.model_validate({"registry": guarded.registry})
    async with opened(settings, "gateway", token=guarded.token(HOLDER)) as client:
        app = Targets(client=client, services=NAMES).app()
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://targets") as asked:
            yield asked


def register(guarded: Guarded, service: str, number: int, meta: Mapping[str, str]) -> None:
    body = {
        "ID": f"{service}-{number}",
        "Name": service,
        "Address": f"127.0.0.{number}",
        "Port": 9082,
        "Meta": dict(meta),
        # Its check fails: whether it answers is what Prometheus is to find out.
        "Check": {"GRPC": "127.0.0.1:1", "Interval": "1s", "Status": "critical"},
    }
    guarded.ask(service, "PUT", "agent/service/register", body).raise_for_status()


async def test_every_instance_is_told_with_its_service_its_id_and_its_own_port(
    guarded: Guarded, http: httpx.AsyncClient
) -> None:
    register(guarded, "token", 1, {"http_port": "8082", "metrics_port": "8082"})
    register(guarded, "token", 2, {"http_port": "8082", "metrics_port": "9999"})
    register(guarded, "auth", 3, {"http_port": "8081"})
    for name in ("token", "auth"):
        soon(lambda: guarded.ask(HOLDER, "GET", f"health/service/{name}").json())  # noqa: B023
    answer = await http.get(PATH)
    assert answer.headers["content-type"] == "application/json"
    assert sorted(answer.json(), key=lambda one: one["labels"]["instance"]) == [
        {"targets": ["127.0.0.1:8082"], "labels": {"service": "token", "instance": "token-1"}},
        {"targets": ["127.0.0.2:9999"], "labels": {"service": "token", "instance": "token-2"}},
    ]


def test_the_token_sees_services_and_does_nothing(guarded: Guarded) -> None:
    body = {"ID": "token-1", "Name": "token", "Port": 1}
    assert guarded.ask(HOLDER, "PUT", "agent/service/register", body).status_code == 403
    for path in ("kv/leaky/token/log.level", "kv/leaky/?keys", "agent/self", "acl/tokens"):
        assert guarded.ask(HOLDER, "GET", path).status_code == 403
    assert guarded.ask(HOLDER, "PUT", "kv/leaky/token/log.level", "debug").status_code == 403


async def test_while_consul_is_away_it_says_so_and_prometheus_keeps_what_it_has() -> None:
    settings = MeshSettings.model_validate({"registry": "consul://127.0.0.1:1"})
    async with opened(settings, "gateway", token="none") as client:
        transport = httpx.ASGITransport(Targets(client=client, services=NAMES).app())
        async with httpx.AsyncClient(transport=transport, base_url="http://targets") as asked:
            assert (await asked.get(PATH)).status_code == 503
