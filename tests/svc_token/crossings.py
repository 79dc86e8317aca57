"""The moments at which a process may die, hang or lose an answer: before and after each call out.

One of them is chosen by its number. A scenario is played once to count them,
and then once for each.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from leaky.common.v1.reason_pb2 import REASON_UNAVAILABLE
from mesh.errors import AppError


class GoneError(BaseException):
    """The process has ended; nothing of it goes on."""


@dataclass
class Crossings:
    """Counts what passes, and at `at`, counted from 1, does `then`."""

    at: int = 0
    then: Callable[["Crossings"], Awaitable[None]] | None = None
    passed: list[str] = field(default_factory=list)
    dead: bool = False
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def cross(self, name: str) -> None:
        if self.dead:
            raise GoneError
        self.passed.append(name)
        if len(self.passed) == self.at and self.then is not None:
            self.reached.set()
            await self.then(self)

    def watching(self, name: str, port: Any) -> Any:
        """The port, each of whose calls crosses before and after."""
        return _Watched(name, port, self)


class _Watched:
    def __init__(self, name: str, port: Any, crossings: Crossings) -> None:
        self._name, self._port, self._crossings = name, port, crossings

    def __getattr__(self, verb: str) -> Any:
        call = getattr(self._port, verb)

        async def crossing(*args: Any, **kwargs: Any) -> Any:
            await self._crossings.cross(f"before {self._name}.{verb}")
            result = await call(*args, **kwargs)
            await self._crossings.cross(f"after {self._name}.{verb}")
            return result

        return crossing


async def dies(crossings: Crossings) -> None:
    crossings.dead = True
    raise GoneError


async def loses_it(_crossings: Crossings) -> None:
    raise AppError(REASON_UNAVAILABLE, "the line was cut")


async def hangs(crossings: Crossings) -> None:
    await crossings.gate.wait()
