"""Purchases with the payment provider's books, both ways."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from mesh.clock import Clock
from svc_token.domain.audit.difference import Difference
from svc_token.domain.audit.purchases import given, payment_difference
from svc_token.domain.payment import Payment, PaymentState
from svc_token.domain.saga import Saga
from svc_token.purchase_ports import Payments
from svc_token.reconcile_ports import Audit
from svc_token.usecases.reconcile.comparison import GRACE_US, PAGE, Compared, pages


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparePayments:
    """What was captured with what was given.

    Purchases are looked for among the payments of their ids; what is not found
    there is asked for once more.
    """

    audit: Audit
    payments: Payments
    clock: Clock
    what: str = "purchases with payments"

    async def __call__(self, compared: Compared) -> AsyncIterator[Difference]:
        """The differences."""
        async for page in pages(self._captured, lambda payment: payment.id):
            compared.payments += len(page)
            sagas = await self.audit.sagas([payment.id for payment in page])
            for payment in page:
                saga = sagas.get(payment.id)
                difference = payment_difference(payment.id, saga, payment.tokens)
                # What was given is compared below, once.
                if difference is not None and not (saga is not None and given(saga)):
                    yield difference
        before_us = self.clock.now_us() - GRACE_US
        after: str | None = None
        async for purchases in pages(self.audit.purchases, lambda one: one.id):
            captured = await self._within(after, purchases[-1].id)
            after = purchases[-1].id
            for one in purchases:
                if one.saga is not None and one.saga.updated_us < before_us:
                    missed = await self._missed(one.saga, captured.get(one.id))
                    if missed is not None:
                        yield missed

    async def _missed(self, saga: Saga, captured: int | None) -> Difference | None:
        if not given(saga) or payment_difference(saga.id, saga, captured) is None:
            return None
        payment = await self.payments.find(saga.id)
        taken = payment is not None and payment.state is PaymentState.CAPTURED
        return payment_difference(saga.id, saga, payment.tokens if payment and taken else None)

    async def _within(self, after: str | None, last: str) -> dict[str, int]:
        """The tokens captured under the ids up to `last`."""
        found: dict[str, int] = {}
        while page := await self._captured(after, PAGE):
            found |= {payment.id: payment.tokens for payment in page if payment.id <= last}
            after = page[-1].id
            if after > last:
                break
        return found

    async def _captured(self, after: str | None, limit: int) -> Sequence[Payment]:
        return await self.payments.list(limit, after=after, state=PaymentState.CAPTURED)
