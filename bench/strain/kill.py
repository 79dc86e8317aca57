"""kill -9 of svc_token under load: what is safe to send again is neither lost nor done twice."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import httpx

from bench.callers import Caller, register
from bench.processes import until
from bench.strain.insisting import PATIENCE_SECONDS, Insisting
from bench.strain.killed import Kill, Killed
from bench.strain.ledger import books_at_rest, counted
from bench.strain.options import Options
from bench.strain.parts import parts
from bench.strain.place import samples, total
from bench.strain.tell import tell
from bench.strain.told import Told
from bench.system import NO_LIMITS, System, up
from mesh.cli.state import Running, read_state

_READERS = 4
_VICTIM = "token"
_ALLOWANCE = int(NO_LIMITS["token.tiers.levels.USER.quota-max-tokens"])
_HANDLED = "grpc_server_handled_total"
_QUOTA = {"grpc_method": "GetQuota"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scene:
    """A system with its callers; what it is told of its stores."""

    system: System
    data: Path
    callers: list[Caller]
    settings: Mapping[str, str]

    @property
    def victims(self) -> list[Running]:
        """The instances of svc_token, as they are now."""
        return [one for one in read_state(self.data) if one.endpoint.service == _VICTIM]

    def serves(self, victim: Running) -> bool:
        """Whether the instance takes callers' reads."""
        port = victim.endpoint.http[0].number
        with suppress(httpx.HTTPError):
            return total(samples(port, _HANDLED), **_QUOTA) > 0
        return False

    def again(self, before: Running) -> bool:
        """Whether another process is in its place, and takes reads."""
        now = next(one for one in self.victims if one.endpoint.name == before.endpoint.name)
        return now.pid not in {None, before.pid} and self.serves(now)


def kill(folder: Path, options: Options, instances: int) -> Killed:
    """On a system of its own. Raises RuntimeError when it or a part of it does not start."""
    with ExitStack() as stack:
        shared = stack.enter_context(parts()) if instances > 1 else {}
        settings = {**NO_LIMITS, **shared}
        more = (f"{_VICTIM}={instances}",) if instances > 1 else ()
        system = stack.enter_context(up(folder, "local", settings, instances=more))
        callers = register(system.url, options.callers)
        data = folder / "data"
        scene = _Scene(system=system, data=data, callers=callers, settings=settings)
        return asyncio.run(_killed(scene, options, instances))


async def _killed(scene: _Scene, options: Options, instances: int) -> Killed:
    heard, kills = Told(), list[Kill]()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await _first_use(scene, Insisting(url=scene.system.url, session=session, told=heard))
        for number in range(options.kills):
            callers = Insisting(url=scene.system.url, session=session, told=heard)
            round_ = _Round(scene, callers, scene.victims[-1 - number % instances])
            kills.append(await round_.run(options.turns))
            tell(f"kill {number + 1} at {instances} of svc_token: {kills[-1]}")
    token = scene.settings.get("token.store", f"sqlite:///{scene.data / 'token.db'}")
    books = await books_at_rest(token, f"sqlite:///{scene.data / 'analytics.db'}")
    found = counted(heard.ops, books, _ALLOWANCE)
    tell(f"{instances} of svc_token: {len(heard.ops)} operations, {found.lines} lines, {found}")
    return Killed(instances=instances, kills=kills, told=heard, counted=found)


async def _first_use(scene: _Scene, callers: Insisting) -> None:
    """It makes the pools, which reads ask for."""
    async with asyncio.TaskGroup() as tasks:
        for number, each in enumerate(scene.callers):
            tasks.create_task(callers.spend(each, iter([number])))


class _Round:
    """A load, and a kill when half of it is done; its readers go on until the process is back."""

    def __init__(self, scene: _Scene, callers: Insisting, victim: Running) -> None:
        self._scene = scene
        self._callers = callers
        self._victim = victim
        if victim.pid is None:
            raise RuntimeError(f"{victim.endpoint.name} does not run")
        self._pid = victim.pid
        self._killed = asyncio.Event()
        self._at = 0.0
        self._in_flight = 0

    async def run(self, turns: int) -> Kill:
        async with self._reading():
            # Each of them is known, and used.
            await _until(lambda: all(map(self._scene.serves, self._scene.victims)))
            async with asyncio.TaskGroup() as tasks:
                back = tasks.create_task(self._back())
                tasks.create_task(self._spend(turns))
        return Kill(
            in_flight=self._in_flight,
            first_seconds=self._callers.told.first_success(self._at),
            back_seconds=back.result(),
        )

    async def _spend(self, turns: int) -> None:
        numbers, half = iter(range(turns)), max(1, turns // 2)

        def finished(count: int) -> None:
            if count == half:
                self._kill()

        async with asyncio.TaskGroup() as tasks:
            for each in self._scene.callers:
                tasks.create_task(self._callers.spend(each, numbers, finished))

    def _kill(self) -> None:
        self._in_flight = self._callers.in_flight
        self._at = time.perf_counter()
        os.kill(self._pid, signal.SIGKILL)
        self._killed.set()

    async def _back(self) -> float:
        await self._killed.wait()
        await _until(lambda: self._scene.again(self._victim))
        return time.perf_counter() - self._at

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[None]:
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            for each in self._scene.callers[:_READERS]:
                tasks.create_task(self._callers.read(each, stop))
            try:
                yield
            finally:
                stop.set()


async def _until(condition: Callable[[], bool]) -> None:
    await asyncio.to_thread(until, condition, PATIENCE_SECONDS)
