"""Who else could read or use what is ours: the profile, secrets, files."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from mesh.cli.doctor.case import Case
from mesh.cli.doctor.finding import Finding, fail, ok, warn
from mesh.identity.profile import Profile
from mesh.settings import MeshSettings
from mesh.settings.model import SHORTEST_SECRET
from mesh.settings.names import env_name
from mesh.settings.source import FILE
from mesh.telemetry.redact import scrub

_OTHERS = 0o077
# Made by a first start where the settings name none, with the setting that would.
MADE = {
    "mesh.secret": "mesh.secret",
    "auth.pepper": "auth.api-key.pepper",
    "auth.keys.key": "auth.keys.encryption-key",
}


async def check(case: Case) -> list[Finding]:
    """Everything that is more open than it should be."""
    settings = case.any
    found = [*_profile(settings), *_secrets(case)] if settings else []
    found += [*_file_secrets(case), *_folder(case.data), *_made(case.data)]
    return found or [ok("exposure", "profile, secrets and files are closed to others")]


def _profile(settings: MeshSettings) -> Iterator[Finding]:
    if settings.effective_profile is Profile.LOCAL and not settings.loopback:
        yield warn(
            "profile",
            f"local on {settings.bind_address}: whoever reaches it may act as anybody",
            "Use LEAKY_PROFILE=secure, unless ports are published on loopback alone.",
        )
    secure = settings.effective_profile is Profile.SECURE
    if secure and not settings.loopback and not settings.actuator.token:
        yield warn(
            "actuator.token",
            "is empty, so in secure nobody can read /metrics",
            "Set LEAKY_ACTUATOR_TOKEN, and give it to Prometheus.",
        )


def _secrets(case: Case) -> Iterator[Finding]:
    """What would be lost, or differ between machines, with the data folder."""
    auth = case.services.get("auth")
    store = str(getattr(auth, "store_url", ""))
    if auth is not None and urlsplit(store).scheme != "sqlite":
        for name, given in _keys(auth):
            if not given:
                yield warn(
                    name,
                    f"is kept in {case.data} alone, while auth.store is a server",
                    f"Set {env_name(name)}: other instances need the same, and without it what"
                    " the store holds is of no use.",
                )


def _keys(auth: MeshSettings) -> Iterator[tuple[str, str]]:
    section = auth.auth
    yield "auth.api-key.pepper", getattr(getattr(section, "api_key", None), "pepper", "")
    yield "auth.keys.encryption-key", getattr(getattr(section, "keys", None), "encryption_key", "")


def _file_secrets(case: Case) -> Iterator[Finding]:
    for name, text in sorted(case.values.items()):
        if scrub(text) != text:
            yield warn(
                name,
                f"holds a password in {FILE}",
                f"Set {env_name(name)} in the environment instead, and leaky config unset {name}.",
            )


def _folder(data: Path) -> Iterator[Finding]:
    if not data.exists():
        parent = next(path for path in data.absolute().parents if path.exists())
        if not os.access(parent, os.W_OK | os.X_OK):
            what = "is not there and cannot be made"
            yield fail(str(data), what, f"Make {parent} writable, or choose another LEAKY_DATA.")
    elif not os.access(data, os.R_OK | os.W_OK | os.X_OK):
        yield fail(str(data), "cannot be written to", f"Give it to this user: chown {data}.")
    elif _open(data):
        yield warn(str(data), "lets other users in", f"Close it: chmod 700 {data}.")


def _made(data: Path) -> Iterator[Finding]:
    for name, setting in MADE.items():
        path = data / name
        try:
            text = path.read_text().strip()
        except FileNotFoundError:
            continue
        except OSError as error:
            yield fail(str(path), f"cannot be read: {error.strerror}", "Give it to this user.")
            continue
        if len(text) < SHORTEST_SECRET:
            yield fail(
                str(path),
                f"holds fewer than {SHORTEST_SECRET} characters",
                f"Restore it from a backup, or set {env_name(setting)}.",
            )
    for path in (*(data / name for name in MADE), data / FILE, *data.glob("*.db")):
        if path.exists() and _open(path) and _open(data):
            yield warn(str(path), "can be read by other users", f"Close it: chmod 600 {path}.")


def _open(path: Path) -> bool:
    return bool(stat.S_IMODE(path.stat().st_mode) & _OTHERS)
