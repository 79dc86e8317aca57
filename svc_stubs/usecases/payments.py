"""The payment provider's verbs, and how its double misbehaves when it is told to."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from leaky.common.v1.reason_pb2 import (
    REASON_PAYMENT_CONFLICT,
    REASON_PAYMENT_DECLINED,
    REASON_PAYMENT_NOT_FOUND,
    REASON_UNAVAILABLE,
)
from mesh.clock import Clock
from mesh.errors import AppError
from mesh.telemetry.closed import Closed
from mesh.telemetry.tally import Counter
from svc_stubs.domain.payment import (
    ConflictError,
    DeclinedError,
    Payment,
    State,
    UnknownPaymentError,
)
from svc_stubs.ports import Books, Faults

T = TypeVar("T")
CALLS = Closed(
    Counter,
    "stubs_payment_calls_total",
    "Calls of the payment double, by what became of them.",
    {"outcome": ("answered", "refused", "failed", "lost")},
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Payments:
    """The payment provider's verbs, each to be repeated at will.

    They raise PAYMENT_CONFLICT, PAYMENT_DECLINED and PAYMENT_NOT_FOUND, and
    UNAVAILABLE where a fault switch says so. `chance` is from 0 to 1, below 1.
    """

    books: Books
    faults: Faults
    clock: Clock
    chance: Callable[[], float] = random.random

    async def authorize(self, payment_id: str, tokens: int) -> Payment:
        """Holds the money."""
        decline = self.faults.of_payments().decline
        return await self._answer(
            partial(self.books.authorize, payment_id, tokens, now_us=self._now(), decline=decline)
        )

    async def capture(self, payment_id: str) -> Payment:
        """Takes the money held."""
        return await self._answer(partial(self.books.capture, payment_id, now_us=self._now()))

    async def void(self, payment_id: str) -> Payment:
        """Lets go of the money held."""
        return await self._answer(partial(self.books.void, payment_id, now_us=self._now()))

    async def get(self, payment_id: str) -> Payment:
        """Where the payment stands."""
        return await self._answer(partial(self.books.find, payment_id))

    async def list(self, after: str, limit: int, state: State | None) -> Sequence[Payment]:
        """A page of the books, in the order of ids."""
        return await self._answer(partial(self.books.page, after, limit, state))

    async def _answer(self, work: Callable[[], Awaitable[T]]) -> T:
        trouble = self.faults.of_payments()
        if self._hits(trouble.fail):
            CALLS.of("failed").inc()
            raise AppError(REASON_UNAVAILABLE, "a fault switch is on", retry_after=1)
        times = 2 if self._hits(trouble.answer_twice) else 1
        *_, answer = await asyncio.gather(*(_told(work()) for _ in range(times)))
        # Whatever becomes of the answer from here on, it is done.
        if trouble.delay:
            await asyncio.sleep(trouble.delay)
        if self._hits(trouble.lose_answer):
            CALLS.of("lost").inc()
            raise AppError(REASON_UNAVAILABLE, "a fault switch loses the answer", retry_after=1)
        if isinstance(answer, AppError):
            CALLS.of("refused").inc()
            raise answer
        CALLS.of("answered").inc()
        return answer

    def _hits(self, percent: int) -> bool:
        return bool(percent) and self.chance() * 100 < percent

    def _now(self) -> int:
        return self.clock.now_us()


async def _told(step: Awaitable[T]) -> T | AppError:
    try:
        with _refusals():
            return await step
    except AppError as refusal:
        return refusal


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except ConflictError as error:
        raise AppError(REASON_PAYMENT_CONFLICT, str(error)) from error
    except DeclinedError as error:
        raise AppError(REASON_PAYMENT_DECLINED, "payment declined") from error
    except UnknownPaymentError as error:
        raise AppError(REASON_PAYMENT_NOT_FOUND, "payment not found") from error
