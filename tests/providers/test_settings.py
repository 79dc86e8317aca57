from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from pydantic import Field
from structlog.testing import capture_logs

from mesh.settings import Live, MeshSettings
from mesh.settings.source import SettingsError, load
from providers.settings import (
    EgressSettings,
    ProviderSettings,
    api_of,
    base_url,
    default_providers,
)
from tests.mesh.settings.shelf import Shelf


class Settings(MeshSettings):
    providers: dict[str, ProviderSettings] = Field(default_factory=default_providers)
    provider: EgressSettings = EgressSettings()


def test_three_providers_are_there_at_the_stubs_addresses() -> None:
    settings = load(Settings, {"LEAKY_STUBS_GEMINI_HTTP_PORT": "18092"}, {})
    told = {
        name: (provider.default_quota, provider.rate_limit, base_url(settings, name))
        for name, provider in settings.providers.items()
    }
    assert told == {
        "qwen": (1000, 10, "http://127.0.0.1:8091"),
        "gemini": (500, 5, "http://127.0.0.1:18092"),
        "openai": (2000, 20, "http://127.0.0.1:8093"),
    }


def test_environment_and_file_reach_one_provider_and_leave_the_others() -> None:
    settings = load(
        Settings,
        {"LEAKY_PROVIDERS_OPENAI_BASE_URL": "https://api.openai.com/"},
        {"providers.openai.enabled": "false", "providers.openai.base-url": "http://elsewhere"},
    )
    assert base_url(settings, "openai") == "https://api.openai.com"
    assert not settings.providers["openai"].enabled
    assert settings.providers["openai"].default_quota == 2000
    assert settings.providers["qwen"].enabled


def test_a_new_provider_comes_by_name_and_speaks_openai_unless_told() -> None:
    settings = load(
        Settings,
        {"LEAKY_PROVIDERS_MISTRAL_BASE_URL": "http://mistral:9000"},
        {"providers.deep-mind.api": "gemini"},
    )
    assert api_of(settings, "mistral") == "openai"
    assert base_url(settings, "mistral") == "http://mistral:9000"
    assert api_of(settings, "deep-mind") == "gemini"
    assert base_url(settings, "deep-mind") == "http://127.0.0.1:8092"


def test_stubs_follow_the_bind_address() -> None:
    everywhere = {"LEAKY_BIND_ADDRESS": "0.0.0.0", "LEAKY_PROFILE": "secure"}  # noqa: S104
    assert base_url(load(Settings, everywhere, {}), "qwen") == "http://127.0.0.1:8091"
    six = load(Settings, {"LEAKY_BIND_ADDRESS": "::1"}, {})
    assert base_url(six, "qwen") == "http://[::1]:8091"


@pytest.mark.parametrize(
    "url", ["ftp://x", "api.openai.com", "http://", "http://u:p@host", "http://host?key=1"]
)
def test_a_base_url_that_is_none_is_refused_by_name(url: str) -> None:
    with pytest.raises(SettingsError, match=r"providers\.openai\.base-url"):
        load(Settings, {}, {"providers.openai.base-url": url})


def test_egress_has_the_documented_names() -> None:
    values = {
        "provider.timeout": "500ms",
        "provider.retries": "2",
        "provider.retry-wait": "10ms",
        "provider.bulkhead": "4",
        "provider.breaker.window": "6",
        "provider.breaker.min-calls": "5",
        "provider.breaker.failure-percent": "40",
        "provider.breaker.open": "3s",
    }
    egress = load(Settings, {}, values).provider
    assert egress.model_dump(by_alias=True) == {
        "timeout": 0.5,
        "retries": 2,
        "retry-wait": 0.01,
        "bulkhead": 4,
        "breaker": {"window": 6, "min-calls": 5, "failure-percent": 40, "open": 3.0},
    }


def test_a_provider_is_switched_off_and_another_added_while_running(tmp_path: Path) -> None:
    live = Live.read(Settings, {"LEAKY_DATA": str(tmp_path)})
    live.apply({"providers.qwen.enabled": "false", "providers.new.default-quota": "7"})
    assert not live.current.providers["qwen"].enabled
    assert live.current.providers["new"].default_quota == 7
    live.apply({})
    assert live.current.providers["qwen"].enabled
    assert "new" not in live.current.providers


def test_the_operators_own_file_may_say_where_a_key_goes(tmp_path: Path) -> None:
    env = {"LEAKY_DATA": str(tmp_path), "LEAKY_PROVIDERS_OPENAI_API_KEY": "sk-secret"}
    live = Live.read(Settings, env)
    assert live.apply({"providers.openai.base-url": "https://api.openai.com"})
    assert base_url(live.current, "openai") == "https://api.openai.com"


CONSUL = {"LEAKY_REGISTRY": "consul://127.0.0.1:1"}
KEY = {"LEAKY_PROVIDERS_OPENAI_API_KEY": "sk-secret"}


@pytest.fixture
def in_kv(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Has KV hold what is said of openai."""

    def put(values: Mapping[str, str]) -> None:
        shelf = Shelf("providers.openai", **values)
        monkeypatch.setattr("mesh.consul.settings.settings_folder", lambda *_: shelf.opened())

    return put


def _refusals() -> tuple[float, float]:
    """How often settings were refused, and whether those there are now are."""
    count = REGISTRY.get_sample_value("settings_refused_total") or 0
    return count, REGISTRY.get_sample_value("settings_source_refused") or 0


def test_who_writes_kv_cannot_have_the_key_sent_elsewhere(
    in_kv: Callable[..., None], tmp_path: Path
) -> None:
    env = {"LEAKY_DATA": str(tmp_path), **CONSUL, **KEY}
    in_kv({"rate-limit": "7"})
    live = Live.read(Settings, env, "token")
    before, _ = _refusals()
    with capture_logs() as logs:
        assert not live.apply(
            {"providers.openai.base-url": "https://evil.test", "providers.openai.rate-limit": "8"}
        )
    assert _refusals() == (before + 1, 1)
    assert logs[0]["event"] == "settings refused, the last good ones stay"
    assert "LEAKY_PROVIDERS_OPENAI_BASE_URL" in logs[0]["error"]
    assert base_url(live.current, "openai") == "http://127.0.0.1:8093"
    assert live.current.providers["openai"].rate_limit == 7
    assert live.apply({"providers.openai.rate-limit": "8"})
    assert _refusals() == (before + 1, 0)
    # At the next start the same: the last good ones serve.
    in_kv({"base-url": "https://evil.test"})
    again = Live.read(Settings, env, "token")
    assert _refusals() == (before + 2, 1)
    assert base_url(again.current, "openai") == "http://127.0.0.1:8093"


def test_a_key_that_is_given_later_does_not_go_where_kv_said_before(
    in_kv: Callable[..., None], tmp_path: Path
) -> None:
    env = {"LEAKY_DATA": str(tmp_path), **CONSUL}
    in_kv({"base-url": "https://elsewhere.test"})
    assert base_url(Live.read(Settings, env, "token").current, "openai") == "https://elsewhere.test"
    with pytest.raises(SettingsError, match=r"providers\.openai\.base-url"):
        Live.read(Settings, env | KEY, "token")
    said = {"LEAKY_PROVIDERS_OPENAI_BASE_URL": "https://api.openai.com"}
    live = Live.read(Settings, env | KEY | said, "token")
    assert base_url(live.current, "openai") == "https://api.openai.com"


def test_a_refused_key_is_not_in_the_error() -> None:
    with pytest.raises(SettingsError) as refused:
        load(Settings, {}, {"providers.openai.api-key": "sk-secret\n", "provider.retries": "0"})
    assert "sk-secret" not in str(refused.value)
