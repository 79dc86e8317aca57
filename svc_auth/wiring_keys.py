"""The secrets that auth keeps others' secrets with, and the keys that they open."""

from dataclasses import dataclass, field

from mesh.clock import Clock
from mesh.settings.secrets import secret
from svc_auth.crypto.keyring import Keyring, open_keyring
from svc_auth.crypto.vault import Vault
from svc_auth.settings import AuthSettings
from svc_auth.stores.stores import AuthStores
from svc_auth.wiring_oauth2 import lifetimes


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """What auth keeps others' secrets with; made under the data folder when not given."""

    pepper: str = field(repr=False)
    sealing: str = field(repr=False)


def secrets_of(settings: AuthSettings) -> Secrets:
    """The secrets that the settings give, or that the data folder has."""
    return Secrets(
        pepper=secret(settings.data / "auth.pepper", settings.auth.api_key.pepper),
        sealing=secret(settings.data / "auth.keys.key", settings.auth.keys.encryption_key),
    )


async def keyring_of(settings: AuthSettings, store: AuthStores, clock: Clock) -> Keyring:
    """The signing keys of the store. Raises SettingsError when they do not open."""
    vault = Vault(secrets_of(settings).sealing)
    return await open_keyring(store.signing_keys, vault, clock, lifetimes(settings))
