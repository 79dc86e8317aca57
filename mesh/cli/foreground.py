"""Runs one service in this process."""

import asyncio
import gc
import os
import signal
from collections.abc import Iterator, Mapping
from typing import Any

import structlog
import uvloop

from mesh import runtime
from mesh.cli.data import held, private_folder, service_lock
from mesh.cli.endpoints import check_ports, endpoint
from mesh.cli.parent import end_with_parent, parent_gone
from mesh.cli.refusal import FAILED, USAGE, RefusedError
from mesh.errors import AppError
from mesh.failpoints import WrongFailpointsError
from mesh.rpc.server import PortTakenError
from mesh.service import Service
from mesh.settings import Live
from mesh.settings.source import SettingsError
from mesh.storage.registry import UnknownSchemeError
from mesh.storage.schema import WrongDataError
from mesh.telemetry import logs

log = structlog.get_logger("serve")
# Beyond the drain itself, for what closes after it.
_MARGIN_SECONDS = 3.0
# Only so many more containers than before are looked through; Python's own number is 700.
_COLLECT_AT = 5_000


def run(found: Service[Any], env: Mapping[str, str]) -> None:
    """Serves until SIGTERM, SIGINT or the parent's end.

    Raises RefusedError, SettingsError, and SourceAwayError where its settings are away.
    """
    logs.configure(found.name)
    settings = Live.read(found.settings, env, found.name)
    folder = private_folder(settings.current.data)
    logs.configure(found.name, settings.current.log.level)
    with held(service_lock(folder, found.name, settings.current.mesh.instance), found.name):
        # Not before: its ports are taken by the one that runs already, if one does.
        check_ports(endpoint(settings.current, found.name).ports)
        end_with_parent(settings.current.mesh.drain_grace + _MARGIN_SECONDS)
        _run(found, settings)


def _run(found: Service[Any], settings: Live[Any]) -> None:
    # Modules live for ever, and what a request makes ends without the collector, which
    # at its usual pace took a tenth of each.
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AT)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(found, settings))
    except Exception as error:
        for leaf in _leaves(error):
            code = _explained(leaf)
            if code is not None:
                raise RefusedError(str(leaf), code=code) from error
        log.exception("the service failed")
        raise SystemExit(FAILED) from error


def _explained(error: BaseException) -> int | None:
    """The exit code of what a line explains; anything else is a bug and shows its traceback."""
    if isinstance(error, (SettingsError, WrongDataError, UnknownSchemeError, WrongFailpointsError)):
        return USAGE
    return FAILED if isinstance(error, (PortTakenError, AppError)) else None


async def _serve(found: Service[Any], settings: Live[Any]) -> None:
    watching = asyncio.ensure_future(_drain_after_parent())
    try:
        await runtime.serve(found, settings)
    finally:
        watching.cancel()


async def _drain_after_parent() -> None:
    await parent_gone()
    log.warning("the process that started this one is gone")
    os.kill(os.getpid(), signal.SIGTERM)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error
