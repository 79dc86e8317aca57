"""`leaky top`."""

import asyncio
import contextlib
import json
import math
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console
from rich.live import Live as LiveDisplay

from mesh.cli import options
from mesh.cli.config_kv import operator_token
from mesh.cli.data import environment
from mesh.cli.refusal import RefusedError
from mesh.cli.top.frame import Frame
from mesh.cli.top.in_consul import InConsul
from mesh.cli.top.look import Look
from mesh.cli.top.on_this_machine import OnThisMachine
from mesh.cli.top.scrape import TIMEOUT_SECONDS, scrape
from mesh.cli.top.target import Registry, RegistryAwayError, Target
from mesh.cli.top.view import view
from mesh.settings import Live, MeshSettings

_SHORTEST, _LONGEST = 0.2, 3600.0
# Outside a terminal no cell is cut.
_WIDE = 200


def top(
    data: options.Data = None,
    *,
    interval: Annotated[
        float, typer.Option(min=_SHORTEST, max=_LONGEST, help="Seconds between two frames.")
    ] = 2.0,
    once: Annotated[
        bool, typer.Option("--once", help="One frame, after one interval, and no more.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Each frame as one line of JSON; null is unknown.")
    ] = False,
    token_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Shown to Consul; else CONSUL_HTTP_TOKEN, else the services' own tokens.",
        ),
    ] = None,
) -> None:
    """Show live how services and instances are doing, from their /metrics; Ctrl-C ends it."""
    env = environment(data)
    settings = Live.read(MeshSettings, env).current
    registry: Registry = OnThisMachine(settings=settings)
    if settings.uses_consul:
        registry = InConsul(settings=settings, token=operator_token(env, token_file))
    watch = _Watch(registry, settings.actuator.token, interval)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_show(watch, once=once, as_json=as_json))


class _Watch:
    """Frames, one an interval."""

    def __init__(self, registry: Registry, bearer: str, interval: float) -> None:
        self._registry, self._bearer, self._interval = registry, bearer, interval
        self._targets: list[Target] = []
        self._look = Look()

    async def frames(self) -> AsyncGenerator[Frame, None]:
        """The first has no rates yet. Raises RefusedError when nobody says who is where."""
        headers = {"authorization": f"Bearer {self._bearer}"} if self._bearer else {}
        async with httpx.AsyncClient(
            timeout=TIMEOUT_SECONDS, headers=headers, trust_env=False
        ) as client:
            loop = asyncio.get_running_loop()
            while True:
                begun = loop.time()
                yield await self._frame(client)
                await asyncio.sleep(max(0.0, begun + self._interval - loop.time()))

    async def _frame(self, client: httpx.AsyncClient) -> Frame:
        problems = []
        try:
            self._targets = await self._registry.targets()
        except RegistryAwayError as error:
            if not self._targets:
                raise RefusedError(str(error)) from error
            problems.append(f"{error}; these were the instances before")
        at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        return self._look.frame(await scrape(client, self._targets), at=at, problems=problems)


async def _show(watch: _Watch, *, once: bool, as_json: bool) -> None:
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
