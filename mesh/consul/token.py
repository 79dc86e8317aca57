"""The ACL token that a service shows Consul."""

from pathlib import Path

from mesh.settings.model import MeshSettings
from mesh.settings.source import SettingsError


def token_of(settings: MeshSettings, service: str) -> str | None:
    """`{service}.consul-token`, or what is in its file, or none.

    Raises SettingsError for a file that cannot be read or is empty.
    """
    section = getattr(settings, service)
    if section.consul_token or not section.consul_token_file:
        return section.consul_token or None
    return read_token(Path(section.consul_token_file))


def token_file(folder: Path, holder: str) -> Path:
    """Where bootstrap writes this holder's token: a folder each, so that one can be given alone."""
    return folder / holder / "token"


def read_token(path: Path) -> str:
    """The token in a file. Raises SettingsError."""
    try:
        token = path.read_text().strip()
    except (OSError, ValueError) as error:
        message = f"the Consul token in {path} cannot be read: {error}"
        raise SettingsError(message) from error
    if not token:
        message = f"the Consul token in {path} is empty"
        raise SettingsError(message)
    return token
