"""A real Prometheus that finds the system in Consul: every panel shows something, alerts fire."""

import math
import os
import signal
import time
from collections.abc import Iterator

import httpx
import pytest

from mesh.consul.token import token_file
from tests.compose.dashboards import DASHBOARDS, expressions, filled_in
from tests.e2e import real
from tests.e2e.cast import registered
from tests.e2e.parts import traffic
from tests.e2e.parts.whole import Whole, started
from tests.e2e.system import System, until
from tests.parts.watching import Watch, watching

pytestmark = [
    pytest.mark.skipif(not real.there(real.SHARED), reason="no real parts here"),
    pytest.mark.e2e,
]
# In `secure`, so that there are certificates. Windows at the edge are small, and believe where the
# test says that it comes from. A machine that is busy otherwise is no fault to be told of.
SETTINGS = {
    "LEAKY_PROFILE": "secure",
    "LEAKY_GATEWAY_TRUSTED_PROXIES": "127.0.0.0/8",
    "LEAKY_GATEWAY_RATE_LIMIT_CAPACITY": "200",
    "LEAKY_GATEWAY_RATE_LIMIT_ROUTES_API_V1_TOKENS": "1000000",
    **dict.fromkeys(
        (f"LEAKY_DEADLINES_{name}" for name in ("EDGE", "MESH", "CONSUME", "PURCHASE")), "20s"
    ),
}
# What is done to the system, and what it makes fire.
MADE = {
    "ServiceDown": "svc_analytics is stopped where it stands",
    "TokenProviderFailures": "one provider answers with errors",
    "TokenRateLimited": "somebody asks for more than a bucket holds, again and again",
    "TokenQuotaInsufficientSpike": "somebody goes on with an empty pool",
    "AuthLoginFailuresSpike": "passwords are guessed",
    "ApiKeyValidationFailures": "API keys are invented",
    "GatewayRateLimitBlocked": "one address floods the edge",
}
# Reached only on failure.
SHOWN_SECONDS = 300.0
FIRED_SECONDS = 300.0


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with (
        real.corner(real.SHARED) as corner,
        started(corner, tmp_path_factory.mktemp("watched"), SETTINGS) as all_,
    ):
        yield all_


@pytest.fixture(scope="module")
def watch(whole: Whole) -> Iterator[Watch]:
    token = token_file(whole.corner.consul.folder / "tokens", "prometheus")
    with watching(whole.corner.env["LEAKY_REGISTRY"], token) as watch:
        yield watch


@pytest.fixture(scope="module")
def http(whole: Whole) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=whole.system.url(), timeout=30) as client:
        yield client


def test_every_instance_is_found_in_consul_and_answers(whole: Whole, watch: Watch) -> None:
    instances = {name for service in ("gateway", "auth", "token") for name in whole.states(service)}
    instances |= {name for service in ("analytics", "stubs") for name in whole.states(service)}
    assert len(instances) == 7
    until(lambda: watch.up() == dict.fromkeys(instances, "up"), SHOWN_SECONDS)
    # Two behind one port are two, and each is asked at a port of its own.
    asked = watch.addresses("gateway")
    assert len(asked) == 2
    assert not any(f":{whole.system.ports['gateway.http-port']}/" in one for one in asked)


def test_every_panel_of_every_dashboard_shows_something(watch: Watch, http: httpx.Client) -> None:
    empty = {
        (dashboard, title, filled_in(text, window="20s"))
        for dashboard in DASHBOARDS
        for title, text in expressions(dashboard)
    }
    assert len(empty) > 60
    with traffic.going_on(traffic.usual(http, registered(http))):
        deadline = time.monotonic() + SHOWN_SECONDS
        while empty and time.monotonic() < deadline:
            empty = {panel for panel in empty if not shows(watch, panel[2])}
        assert empty == set()
        assert watch.firing() & MADE.keys() == set()


def shows(watch: Watch, expression: str) -> bool:
    """Whether there is a number to draw."""
    return any(not math.isnan(float(one["value"][1])) for one in watch.ask(expression))


def test_what_goes_wrong_makes_its_alert_fire_and_somebody_is_told(
    whole: Whole, watch: Watch, http: httpx.Client
) -> None:
    system, who = whole.system, registered(http)
    spent = traffic.empty_pool(system, http, who)
    configure(system, "stubs.openai.faults.status", "500")
    stopped = system.pids()["analytics"]
    fired: set[str] = set()
    told = watch.told
    with (
        httpx.Client(base_url=system.url("auth"), timeout=30) as auth,
        traffic.going_on(traffic.faulty(http, auth, who, spent)),
    ):
        os.kill(stopped, signal.SIGSTOP)
        try:
            deadline = time.monotonic() + FIRED_SECONDS
            while not fired >= MADE.keys() and time.monotonic() < deadline:
                fired |= watch.firing()
                time.sleep(0.1)
            # While it goes on: what is over before a group is told of is not told of.
            critical = {"ServiceDown", "TokenProviderFailures"}
            until(lambda: told.alerts("critical") >= critical, FIRED_SECONDS)
            until(lambda: "AuthLoginFailuresSpike" in told.alerts("warning"), FIRED_SECONDS)
        finally:
            os.kill(stopped, signal.SIGCONT)
    assert MADE.keys() - fired == set()
    assert "Overspend" not in fired
    assert "analytics" in told.services("critical")


def configure(system: System, name: str, value: str) -> None:
    """Changes a live setting, as an operator does."""
    done = system.leaky("config", "set", name, value)
    assert done.returncode == 0, done.stderr
