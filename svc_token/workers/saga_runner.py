"""Advances every purchase that has not ended."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from prometheus_client import Gauge

from mesh.clock import Clock
from mesh.errors import AppError
from svc_token.domain.saga import Saga
from svc_token.ports import Limits, Sagas
from svc_token.usecases.advance_purchase import AdvancePurchase

AT_ONCE = 32
STALE = Gauge("token_purchases_stale", "Purchases that stand still for token.saga.stale-after.")


@dataclass(frozen=True, slots=True, kw_only=True)
class SagaRunner:
    """One round over what is unfinished; a saga that cannot go on does not hold up the others."""

    sagas: Sagas
    advance: AdvancePurchase
    limits: Limits
    clock: Clock

    async def __call__(self) -> bool:
        """False: nothing is left that could be done at once.

        Raises what hindered a saga, after all others have had their turn.
        """
        hindered: list[tuple[Saga, BaseException]] = []
        page = await self.sagas.unfinished(AT_ONCE)
        while page:
            results = await asyncio.gather(*map(self.advance, page), return_exceptions=True)
            hindered += [
                (saga, result)
                for saga, result in zip(page, results, strict=True)
                if result is not None
            ]
            page = await self.sagas.unfinished(AT_ONCE, after=page[-1])
        self._count_stale(saga for saga, _ in hindered)
        if hindered:
            raise _told(hindered)
        return False

    def _count_stale(self, waiting: Iterable[Saga]) -> None:
        before = self.clock.now_us() - self.limits.stale_us
        STALE.set(sum(saga.updated_us < before for saga in waiting))


def _told(hindered: list[tuple[Saga, BaseException]]) -> BaseException:
    waiting = []
    for saga, error in hindered:
        if not isinstance(error, AppError):
            error.add_note(f"of purchase {saga.id}")
            return error
        waiting.append(error)
    message = f"{len(waiting)} purchases wait, the first is {hindered[0][0].id}: {waiting[0]}"
    return AppError(waiting[0].reason, message)
