"""`leaky migrate`: brings the services' stores to the revision that this version works on.

Each service offers, as an entry point in the group `leaky.migrations`, a
Registry[Schema]: what opens the schema behind a store's URL, by its scheme.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from mesh.cli import options
from mesh.cli.data import environment, private_folder
from mesh.cli.refusal import USAGE, RefusedError
from mesh.cli.screen import print_table
from mesh.cli.services import NAMES, entry
from mesh.errors import AppError
from mesh.settings import Live
from mesh.storage.registry import Registry, UnknownSchemeError
from mesh.storage.schema import Schema, WrongDataError
from mesh.telemetry import logs

GROUP = "leaky.migrations"
# The gateway keeps nothing durable.
SERVICES = tuple(name for name in NAMES if name != "gateway")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """What became of one store; `error` when that could not be learned or done."""

    service: str
    store: str
    found: str = ""
    newest: str = ""
    behind: bool = False
    error: str = ""


def migrate(
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; end with 1 when something is behind.")
    ] = False,
    service: Annotated[
        str | None, typer.Option("--service", metavar="NAME", help="Only this service's store.")
    ] = None,
    data: options.Data = None,
) -> None:
    """Bring the stores that the settings name to this version's schema.

    It waits for no store that is away. Any number of these may run at once.
    """
    if service is not None and service not in SERVICES:
        message = f"{service} has no store of its own; {', '.join(SERVICES)} have"
        raise RefusedError(message, code=USAGE)
    env = environment(data)
    logs.configure("migrate", "warning")
    names = SERVICES if service is None else (service,)
    urls = {name: _store_url(name, env) for name in names}
    outcomes = asyncio.run(_migrate_all(urls, check=check))
    heads = ("service", "store", "is at", "newest") if check else ("service", "store", "from", "to")
    print_table(heads, [(one.service, one.store, one.found, one.newest) for one in outcomes])
    _end(outcomes)


def _store_url(service: str, env: dict[str, str]) -> str:
    settings: Any = Live.read(entry("leaky.settings", service).load(), env, service).current
    private_folder(settings.data)
    url: str = settings.store_url
    return url


async def _migrate_all(urls: dict[str, str], *, check: bool) -> Sequence[_Outcome]:
    return [await _migrate(service, url, check=check) for service, url in urls.items()]


async def _migrate(service: str, url: str, *, check: bool) -> _Outcome:
    schemas: Registry[Schema] = entry(GROUP, service).load()
    store = _shown(url)
    try:
        async with schemas.open(url) as schema:
            found, newest = await schema.current(), schema.newest
            if not check:
                await schema.upgrade()
    except (AppError, WrongDataError, UnknownSchemeError) as error:
        return _Outcome(service=service, store=store, error=str(error))
    return _Outcome(
        service=service,
        store=store,
        found=found or "nothing",
        newest=newest,
        behind=check and found != newest,
    )


def _shown(url: str) -> str:
    """The URL without its user, password and options."""
    parsed = urlsplit(url)
    return f"{parsed.scheme}://{parsed.netloc.rpartition('@')[2]}{parsed.path}"


def _end(outcomes: Sequence[_Outcome]) -> None:
    wrong = [f"{one.service}: {one.error}" for one in outcomes if one.error]
    behind = [one.service for one in outcomes if one.behind]
    if behind:
        wrong.append(f"not at this version's revision: {', '.join(behind)}; run leaky migrate")
    if wrong:
        raise RefusedError("; ".join(wrong))
