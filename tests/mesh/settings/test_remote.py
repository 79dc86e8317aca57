import stat
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from mesh.settings.names import env_name, names_of
from mesh.settings.remote import LastGood, admitted, load_shared
from mesh.settings.source import SettingsError
from svc_analytics.settings import AnalyticsSettings
from svc_auth.settings import AuthSettings
from svc_stubs.settings import StubsSettings
from svc_token.settings import TokenSettings

NAMES = list(names_of(TokenSettings))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("token.store", "postgresql://db/leaky"),
        ("token.store", "postgresql://leaky@db/leaky?sslmode=require"),
        ("token.usage.sink", "kafka://127.0.0.1:9092,127.0.0.1:9093"),
        ("token.bucket.store", "redis://127.0.0.1:6379/0"),
        ("providers.openai.base-url", "https://api.test/v1"),
        ("cors.allowed-origins", "https://a.test,https://b.test"),
        ("token.bucket.capacity", "2000"),
    ],
)
def test_what_everybody_may_know_is_admitted(name: str, text: str) -> None:
    assert admitted(NAMES, {name: text}) == ({name: text}, [])


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://leaky:hunter2@db/leaky",
        "redis://:hunter2@127.0.0.1:6379/0",
        "redis://:hun/ter2@127.0.0.1:6379/0",
        "postgresql://db/leaky?user=leaky&password=hunter2",
        "postgresql://db/leaky?sslpassword=hunter2",
        "kafka://db/?sasl_plain_password=hunter2",
        "Bearer hunter2-hunter2",
    ],
)
def test_a_password_within_a_value_is_refused_without_it(text: str) -> None:
    with pytest.raises(SettingsError, match=r"^token\.store: .*LEAKY_TOKEN_STORE") as refused:
        admitted(NAMES, {"token.store": text})
    assert "ter2" not in str(refused.value)


@pytest.mark.parametrize(
    "name",
    [
        "mesh.secret",
        "actuator.token",
        "token.consul-token",
        "gateway.consul-token",
        "providers.openai.api-key",
    ],
)
def test_a_secret_is_refused_by_its_name(name: str) -> None:
    with pytest.raises(SettingsError, match="does not belong in Consul KV") as refused:
        admitted(NAMES, {name: "hunter2"})
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    "name",
    [
        "data",
        "registry",
        "bind-address",
        "allow-insecure-bind",
        "mesh.advertise-address",
        "mesh.health-address",
        "pki.ca",
        "pki.leaves",
        "pki.trust-domain",
        "mesh.instance",
        "token.http-port",
        "token.grpc-port",
        "token.health-port",
        "stubs.openai.http-port",
        "token.consul-token-file",
    ],
)
def test_what_is_each_processs_own_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="each process's own"):
        admitted(NAMES, {name: "1"})


def test_every_setting_that_is_a_secret_by_its_mark_is_refused() -> None:
    secrets = [name.dotted.replace("{name}", "x") for name in NAMES if name.secret]
    assert len(secrets) > 5
    for dotted in secrets:
        with pytest.raises(SettingsError):
            admitted(NAMES, {dotted: "x"})


def test_all_that_is_wrong_is_told_at_once_and_strangers_are_named() -> None:
    with pytest.raises(SettingsError, match=r"mesh\.secret.*; data is"):
        admitted(NAMES, {"mesh.secret": "x", "data": "x"})
    assert admitted(NAMES, {"token.bucket.capacty": "1"}) == ({}, ["token.bucket.capacty"])


KEY = {"LEAKY_PROVIDERS_OPENAI_API_KEY": "sk-hunter2"}
URL = "LEAKY_PROVIDERS_OPENAI_BASE_URL"
EVIL = "https://evil.test"


@pytest.mark.parametrize("spelled", ["openai", "OpenAI", "OPENAI"])
def test_who_writes_there_does_not_say_whom_a_key_is_shown(spelled: str) -> None:
    dotted = f"providers.{spelled}.base-url"
    with pytest.raises(SettingsError, match=rf"^{dotted}: .*set {URL} beside it") as refused:
        load_shared(TokenSettings, KEY, {"token.bucket.capacity": "9", dotted: EVIL})
    assert "evil" not in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_all_the_keys_at_stake_are_named() -> None:
    env = {**KEY, "LEAKY_PROVIDERS_DEEP_MIND_API_KEY": "sk-hunter2"}
    values = {"providers.deep-mind.base-url": EVIL, "providers.openai.base-url": EVIL}
    with pytest.raises(
        SettingsError, match=r"deep-mind\.base-url: .*; providers\.openai\."
    ) as refused:
        load_shared(TokenSettings, env, values)
    # Each by itself, so that who takes one of them out is seen to leave the other alone.
    assert len(refused.value.problems) == len(values)


@pytest.mark.parametrize(
    "env",
    [
        # Nothing to show.
        {},
        {"LEAKY_PROVIDERS_OPENAI_API_KEY": ""},
        # Another's.
        {"LEAKY_PROVIDERS_QWEN_API_KEY": "sk-hunter2"},
    ],
)
def test_where_a_provider_without_a_key_is_may_come_from_there(env: dict[str, str]) -> None:
    settings = load_shared(TokenSettings, env, {"providers.openai.base-url": "http://stub"})
    assert settings.providers["openai"].base_url == "http://stub"


@pytest.mark.parametrize(
    ("variable", "dotted", "there"),
    [
        ("PGPASSWORD", "token.store", "postgresql://leaky@evil.test/leaky"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "tracing.endpoint", "http://evil.test:4317"),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "tracing.endpoint", "http://evil.test:4317"),
    ],
)
def test_nor_whom_what_a_library_reads_by_itself_is_shown(
    variable: str, dotted: str, there: str
) -> None:
    env, beside = {variable: "hunter2"}, {env_name(dotted): ""}
    with pytest.raises(SettingsError, match=rf"^{dotted}: {variable} goes there") as refused:
        load_shared(TokenSettings, env, {dotted: there})
    assert "evil" not in str(refused.value)
    assert "hunter2" not in str(refused.value)
    assert load_shared(TokenSettings, env | beside, {dotted: there}).tracing.endpoint == ""
    load_shared(TokenSettings, {variable: ""}, {dotted: there})


def test_every_database_is_marked_as_shown_the_password() -> None:
    models = (TokenSettings, AuthSettings, AnalyticsSettings, StubsSettings)
    marked = [name.dotted for model in models for name in names_of(model) if name.shown_variables]
    stores = {"token.store", "auth.store", "analytics.store", "stubs.store"}
    assert stores == {dotted for dotted in marked if dotted.endswith(".store")}


def test_where_the_environment_says_it_the_value_counts_for_nothing() -> None:
    env = {**KEY, URL: "https://api.openai.com"}
    settings = load_shared(TokenSettings, env, {"providers.openai.base-url": EVIL})
    assert settings.providers["openai"].base_url == "https://api.openai.com"
    stub = load_shared(TokenSettings, {**KEY, URL: ""}, {"providers.openai.base-url": EVIL})
    assert stub.providers["openai"].base_url == ""


def test_what_was_kept_is_what_is_read_and_only_its_owner_can(tmp_path: Path) -> None:
    kept = LastGood(tmp_path / "data", "token")
    assert kept.read() is None
    kept.keep({"a": "1"})
    kept.keep({"a": "2", "b": "3"})
    assert kept.read() == {"a": "2", "b": "3"}
    [file] = (tmp_path / "data").iterdir()
    assert (file.name, stat.S_IMODE(file.stat().st_mode)) == ("token.kv.json", 0o600)


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff", b""])
def test_a_broken_copy_is_said_and_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "token.kv.json").write_bytes(content)
    with capture_logs() as logs:
        assert LastGood(tmp_path, "token").read() is None
    assert "cannot be read" in logs[0]["event"]


def test_a_copy_that_cannot_be_made_leaves_no_draft(tmp_path: Path) -> None:
    (tmp_path / "token.kv.json").mkdir()
    (tmp_path / "token.kv.json" / "in the way").touch()
    with pytest.raises(OSError, match=r"token\.kv\.json"):
        LastGood(tmp_path, "token").keep({})
    assert [path.name for path in tmp_path.iterdir()] == ["token.kv.json"]
