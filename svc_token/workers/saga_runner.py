"""Advances every purchase that has not ended and that no other process has in hand."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from mesh.clock import Clock
from mesh.errors import AppError
from mesh.failpoints import failpoint
from mesh.telemetry.closed import Closed
from mesh.telemetry.tally import Gauge
from svc_token.domain.saga import STEPS, Saga
from svc_token.ports import Limits
from svc_token.purchase_ports import Sagas
from svc_token.usecases.advance_purchase import AdvancePurchase

AT_ONCE = 16
# A lease that has ended is not looked after more often than this.
SHORTEST_SECONDS = 0.05
_CLAIMED = failpoint("saga.claimed")
UNFINISHED = Closed(
    Gauge, "saga_unfinished", "Purchases on their way, by next step.", {"step": STEPS}
)
STALE = Gauge("saga_stale", "Purchases that stand still for token.saga.stale-after.")


@dataclass(slots=True, kw_only=True)
class SagaRunner:
    """One round over what is unfinished; a saga that cannot go on does not hold up the others.

    `holder` is this process: what it holds is its own to go on with, so that
    its rounds come one after another. What another holds is left to it until
    the lease ends.
    """

    sagas: Sagas
    advance: AdvancePurchase
    limits: Limits
    clock: Clock
    holder: str
    _lease_ends_us: int | None = None

    async def __call__(self) -> bool:
        """False: nothing is left that could be done at once.

        Raises what hindered a saga, after all others have had their turn.
        """
        if not await self._survey():
            # Mostly so, and found out without a lock.
            return False
        hindered: list[tuple[Saga, BaseException]] = []
        page = await self._claim()
        while page:
            _CLAIMED()
            results = await asyncio.gather(*map(self.advance, page), return_exceptions=True)
            hindered += [
                (saga, result)
                for saga, result in zip(page, results, strict=True)
                if result is not None
            ]
            # Behind a page that is not full there was nothing; who is new has woken the loop.
            page = await self._claim(after=page[-1]) if len(page) == AT_ONCE else ()
        await self._survey()
        if hindered:
            raise _told(hindered)
        return False

    async def give_back(self) -> None:
        """Leaves what has not ended to the others at once; for when no round is under way."""
        await self.sagas.give_back(self.holder)

    def idle_seconds(self) -> float:
        """After a round: how long until a purchase may be due that is another's as yet."""
        longest = self.limits.lease_us
        if self._lease_ends_us is not None:
            longest = min(longest, self._lease_ends_us - self.clock.now_us())
        return max(longest / 1_000_000, SHORTEST_SECONDS)

    async def _claim(self, after: Saga | None = None) -> Sequence[Saga]:
        now = self.clock.now_us()
        return await self.sagas.claim(
            self.holder, AT_ONCE, now_us=now, until_us=now + self.limits.lease_us, after=after
        )

    async def _survey(self) -> bool:
        """Measures what has not ended; whether anything has not."""
        unfinished = await self.sagas.survey(self.clock.now_us() - self.limits.stale_us)
        self._lease_ends_us = unfinished.lease_ends_us
        STALE.set(unfinished.stale)
        for step in STEPS:
            UNFINISHED.of(step).set(unfinished.steps.get(step, 0))
        return bool(unfinished.steps)


def _told(hindered: list[tuple[Saga, BaseException]]) -> BaseException:
    waiting = []
    for saga, error in hindered:
        if not isinstance(error, AppError):
            error.add_note(f"of purchase {saga.id}")
            return error
        waiting.append(error)
    message = f"{len(waiting)} purchases wait, the first is {hindered[0][0].id}: {waiting[0]}"
    return AppError(waiting[0].reason, message)
