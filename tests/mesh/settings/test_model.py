import pytest

from mesh.identity.profile import Profile
from mesh.settings import MeshSettings
from mesh.settings.source import SettingsError, load


def settings(**env: str) -> MeshSettings:
    return load(MeshSettings, {f"LEAKY_{name}": text for name, text in env.items()}, {})


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.9", "::1", "localhost"])
def test_on_loopback_the_profile_is_local(address: str) -> None:
    assert settings(BIND_ADDRESS=address).effective_profile is Profile.LOCAL


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.0.2.1"])  # noqa: S104 not bound
def test_anywhere_else_it_is_secure_and_local_is_refused(address: str) -> None:
    assert settings(BIND_ADDRESS=address).effective_profile is Profile.SECURE
    with pytest.raises(SettingsError, match="LEAKY_ALLOW_INSECURE_BIND=1"):
        settings(BIND_ADDRESS=address, PROFILE="local")


def test_unless_it_is_asked_for_by_name() -> None:
    allowed = settings(BIND_ADDRESS="0.0.0.0", PROFILE="local", ALLOW_INSECURE_BIND="1")  # noqa: S104
    assert allowed.effective_profile is Profile.LOCAL


def test_a_profile_that_is_given_counts_on_loopback_too() -> None:
    assert settings(PROFILE="secure").effective_profile is Profile.SECURE


@pytest.mark.parametrize("port", ["0", "65536", "-1", "http"])
def test_a_port_is_one(port: str) -> None:
    with pytest.raises(SettingsError, match=r"token\.grpc-port: "):
        settings(TOKEN_GRPC_PORT=port)


@pytest.mark.parametrize("name", ["DEADLINES_EDGE", "MESH_DRAIN_GRACE"])
def test_a_duration_ends_while_there_are_dates(name: str) -> None:
    settings(**{name: "36500d"})
    for longer in ("36501d", "999999999d", "9" * 400):
        with pytest.raises(SettingsError, match="less than or equal to 3153600000"):
            settings(**{name: longer})


def test_a_secret_that_gateways_share_cannot_be_guessed() -> None:
    with pytest.raises(SettingsError, match=r"mesh\.secret: must have at least 16 characters"):
        settings(MESH_SECRET="f" * 15)
    assert settings(MESH_SECRET="f" * 16).mesh.secret == "f" * 16
    assert settings().mesh.secret == ""


@pytest.mark.parametrize("domain", ["", "Leaky.internal", "a..b", "-a", "a_b", "a/b", "x." * 100])
def test_a_trust_domain_is_a_domain(domain: str) -> None:
    with pytest.raises(SettingsError, match=r"pki\.trust-domain: "):
        settings(PKI_TRUST_DOMAIN=domain)


@pytest.mark.parametrize("life", ["0s", "59s", "91d", "-1h"])
def test_certificates_are_short_lived_but_not_that_short(life: str) -> None:
    with pytest.raises(SettingsError, match=r"pki\.leaf-ttl: "):
        settings(PKI_LEAF_TTL=life)
