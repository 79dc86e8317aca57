import json
from pathlib import Path
from typing import Literal

import pytest
from pydantic import Field

from mesh.settings import MeshSettings, Section, live
from mesh.settings.model import Duration
from mesh.settings.source import FILE, SettingsError, load, read_file
from svc_gateway.settings import GatewaySettings
from svc_token.settings import TokenSettings


class Own(Section):
    wait: Duration = 1.0
    kind: Literal["a", "b", ""] = ""
    url: str = Field(default="", pattern="^[^@]*$")
    secret: str = Field(default="", max_length=20, json_schema_extra={"secret": True})
    size: int = live(1, ge=1)


class OwnSettings(MeshSettings):
    own: Own = Own()


def test_the_environment_wins_over_the_file_and_the_file_over_the_default() -> None:
    name, variable = "own.size", "LEAKY_OWN_SIZE"
    assert load(OwnSettings, {}, {}).own.size == 1
    assert load(OwnSettings, {}, {name: "2"}).own.size == 2
    assert load(OwnSettings, {variable: "3"}, {name: "2"}).own.size == 3


def test_what_is_not_ours_is_left_alone() -> None:
    env = {"OWN_SIZE": "7", "LEAKY_OWN": "7", "LEAKY_OTHER_SIZE": "7", "PATH": "/bin"}
    assert load(OwnSettings, env, {"other.size": "7"}) == load(OwnSettings, {}, {})


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("250ms", 0.25), ("5us", 5e-6), ("2s", 2), ("1.5m", 90), ("24h", 86400), ("90d", 7776000)],
)
def test_durations_have_units_and_are_seconds_without(text: str, seconds: float) -> None:
    assert load(OwnSettings, {}, {"own.wait": text}).own.wait == pytest.approx(seconds)
    number = text.rstrip("mushd")
    assert load(OwnSettings, {}, {"own.wait": number}).own.wait == float(number)


def refusal(model: type[MeshSettings], **values: str) -> str:
    named = {key.replace("__", ".").replace("_", "-"): text for key, text in values.items()}
    with pytest.raises(SettingsError) as refused:
        load(model, {}, named)
    return str(refused.value)


def test_an_error_names_the_setting_and_what_was_given() -> None:
    assert refusal(OwnSettings, own__size="0") == (
        "own.size: Input should be greater than or equal to 1 (given '0')"
    )
    assert refusal(OwnSettings, own__wait="soon") == (
        "own.wait: 'soon' is no duration; write for example 250ms, 10s, 5m or 24h (given 'soon')"
    )
    assert refusal(OwnSettings, own__kind="c").startswith("own.kind: ")
    assert "literal" not in refusal(OwnSettings, own__kind="c")
    assert refusal(OwnSettings, bind_address="nowhere").startswith("bind-address: 'nowhere' ")


def test_everything_that_does_not_fit_is_named_at_once() -> None:
    message = refusal(OwnSettings, own__size="x", deadlines__edge="y", log__level="loud")
    for name in ("own.size: ", "deadlines.edge: ", "log.level: "):
        assert name in message


def test_a_secrets_value_is_in_no_error() -> None:
    hunter = "hunter2-" * 3
    assert "hunter2" not in refusal(OwnSettings, own__secret=hunter)
    assert refusal(OwnSettings, own__secret=hunter).startswith("own.secret: ")
    assert "hunter2" not in refusal(OwnSettings, own__url="http://ada:hunter2@host/")
    with pytest.raises(SettingsError) as refused:
        load(TokenSettings, {"LEAKY_MESH_SECRET": "hunter2"}, {})
    assert str(refused.value) == "mesh.secret: must have at least 16 characters"


def test_a_providers_key_is_in_no_error() -> None:
    # Any text is a key, so only a value that is none at all can be refused.
    tree = {"providers": {"openai": {"api-key": ["hunter2"], "rate-limit": "hunter3"}}}
    with pytest.raises(ValueError, match="api-key"):
        TokenSettings.model_validate(tree)
    message = refusal(TokenSettings, providers__openai__rate_limit="many")
    assert message.startswith("providers.openai.rate-limit: ")
    assert message.endswith("(given 'many')")


def test_a_url_password_given_to_a_provider_is_in_no_error() -> None:
    message = refusal(TokenSettings, providers__openai__base_url="https://ada:hunter2@api.test")
    assert message.startswith("providers.openai.base-url: ")
    assert "hunter2" not in message


def test_an_error_of_the_whole_is_told_without_values() -> None:
    message = refusal(TokenSettings, token__tiers__default_tier="NONE")
    assert message == "token.tiers.default-tier names no level of token.tiers.levels"
    message = refusal(TokenSettings, token__saga__topic="token-usage")
    assert message == "token.usage.topic and token.saga.topic must differ"


def test_parts_that_are_free_are_found_by_what_there_is() -> None:
    env = {
        "LEAKY_GATEWAY_RATE_LIMIT_ROUTES_API_V1_TOKENS": "7",
        "LEAKY_GATEWAY_RATE_LIMIT_CAPACITY": "8",
    }
    limits = load(GatewaySettings, env, {}).gateway.rate_limit
    assert (limits.routes, limits.capacity) == ({"/api/v1/tokens": 7}, 8)
    routes = load(GatewaySettings, {}, {"gateway.rate-limit.routes./api/v1/auth": "9"})
    assert routes.gateway.rate_limit.routes == {"/api/v1/tokens": 200, "/api/v1/auth": 9}


def test_a_new_tier_is_named_like_a_role_and_a_new_provider_like_a_host() -> None:
    env = {
        "LEAKY_TOKEN_TIERS_LEVELS_GOLD_PRIORITY": "50",
        "LEAKY_PROVIDERS_MY_OWN_BASE_URL": "http://127.0.0.1:9",
    }
    settings = load(TokenSettings, env, {})
    assert settings.token.tiers.levels["GOLD"].priority == 50
    assert settings.providers["my-own"].base_url == "http://127.0.0.1:9"


def test_no_file_is_no_values(tmp_path: Path) -> None:
    assert read_file(tmp_path) == {}


def test_a_files_numbers_and_booleans_are_texts(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(json.dumps({"own.size": 3, "allow-insecure-bind": True}))
    values = read_file(tmp_path)
    settings = load(OwnSettings, {}, values)
    assert (settings.own.size, settings.allow_insecure_bind) == (3, True)


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff\xfe", b"null"])
def test_a_file_that_is_no_object_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(SettingsError, match=FILE):
        read_file(tmp_path)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    with pytest.raises(SettingsError, match=f"{FILE} cannot be read"):
        read_file(tmp_path)
