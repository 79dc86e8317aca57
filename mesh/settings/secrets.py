"""Secrets that a system makes for itself when none are given."""

import contextlib
import os
import secrets
import stat
from pathlib import Path

from mesh.private_file import create_private
from mesh.settings.model import SHORTEST_SECRET
from mesh.settings.source import SettingsError

_BYTES = 32


def secret(path: Path, given: str = "") -> str:
    """The secret given in the settings, else the one in the file, made when absent.

    The file has mode 0600. Processes that start at once agree on one secret:
    the first complete file wins. Raises SettingsError for a file that is empty,
    too short, or cannot be read or made; the message never holds the secret.
    """
    if given:
        return given
    try:
        return _read(path) or _create(path)
    except OSError as error:
        message = f"the secret in {path} cannot be read or made: {error.strerror}"
        raise SettingsError(message) from error


def _read(path: Path) -> str:
    try:
        with path.open() as file:
            _tighten(file.fileno())
            text = file.read().strip()
    except FileNotFoundError:
        return ""
    if not text:
        message = f"the secret in {path} is empty; remove the file to have a new one made"
        raise SettingsError(message)
    if len(text) < SHORTEST_SECRET:
        message = f"the secret in {path} must have at least {SHORTEST_SECRET} characters"
        raise SettingsError(message)
    return text


def _tighten(descriptor: int) -> None:
    if stat.S_IMODE(os.fstat(descriptor).st_mode) & 0o077:
        # A mounted secret may belong to somebody else, who answers for its mode.
        with contextlib.suppress(OSError):
            os.fchmod(descriptor, 0o600)


def _create(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    create_private(path, secrets.token_urlsafe(_BYTES))
    return _read(path)
