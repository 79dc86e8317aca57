"""Passwords that an operator refuses beside the most common ones."""

from pathlib import Path

from mesh.settings.source import SettingsError
from svc_auth.domain.text import comparable


def read_blocklist(file: str) -> frozenset[str]:
    """The file's lines in comparable form; none for no file. Raises SettingsError."""
    if not file:
        return frozenset()
    try:
        lines = Path(file).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        message = f"auth.password.blocklist-file: {file} cannot be read: {error}"
        raise SettingsError(message) from error
    return frozenset(comparable(line.strip()) for line in lines if line.strip())
