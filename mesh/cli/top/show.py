"""Frames on the screen, one after another."""

import asyncio
import contextlib
import json
import math
import signal
from collections.abc import AsyncIterator, Coroutine
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.live import Live as LiveDisplay

from mesh.cli.config_kv import operator_token
from mesh.cli.data import environment
from mesh.cli.top.frame import Frame
from mesh.cli.top.in_consul import InConsul
from mesh.cli.top.on_this_machine import OnThisMachine
from mesh.cli.top.target import Registry
from mesh.cli.top.view import view
from mesh.cli.top.watch import Watch
from mesh.settings import Live, MeshSettings

# Outside a terminal no cell is cut.
_WIDE = 200


def run(
    data: Path | None, *, interval: float, once: bool, as_json: bool, token_file: Path | None
) -> None:
    """Until it is interrupted, or has shown the one frame. Raises RefusedError."""
    env = environment(data)
    settings = Live.read(MeshSettings, env).current
    registry: Registry = OnThisMachine(settings=settings)
    if settings.uses_consul:
        registry = InConsul(settings=settings, token=operator_token(env, token_file))
    watch = Watch(registry, settings.actuator.token, interval)
    asyncio.run(_until_told(_show(watch, once=once, as_json=as_json)))


async def _until_told(work: Coroutine[Any, Any, None]) -> None:
    """Ends by a signal as by itself; also where a shell has had the first of them ignored."""
    task = asyncio.ensure_future(work)
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def _show(watch: Watch, *, once: bool, as_json: bool) -> None:
    console = Console(markup=False, highlight=False)
    if not console.is_terminal:
        console.width = _WIDE
    async with contextlib.aclosing(watch.frames()) as frames:
        if once:
            await anext(frames)
            _print(console, await anext(frames), as_json=as_json)
        elif as_json or not console.is_terminal:
            async for frame in frames:
                _print(console, frame, as_json=as_json)
        else:
            await _live(console, frames)


async def _live(console: Console, frames: AsyncIterator[Frame]) -> None:
    with LiveDisplay(console=console, screen=True, auto_refresh=False) as display:
        async for frame in frames:
            display.update(view(frame), refresh=True)


def _print(console: Console, frame: Frame, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(_plain(asdict(frame))))
    else:
        console.print(view(frame))


def _plain(value: Any) -> Any:
    """As JSON has it: no NaN."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
