"""Single flight: who asks for what is being asked already waits for that answer."""

import asyncio
import math
from collections.abc import Callable, Coroutine, Hashable
from contextvars import Context, copy_context
from dataclasses import replace
from functools import partial
from typing import Any, Generic, TypeVar

from mesh.identity.principal import NOBODY
from mesh.rpc.call import CURRENT

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Flights(Generic[K, V]):
    """Questions under way, one a key.

    An asker that goes away takes nothing from the others, and the question
    has neither the deadline nor the user of the call that happened to be first.
    """

    def __init__(self) -> None:
        self._joinable: dict[K, asyncio.Task[V]] = {}
        # Those that nobody may join any more still need somebody to hold them.
        self._airborne: set[asyncio.Task[V]] = set()

    def __contains__(self, key: K) -> bool:
        return key in self._joinable

    async def join(self, key: K, ask: Callable[[], Coroutine[Any, Any, V]]) -> V:
        """The answer, or the error that the question ended with."""
        task = self._joinable.get(key) or self._start(key, ask)
        return await asyncio.shield(task)

    def forget(self) -> None:
        """What is under way answers those who wait, and nobody who comes later."""
        self._joinable.clear()

    def _start(self, key: K, ask: Callable[[], Coroutine[Any, Any, V]]) -> asyncio.Task[V]:
        task = asyncio.get_running_loop().create_task(ask(), context=_detached())
        self._joinable[key] = task
        self._airborne.add(task)
        task.add_done_callback(partial(self._landed, key))
        return task

    def _landed(self, key: K, task: asyncio.Task[V]) -> None:
        self._airborne.discard(task)
        if self._joinable.get(key) is task:
            del self._joinable[key]
        if not task.cancelled():
            task.exception()  # seen, also when all who waited have gone


def _detached() -> Context:
    context = copy_context()
    call = context.get(CURRENT)
    if call is not None:
        own = replace(
            call,
            deadline=math.inf,
            metadata={},
            principal=NOBODY,
            client_address="",
        )
        context.run(CURRENT.set, own)
    return context
