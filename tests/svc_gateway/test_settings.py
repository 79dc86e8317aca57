"""The settings of the edge, and what follows from them while it runs."""

from pathlib import Path

import pytest

from mesh.settings import Live
from mesh.settings.source import SettingsError
from svc_gateway.limits import LiveRateLimits
from svc_gateway.settings import GatewaySettings, KeyStrategy


def read(data: Path, **env: str) -> Live[GatewaySettings]:
    return Live.read(GatewaySettings, {"LEAKY_DATA": str(data), **env})


def test_the_defaults_are_the_documented_ones(tmp_path: Path) -> None:
    settings = read(tmp_path).current
    rules = settings.gateway.rate_limit
    assert (rules.capacity, rules.window, rules.key_strategy) == (120, 60.0, KeyStrategy.AUTO)
    assert (rules.whitelist_paths, rules.routes) == ("/actuator/health", {"/api/v1/tokens": 200})
    assert (settings.gateway.api_key.header, settings.gateway.api_key.cache_ttl) == (
        "X-Api-Key",
        120.0,
    )
    assert settings.gateway.trusted_proxies == ""


def test_limits_follow_the_settings_live(tmp_path: Path) -> None:
    live = read(tmp_path)
    limits = LiveRateLimits(live)
    path = "/api/v1/tokens/quota"
    before = limits(path)
    assert before is not None
    assert (before.name, before.capacity, before.window_us) == ("/api/v1/tokens", 200, 60_000_000)

    live.apply(
        {
            "gateway.rate-limit.capacity": "7",
            "gateway.rate-limit.window": "10s",
            "gateway.rate-limit.routes./api/v1/tokens/quota": "3",
            "gateway.rate-limit.whitelist-paths": "/api/v1/auth, /x ,",
        }
    )
    after, default = limits(path), limits("/api/v1/orgs")
    assert after is not None
    assert default is not None
    assert (after.name, after.capacity, after.window_us) == (path, 3, 10_000_000)
    assert (default.name, default.capacity) == ("default", 7)
    assert limits("/api/v1/auth/login") is None
    assert limits("/x") is None

    live.apply({"feature.flags.gateway.rate-limiting": "false"})
    assert limits(path) is None


def test_a_capacity_by_environment_replaces_the_route_s_own(tmp_path: Path) -> None:
    live = read(tmp_path, LEAKY_GATEWAY_RATE_LIMIT_ROUTES_API_V1_TOKENS="9")
    assert live.current.gateway.rate_limit.routes == {"/api/v1/tokens": 9}


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("LEAKY_GATEWAY_TRUSTED_PROXIES", "10.0.0.0/8, nonsense"),
        ("LEAKY_GATEWAY_RATE_LIMIT_CAPACITY", "0"),
        ("LEAKY_GATEWAY_RATE_LIMIT_WINDOW", "500ms"),
        ("LEAKY_GATEWAY_RATE_LIMIT_KEY_STRATEGY", "HEADER"),
        ("LEAKY_GATEWAY_API_KEY_HEADER", "X Key"),
        ("LEAKY_GATEWAY_API_KEY_CACHE_TTL", "121s"),
    ],
)
def test_what_cannot_be_is_refused_at_start(tmp_path: Path, variable: str, value: str) -> None:
    with pytest.raises(SettingsError):
        read(tmp_path, **{variable: value})
