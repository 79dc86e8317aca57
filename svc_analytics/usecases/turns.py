"""One read a question at a time: who asks meanwhile shares the next, begun when it has ended."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from mesh.rpc.call import CURRENT

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(slots=True)
class _Read(Generic[V]):
    task: asyncio.Task[V]
    askers: int = 0


class Turns(Generic[K, V]):
    """So many who ask for the same cost two reads, and no answer is older than who got it.

    A read is nobody's call, and has no call's deadline: it ends when the last who wants it
    has left.
    """

    def __init__(self) -> None:
        self._next: dict[K, _Read[V]] = {}
        self._last: dict[K, _Read[V]] = {}

    async def join(self, key: K, read: Callable[[], Coroutine[Any, Any, V]]) -> V:
        """What a read gives that begins after this, or the error that it ends with."""
        shared = self._next.get(key) or self._begin(key, read)
        shared.askers += 1
        try:
            return await asyncio.shield(shared.task)
        finally:
            shared.askers -= 1
            if not shared.askers:
                self._forget(key, shared)
                shared.task.cancel()

    def _begin(self, key: K, read: Callable[[], Coroutine[Any, Any, V]]) -> _Read[V]:
        context = copy_context()
        context.run(CURRENT.set, None)
        before = self._last.get(key)
        reading = self._after(before.task if before else None, key, read)
        task = asyncio.get_running_loop().create_task(reading, context=context)
        self._next[key] = self._last[key] = begun = _Read(task)
        return begun

    async def _after(
        self,
        before: asyncio.Task[V] | None,
        key: K,
        read: Callable[[], Coroutine[Any, Any, V]],
    ) -> V:
        if before is not None:
            await asyncio.wait({before})
        # Who asks from here on asks for what comes next.
        del self._next[key]
        return await read()

    def _forget(self, key: K, shared: _Read[V]) -> None:
        for reads in (self._next, self._last):
            if reads.get(key) is shared:
                del reads[key]
