"""Single flight: many who ask for the same at once share an answer."""

import asyncio
import math
from collections.abc import Callable, Coroutine, Hashable
from contextvars import Context, copy_context
from dataclasses import replace
from functools import partial
from typing import Any, Generic, TypeVar
from weakref import WeakValueDictionary

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

    def leave(self, key: K) -> None:
        """Who asks for this from now on asks anew."""
        self._joinable.pop(key, None)

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


class Turns(Generic[K, V]):
    """One question a key at a time: who comes meanwhile shares the next, asked when it has ended.

    So many who ask for the same cost two questions, and no answer is older than who got it.
    """

    def __init__(self) -> None:
        self._flights: Flights[K, V] = Flights()
        self._turns: WeakValueDictionary[K, asyncio.Lock] = WeakValueDictionary()

    def __len__(self) -> int:
        return len(self._turns)

    async def join(self, key: K, ask: Callable[[], Coroutine[Any, Any, V]]) -> V:
        """The answer to a question that was asked after this, or the error that it ended with."""
        return await self._flights.join(key, partial(self._in_turn, key, ask))

    async def _in_turn(self, key: K, ask: Callable[[], Coroutine[Any, Any, V]]) -> V:
        turn = self._turns.get(key)
        if turn is None:
            turn = self._turns[key] = asyncio.Lock()
        async with turn:
            self._flights.leave(key)
            return await ask()


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
