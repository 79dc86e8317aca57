"""Advances every purchase that has not ended."""

import asyncio
from dataclasses import dataclass

import structlog

from mesh.errors import AppError
from svc_token.domain.saga import Saga
from svc_token.ports import Sagas
from svc_token.usecases.advance_purchase import AdvancePurchase

log = structlog.get_logger("saga")
AT_ONCE = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class SagaRunner:
    """One round over what is unfinished; a saga that cannot go on does not hold up the others."""

    sagas: Sagas
    advance: AdvancePurchase

    async def __call__(self) -> bool:
        """Whether all that was found could be moved to its end, and there may be more."""
        unfinished = await self.sagas.unfinished(AT_ONCE)
        results = await asyncio.gather(*(self._advance(saga) for saga in unfinished))
        return bool(results) and all(results)

    async def _advance(self, saga: Saga) -> bool:
        try:
            await self.advance(saga)
        except AppError as error:
            log.warning(
                "purchase waits", saga_id=saga.id, step=saga.step, reason=error.outcome.name
            )
            return False
        return True
