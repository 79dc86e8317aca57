"""What operators see, and who may."""

from typing import Any

import pytest

pytestmark = pytest.mark.anyio
GUARDED = ["/actuator/info", "/actuator/prometheus", "/metrics"]
HEALTH = ["/actuator/health", "/actuator/health/liveness", "/actuator/health/readiness"]
SECURE = {"LEAKY_PROFILE": "secure", "LEAKY_BIND_ADDRESS": "192.0.2.1"}


async def _fine() -> None:
    pass


async def _broken() -> None:
    message = "postgresql://user:secret@db is down"
    raise ConnectionError(message)


async def test_health_is_up_while_every_check_passes(make_world: Any) -> None:
    world = make_world(ready={"store": _fine, "auth": _fine})
    for path in ("/actuator/health", "/actuator/health/readiness"):
        response = await world.send("GET", path)
        assert response.status_code == 200
        assert response.json() == {
            "status": "UP",
            "components": {"store": {"status": "UP"}, "auth": {"status": "UP"}},
        }


async def test_a_failed_check_is_down_and_says_no_more(make_world: Any) -> None:
    world = make_world(ready={"store": _broken, "auth": _fine})
    response = await world.send("GET", "/actuator/health/readiness")
    assert response.status_code == 503
    assert response.json() == {
        "status": "DOWN",
        "components": {"store": {"status": "DOWN"}, "auth": {"status": "UP"}},
    }
    assert (await world.send("GET", "/actuator/health/liveness")).json() == {"status": "UP"}


async def test_info_and_metrics(world: Any) -> None:
    info = await world.send("GET", "/actuator/info")
    assert info.json() == {"app": {"name": "Test", "version": "1.2.3"}}
    for path in ("/metrics", "/actuator/prometheus"):
        metrics = await world.send("GET", path)
        assert metrics.headers["content-type"].startswith("text/plain")
        assert "# TYPE http_server_requests_seconds histogram" in metrics.text


@pytest.mark.parametrize("path", GUARDED)
async def test_all_but_health_is_closed_beyond_loopback_without_a_token(
    make_world: Any, path: str
) -> None:
    response = await make_world(SECURE).send("GET", path)
    assert (response.status_code, response.json()["reason"]) == (403, "PERMISSION_DENIED")


@pytest.mark.parametrize("path", GUARDED)
@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (None, 401),
        ("Bearer wrong", 401),
        ("Bearer ", 401),
        ("Basic open-sesame", 401),
        (b"Bearer \xe9", 401),
        ("Bearer open-sesame", 200),
    ],
)
async def test_all_but_health_wants_its_bearer_beyond_loopback(
    make_world: Any, path: str, authorization: Any, status: int
) -> None:
    world = make_world({**SECURE, "LEAKY_ACTUATOR_TOKEN": "open-sesame"})
    headers = {"Authorization": authorization} if authorization else {}
    assert (await world.send("GET", path, headers=headers)).status_code == status


@pytest.mark.parametrize("path", HEALTH)
async def test_health_is_public_everywhere(make_world: Any, path: str) -> None:
    assert (await make_world(SECURE).send("GET", path)).status_code == 200


@pytest.mark.parametrize("path", GUARDED)
async def test_everything_is_open_on_loopback(make_world: Any, path: str) -> None:
    assert (await make_world({"LEAKY_PROFILE": "secure"}).send("GET", path)).status_code == 200
