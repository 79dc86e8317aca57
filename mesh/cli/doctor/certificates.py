"""The certificates that services show each other in `secure`."""

import datetime as dt
import stat
from collections.abc import Iterator
from pathlib import Path

from mesh.cli.doctor.case import Case
from mesh.cli.doctor.finding import Finding, fail, ok, warn
from mesh.clock import SystemClock
from mesh.identity.profile import Profile
from mesh.pki.certificates import moment
from mesh.pki.leaf_folder import OWN, LeafFolder
from mesh.pki.opened import authority_file, folder_of, spiffe_id
from mesh.pki.spiffe import SpiffeId
from mesh.pki.survey import Seen, leaf, roots
from mesh.settings import MeshSettings

_OTHERS = 0o077
# For a change of roots there is no hurry, but it takes a few days.
_ROOT_SOON = dt.timedelta(days=90)


async def check(case: Case) -> list[Finding]:
    """Whether each is there, fits its key, is believed and has time left."""
    settings = case.any
    if settings is None or settings.effective_profile is Profile.LOCAL:
        return []
    folders = {name: folder_of(own, name) for name, own in case.services.items()}
    authority = authority_file(settings)
    expected = settings.pki.leaves or authority.exists()
    if not expected and not any(folder.exists() for folder in folders.values()):
        return [ok("certificates", "none yet; leaky up makes them, else leaky pki")]
    now = moment(SystemClock())
    found = [*_authority(settings, now)]
    for name, folder in folders.items():
        found += _leaf(spiffe_id(settings, name), folder, now)
    return found


def _authority(settings: MeshSettings, now: dt.datetime) -> Iterator[Finding]:
    file = authority_file(settings)
    for root in roots(file, settings.pki.trust_domain, now):
        if root.problem:
            yield fail(root.name, root.problem, "Restore it from a backup, or make another.")
        elif root.until is not None and root.until - now < _ROOT_SOON:
            yield warn(root.name, f"ends at {_told(root)}", "Change it: leaky pki rotate.")
        else:
            yield ok(root.name, f"good until {_told(root)}")
    if file.exists():
        yield from _open(file.path)


def _leaf(who: SpiffeId, folder: LeafFolder, now: dt.datetime) -> Iterator[Finding]:
    subject, seen = f"{who.name}'s certificate", leaf(folder, now)
    problem = seen.problem or (f"it is {seen.of}" if seen.of != str(who) else "")
    if problem or seen.until is None:
        yield fail(subject, problem, f"Make another: leaky pki issue {who.name}.")
        return
    if seen.until - now < folder.read().life / 4:
        what = f"ends at {_told(seen)}, and nobody has renewed it yet"
        yield warn(subject, what, "Keep leaky up or leaky pki renew --every running.")
    else:
        yield ok(subject, f"{seen.of}, good until {_told(seen)}")
    yield from _open(folder.path / OWN)


def _open(path: Path) -> Iterator[Finding]:
    if _others(path.parent) and _others(path):
        yield warn(str(path), "can be read by other users", f"Close it: chmod 600 {path}.")


def _others(path: Path) -> bool:
    return bool(stat.S_IMODE(path.stat().st_mode) & _OTHERS)


def _told(seen: Seen) -> str:
    return f"{seen.until:%Y-%m-%d %H:%M} UTC" if seen.until else "-"
