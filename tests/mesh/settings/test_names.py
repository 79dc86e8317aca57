"""Names of all settings of all services, in documentation, files and environment."""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from mesh.cli.services import settings_models
from mesh.settings import MeshSettings
from mesh.settings.names import Name, env_name, names_of
from mesh.settings.source import load

MODELS = settings_models()
# What stands for a free part: what there is by default, and something new.
FREE = {
    "gateway.rate-limit.routes.{name}": ("/api/v1/tokens", "api-v1-auth"),
    "token.tiers.levels.{name}": ("USER", "ADMIN", "GOLD"),
    "providers.{name}": ("openai", "qwen", "my-own"),
}


def concrete(name: Name) -> Iterator[str]:
    """The setting's names with its free part filled in."""
    if None not in name.path:
        yield name.dotted
        return
    [head] = [prefix for prefix in FREE if name.dotted.startswith(prefix)]
    for free in FREE[head]:
        yield name.dotted.replace("{name}", free)


ALL = [
    (service, name, dotted)
    for service, model in MODELS.items()
    for name in names_of(model)
    for dotted in concrete(name)
]


def sample(name: Name, dotted: str) -> str:
    """A text that the setting takes and that is not its default."""
    return (
        next(text for key, text in SAMPLES.items() if dotted.endswith(key))
        if any(dotted.endswith(key) for key in SAMPLES)
        else _by_default(name.default)
    )


def _by_default(default: Any) -> str:
    if isinstance(default, bool):
        return str(not default).lower()
    if isinstance(default, (int, float)):
        return str(int(default) + 3)
    return "something-of-16-characters"


# Settings whose values are not any text or number.
SAMPLES = {
    "registry": "static://",
    "profile": "secure",
    "data": "/tmp/elsewhere",  # noqa: S108 only a name
    "bind-address": "127.0.0.2",
    "health-address": "127.0.0.2",
    "log.level": "debug",
    "health-port": "9999",
    "bucket.strategy": "TOKEN_BUCKET",
    "bucket-strategy": "TOKEN_BUCKET",
    "bucket.capacity": "77",
    "leak-rate-per-second": "0.5",
    "window-seconds": "7",
    "default-tier": "ADMIN",
    "key-strategy": "IP",
    "trusted-proxies": "10.0.0.0/8",
    "base-url": "http://127.0.0.1:9",
    "oidc.issuer": "https://auth.example",
    ".api": "gemini",
    "cache-ttl": "60",
    "blocklist": "true",
    "faults.status": "503",
    "api-key.header": "X-Other",
    "routes./api/v1/tokens": "7",
    "routes.api-v1-auth": "7",
    "failure-percent": "60",
    "tracing.endpoint": "http://127.0.0.1:9",
    "sample-ratio": "0.5",
    "low-fraction": "0.5",
}

# There is no other value yet.
ONE_VALUE = {"registry"}


def at(model: MeshSettings, dotted: str, name: Name) -> Any:
    tree: Any = model.model_dump(by_alias=True)
    free = dotted
    for part in name.path:
        key = next(key for key in tree if free.startswith(key)) if part is None else part
        tree = tree[key]
        free = free.removeprefix(key).removeprefix(".")
    return tree


def _id(value: object) -> str:
    return "" if isinstance(value, Name) else str(value)


@pytest.mark.parametrize(("service", "name", "dotted"), ALL, ids=_id)
def test_a_setting_is_reached_by_its_name_and_by_its_variable(
    service: str, name: Name, dotted: str
) -> None:
    model, text = MODELS[service], sample(name, dotted)
    unset = load(model, {}, {})
    by_name = load(model, {}, {dotted: text})
    by_variable = load(model, {env_name(dotted): text}, {})
    assert by_name == by_variable
    assert by_name != unset or dotted in ONE_VALUE
    assert at(by_name, dotted, name) == at(by_variable, dotted, name)


def test_no_two_settings_share_a_variable() -> None:
    variables: dict[str, set[str]] = {}
    for _service, _name, dotted in ALL:
        variables.setdefault(env_name(dotted), set()).add(dotted)
    assert {env: names for env, names in variables.items() if len(names) > 1} == {}


@pytest.mark.parametrize("service", MODELS)
def test_a_variable_fits_one_pattern_alone(service: str) -> None:
    names = list(names_of(MODELS[service]))
    for own, name, dotted in ALL:
        if own != service:
            continue
        fitting = [other.dotted for other in names if other.env_pattern.fullmatch(env_name(dotted))]
        assert fitting == [name.dotted]
        assert [other.dotted for other in names if other.pattern.fullmatch(dotted)] == [name.dotted]


def test_services_agree_on_what_they_share() -> None:
    marks: dict[str, Mapping[str, Any]] = {}
    for service, name, dotted in ALL:
        own = {"live": name.live, "secret": name.secret}
        assert marks.setdefault(dotted, own) == own, (service, dotted)


def test_secrets_are_marked() -> None:
    secret = {name.dotted for _, name, _ in ALL if name.secret}
    assert secret == {
        "actuator.token",
        "auth.api-key.pepper",
        "auth.api-key.previous-pepper",
        "auth.keys.encryption-key",
        "mesh.secret",
        "providers.{name}.api-key",
        *(f"{name}.consul-token" for name in ("gateway", "auth", "token", "analytics", "stubs")),
    }


# As documented; below these prefixes, or these themselves.
LIVE = (
    "token.bucket.strategy",
    "token.bucket.capacity",
    "token.bucket.leak-rate-per-second",
    "token.bucket.window-seconds",
    "token.tiers.",
    "token.saga.stale-after",
    "token.saga.recovery-interval",
    "token.saga.simulate-failure",
    "providers.{name}.",
    "feature.flags.",
    "gateway.rate-limit.capacity",
    "gateway.rate-limit.window",
    "gateway.rate-limit.key-strategy",
    "gateway.rate-limit.whitelist-paths",
    "gateway.rate-limit.routes.",
)
NOT_LIVE = (
    "profile",
    "data",
    "bind-address",
    "registry",
    "token.bucket.store",
    "token.bucket.entry-ttl",
    "token.quota.window",
    "gateway.rate-limit.store",
    "auth.jwt.",
    "mesh.secret",
)


def test_what_the_contract_says_is_live_is() -> None:
    for _, name, _ in ALL:
        if name.dotted.startswith(LIVE):
            assert name.live, name.dotted
        if name.dotted.startswith(NOT_LIVE) or name.dotted.endswith(("-port", ".store")):
            assert not name.live, name.dotted
    for prefix in itertools.chain(LIVE, NOT_LIVE):
        assert any(name.dotted.startswith(prefix) for _, name, _ in ALL), prefix


def test_each_setting_of_the_contract_exists() -> None:
    known = {dotted for _, _, dotted in ALL}
    contract = {
        "profile", "data", "bind-address", "registry", "auth.store", "token.store",
        "analytics.store", "token.usage.sink", "gateway.rate-limit.store", "token.bucket.store",
        "gateway.http-port", "stubs.qwen.http-port", "auth.grpc-port", "token.health-port",
        "token.tiers.default-tier", "token.tiers.levels.USER.quota-max-tokens",
        "token.quota.window", "token.usage.topic", "token.saga.topic", "providers.openai.enabled",
        "provider.timeout", "provider.retries", "provider.retry-wait", "provider.bulkhead",
        "provider.breaker.min-calls", "feature.flags.token-service.quota-enforcement",
        "feature.flags.token-service.saga-purchases", "feature.flags.gateway.rate-limiting",
        "feature.flags.gateway.api-key-validation", "gateway.api-key.header",
        "gateway.api-key.cache-ttl", "auth.jwt.issuer", "auth.jwt.expiry", "auth.oidc.issuer",
        "auth.password.min-length", "auth.password.blocklist", "analytics.retention",
        "deadlines.edge", "deadlines.mesh", "deadlines.consume", "deadlines.purchase",
        "gateway.trusted-proxies", "cors.allowed-origins", "actuator.token",
        "auth.api-key.pepper", "auth.keys.encryption-key",
    }  # fmt: skip
    assert contract <= known
