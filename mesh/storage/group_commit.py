"""Many small writes in one transaction: what waits while one commits goes together next.

Nothing waits when the store is idle: a lone operation is a batch of one. The
idea is as old as Gawlick and Kinkade, "Varieties of Concurrency Control in
IMS/VS Fast Path" (1985).
"""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from opentelemetry.trace import Span

from leaky.common.v1.reason_pb2 import REASON_OVERLOADED, REASON_UNAVAILABLE
from mesh.errors import AppError
from mesh.failpoints import failpoint
from mesh.telemetry.tracing.spans import FOLLOWED

Op = TypeVar("Op")
Res = TypeVar("Res")
# An operation, who waits for it, and what it is done for.
_Waiting = tuple[Op, asyncio.Future[Res], tuple[Span, ...]]
Commit = Callable[[Sequence[Op]], Awaitable[Sequence[Res | Exception]]]
_QUEUED = failpoint("group-commit.queued")
_BEGINNING = failpoint("group-commit.beginning")
_COMMITTED = failpoint("group-commit.committed")
_ANSWERED = failpoint("group-commit.answered")


class GroupCommit(Generic[Op, Res]):
    """One writer a process.

    `commit` makes a batch durable and returns a result or an exception for
    each operation; when it raises, all of them fail with that. At most
    `queue` operations wait, the next is refused as OVERLOADED. `measure` is
    told of each batch's size as it begins.
    """

    def __init__(
        self,
        commit: Commit[Op, Res],
        *,
        batch: int = 256,
        queue: int = 4096,
        measure: Callable[[int], None] | None = None,
    ) -> None:
        self._commit = commit
        self._measure = measure
        self._batch = batch
        self._queue_limit = queue
        self._waiting: list[_Waiting[Op, Res]] = []
        self._writer: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """How many operations are in no batch yet."""
        return len(self._waiting)

    def submit(self, operation: Op) -> "asyncio.Future[Res]":
        """The operation's result, once it is durable. Raises AppError OVERLOADED at once.

        A caller that is cancelled meanwhile does not undo it.
        """
        if len(self._waiting) >= self._queue_limit:
            raise AppError(REASON_OVERLOADED, "too many writes are waiting", retry_after=1)
        loop = asyncio.get_running_loop()
        result: asyncio.Future[Res] = loop.create_future()
        self._waiting.append((operation, result, FOLLOWED.get()))
        _QUEUED()
        if self._writer is None:
            # A batch is nobody's call: its deadline is not the first one's.
            nobody = contextvars.Context()
            self._writer = loop.create_task(self._write(), context=nobody)
            self._writer.add_done_callback(self._ended)
        return result

    def _ended(self, writer: "asyncio.Task[None]") -> None:
        # Still the writer: it was cancelled before its first step, and no block of it has run.
        if self._writer is writer:
            self._give_up()

    async def close(self) -> None:
        """Returns when nothing waits any more."""
        while self._writer is not None:
            await asyncio.wait({self._writer})

    async def _write(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[: self._batch], self._waiting[self._batch :]
                await self._write_batch(batch)
        finally:
            self._give_up()

    def _give_up(self) -> None:
        self._writer = None
        # Somebody waits only when the writer itself is cancelled, as at the end of its loop.
        self._answer(self._waiting, [_GONE] * len(self._waiting))
        self._waiting = []

    async def _write_batch(self, batch: "list[_Waiting[Op, Res]]") -> None:
        answers: Sequence[Res | Exception] = [_GONE] * len(batch)
        try:
            # What is done for all of them is in each one's trace.
            FOLLOWED.set(tuple(span for _, _, spans in batch for span in spans))
            answers = await self._committed([operation for operation, _, _ in batch])
        except Exception as error:  # noqa: BLE001 every waiter is told, none is left hanging
            answers = [error] * len(batch)
        finally:
            self._answer(batch, answers)
            # An error that its own frame knows would stay, with all of them.
            del answers
        _ANSWERED()

    async def _committed(self, operations: Sequence[Op]) -> Sequence[Res | Exception]:
        if self._measure is not None:
            self._measure(len(operations))
        _BEGINNING()
        answers = await self._commit(operations)
        _COMMITTED()
        if len(answers) != len(operations):
            message = f"{len(answers)} results of {len(operations)} operations"
            raise RuntimeError(message)
        return answers

    def _answer(
        self,
        batch: "Sequence[_Waiting[Op, Res]]",
        answers: Sequence[Res | Exception],
    ) -> None:
        for (_, result, _), answer in zip(batch, answers, strict=True):
            if result.done():
                continue
            if isinstance(answer, Exception):
                result.set_exception(answer)
            else:
                result.set_result(answer)


_GONE = AppError(REASON_UNAVAILABLE, "the writer was stopped")
