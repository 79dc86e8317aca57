"""Connections to a PostgreSQL server: bounded in number, and in how long they wait."""

import asyncio
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import asyncpg
from sqlalchemy import event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from mesh.settings.source import SettingsError

# A server takes 100 by default, for all processes of all services.
CONNECTIONS = 8
# Beside them, only while something is read from end to end.
SCANS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long what is waited for, in seconds; 0 is for ever.

    A server finds a deadlock after 1 s, which has to be within `lock`.
    `idle` is how long the server lets a transaction of ours do nothing,
    `answer` how long we listen for a server that says nothing at all.
    """

    connect: float = 2.0
    connection: float = 1.5
    lock: float = 1.3
    statement: float = 1.7
    idle: float = 5.0
    answer: float = 2.0


# Shorter than the calls that wait, whose deadlines are 2 s and more.
PATIENCE = Patience()
# Nobody waits for a migration, which may rewrite a table; for its locks it waits in vain
# while somebody holds them for long.
MIGRATING = Patience(lock=30.0, statement=0.0, idle=0.0, answer=0.0)
# Who reads from end to end has asked for it, and goes on page by page: one page may have to
# come from a disk that is busy.
SCANNING = Patience(connection=60.0, statement=60.0, idle=60.0, answer=62.0)
# Its pages come in the order of an index. Of a range of keys the planner knows the first column
# alone, so that it would rather sort all of a big owner's rows, for each page again.
UNSORTED = {"enable_sort": "off", "enable_incremental_sort": "off"}


def make_engine(
    url: str,
    application: str,
    patience: Patience,
    *,
    connections: int = CONNECTIONS,
    planner: Mapping[str, str] = MappingProxyType({}),
) -> AsyncEngine:
    """An engine that connects when it has to. Raises SettingsError for what is no such URL."""
    _check(url)
    session = {
        **planner,
        "application_name": application,
        "jit": "off",  # compiling takes longer than our statements do
        "lock_timeout": _milliseconds(patience.lock),
        "statement_timeout": _milliseconds(patience.statement),
        "idle_in_transaction_session_timeout": _milliseconds(patience.idle),
    }

    async def connect() -> Any:
        # asyncpg reads the URL itself: sslmode, several hosts, PGPASSWORD, PGPASSFILE.
        connecting = asyncpg.connect(
            url,
            timeout=patience.connect,
            command_timeout=patience.answer or None,
            server_settings=session,
        )
        return await _whole(connecting)

    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=connect,
        isolation_level="READ COMMITTED",
        pool_size=connections,
        max_overflow=0,
        pool_timeout=patience.connection,
        pool_use_lifo=True,
        # Neither logs nor errors show them.
        hide_parameters=True,
    )
    event.listen(engine.sync_engine, "checkout", _refuse_closed)
    event.listen(engine.sync_engine, "handle_error", _hide_row)
    event.listen(engine.sync_engine, "handle_error", _drop_silent)
    return engine


def _check(url: str) -> None:
    try:
        parsed = urlsplit(url)
        fine = parsed.scheme == "postgresql" and (parsed.port is None or parsed.port > 0)
    except ValueError:
        fine = False
    if not fine:
        # The URL itself may hold a password.
        raise SettingsError(
            "a store's URL is not like postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
        )


async def _whole(connecting: Awaitable[Any]) -> Any:
    # Torn in the middle, the handshake's own futures complain that nobody hears
    # of their end. It is bounded, so it may end without the caller who left.
    task = asyncio.ensure_future(connecting)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.add_done_callback(_throw_away)
        raise


def _throw_away(connecting: "asyncio.Future[Any]") -> None:
    if not connecting.cancelled() and connecting.exception() is None:
        connecting.result().terminate()


def _milliseconds(seconds: float) -> str:
    return str(int(seconds * 1000))


def _refuse_closed(connection: Any, _record: Any, _proxy: Any) -> None:
    # A server that went away has closed its connections: the pool makes new
    # ones, and nobody's call fails for it. Costs no round trip.
    if connection.driver_connection.is_closed():
        raise InvalidatePoolError


def _hide_row(context: ExceptionContext) -> None:
    # "Failing row contains (...)" would be in every traceback.
    if isinstance(context.original_exception.__cause__, asyncpg.PostgresError):
        context.original_exception.__cause__.detail = None


def _drop_silent(context: ExceptionContext) -> None:
    # Nothing else can be asked of a connection whose answer is still to come.
    if isinstance(context.original_exception, TimeoutError) and context.connection is not None:
        raw = context.connection.connection.driver_connection
        if raw is not None:
            raw.terminate()
        context.is_disconnect = True
        context.invalidate_pool_on_disconnect = False
