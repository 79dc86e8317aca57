"""Whether each store is at the revision that this version works on."""

import asyncio
from importlib.metadata import entry_points
from pathlib import Path
from urllib.parse import urlsplit

from mesh.cli.doctor.case import Case
from mesh.cli.doctor.finding import Finding, fail, ok
from mesh.cli.migrate import GROUP
from mesh.errors import AppError
from mesh.settings.source import SettingsError
from mesh.storage.registry import Registry, UnknownSchemeError
from mesh.storage.schema import Schema, WrongDataError

SECONDS = 15.0
_EMBEDDED = "sqlite"
# Of these `parts` tells.
_ELSEWHERE = (
    *(AppError, SettingsError, WrongDataError, UnknownSchemeError),
    *(ValueError, OSError, TimeoutError),
)


async def check(case: Case) -> list[Finding]:
    """One finding a store that can be reached; nothing is written."""
    migrations = entry_points(group=GROUP)
    owners = [name for name in case.services if name in migrations.names]
    schemas = {name: migrations[name].load() for name in owners}
    answers = await asyncio.gather(*(_look(case, name, schemas[name]) for name in owners))
    return [finding for answer in answers for finding in answer]


async def _look(case: Case, service: str, schemas: Registry[Schema]) -> list[Finding]:
    url = str(getattr(case.services[service], "store_url", ""))
    embedded = urlsplit(url).scheme == _EMBEDDED
    if embedded and not _is_file(url):
        return []
    # Much to import for commands that never come here.
    from asyncpg import PostgresError  # noqa: PLC0415
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415

    try:
        async with asyncio.timeout(SECONDS), schemas.open(url) as schema:
            return [_finding(service, await schema.current(), schema.newest, embedded=embedded)]
    except (*_ELSEWHERE, PostgresError, SQLAlchemyError):
        return []


def _is_file(url: str) -> bool:
    # To open what is not there would make it, and what is none has been told of.
    path = Path(url.removeprefix("sqlite:///"))
    return path.is_file() and path.stat().st_size > 0


def _finding(service: str, current: str | None, newest: str, *, embedded: bool) -> Finding:
    subject = f"{service}.store"
    if current == newest:
        return ok(subject, f"its schema is at the newest revision, {newest}")
    if current is None:
        if embedded:
            return ok(subject, "its tables are made at the first start")
        return fail(subject, "has no tables yet", "Run leaky migrate.")
    what = f"its schema is at revision {current}, and this version works on {newest}"
    if embedded:
        advice = "Start the service, which brings it there, unless a newer version wrote it."
        return fail(subject, what, advice)
    return fail(subject, what, "Run leaky migrate, or the version that wrote it if that is newer.")
