from pathlib import Path

import pytest

from mesh.settings.names import names_of
from mesh.settings.source import SettingsError, load
from svc_auth.domain.organization import OrganizationLimits
from svc_auth.settings import AuthSettings


def test_the_names_are_those_of_the_contract() -> None:
    names = {name.dotted: name for name in names_of(AuthSettings)}
    defaults = {
        "auth.http-port": 8081,
        "auth.grpc-port": 9081,
        "auth.store": "",
        "auth.jwt.issuer": "leaky-tokens-auth",
        "auth.jwt.expiry": 3600.0,
        "auth.oidc.issuer": "http://127.0.0.1:8081",
        "auth.password.min-length": 8,
        "auth.password.blocklist": None,
        "auth.api-key.pepper": "",
        "auth.keys.encryption-key": "",
    }
    assert {name: names[name].default for name in defaults} == defaults
    secret = {name.dotted for name in names.values() if name.secret}
    assert {"auth.api-key.pepper", "auth.keys.encryption-key"} <= secret


def test_the_store_is_a_file_under_data_unless_given() -> None:
    assert load(AuthSettings, {"LEAKY_DATA": "/d"}, {}).store_url == "sqlite:////d/auth.db"
    assert AuthSettings(data=Path("d")).store_url == "sqlite:///d/auth.db"
    assert load(AuthSettings, {"LEAKY_AUTH_STORE": "x://y"}, {}).store_url == "x://y"


@pytest.mark.parametrize(
    ("env", "known_only", "blocklist"),
    [
        ({}, False, False),
        ({"LEAKY_PROFILE": "secure"}, True, True),
        ({"LEAKY_PROFILE": "secure", "LEAKY_AUTH_PASSWORD_BLOCKLIST": "false"}, True, False),
        ({"LEAKY_AUTH_PASSWORD_BLOCKLIST": "true"}, False, True),
        ({"LEAKY_BIND_ADDRESS": "192.0.2.1"}, True, True),
    ],
)
def test_the_profile_decides_what_is_not_set(
    env: dict[str, str], *, known_only: bool, blocklist: bool
) -> None:
    policy = load(AuthSettings, env, {}).policy
    assert (policy.known_users_only, policy.password.blocklist) == (known_only, blocklist)


def test_the_limits_of_organisations_are_settings() -> None:
    assert AuthSettings().policy.organizations == OrganizationLimits(
        owned=20, members=1_000, invitations=100, invitation_lifetime=7 * 86_400_000_000
    )
    env = {"LEAKY_AUTH_ORGANIZATIONS_INVITATION_EXPIRY": "90m"}
    assert load(AuthSettings, env, {}).policy.organizations.invitation_lifetime == 5_400_000_000


@pytest.mark.parametrize(
    ("variable", "value", "name"),
    [
        ("LEAKY_AUTH_API_KEY_PEPPER", "tiny", "auth.api-key.pepper"),
        ("LEAKY_AUTH_KEYS_ENCRYPTION_KEY", "tiny", "auth.keys.encryption-key"),
        ("LEAKY_AUTH_JWT_EXPIRY", "0s", "auth.jwt.expiry"),
        ("LEAKY_AUTH_JWT_EXPIRY", "36500000d", "auth.jwt.expiry"),
        ("LEAKY_AUTH_PASSWORD_MIN_LENGTH", "0", "auth.password.min-length"),
        ("LEAKY_AUTH_ORGANIZATIONS_MAX_OWNED", "-1", "auth.organizations.max-owned"),
        ("LEAKY_AUTH_ORGANIZATIONS_MAX_MEMBERS", "0", "auth.organizations.max-members"),
        (
            "LEAKY_AUTH_ORGANIZATIONS_INVITATION_EXPIRY",
            "0s",
            "auth.organizations.invitation-expiry",
        ),
    ],
)
def test_what_does_not_fit_is_named_and_a_secret_is_not_shown(
    variable: str, value: str, name: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        load(AuthSettings, {variable: value}, {})
    assert name in str(caught.value)
    assert "tiny" not in str(caught.value)


@pytest.mark.parametrize(
    ("profile", "issuer", "good"),
    [
        ("secure", "http://auth.example", False),
        ("secure", "http://192.0.2.1:8081", False),
        ("secure", "https://auth.example", True),
        ("secure", "http://127.0.0.1:8081", True),
        ("secure", "http://localhost:8081", True),
        ("secure", "http://[::1]:8081", True),
        ("local", "http://auth.example", True),
    ],
)
def test_in_secure_no_password_is_asked_for_in_the_clear(
    profile: str, issuer: str, *, good: bool
) -> None:
    env = {"LEAKY_PROFILE": profile, "LEAKY_AUTH_OIDC_ISSUER": issuer}
    if good:
        assert load(AuthSettings, env, {}).auth.oidc.issuer == issuer
        return
    with pytest.raises(SettingsError) as caught:
        load(AuthSettings, env, {})
    assert "auth.oidc.issuer" in str(caught.value)
