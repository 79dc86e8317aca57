"""Purchases with the ledger."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from svc_token.domain.audit.difference import Difference
from svc_token.domain.audit.purchases import PurchaseAudit, purchase_differences
from svc_token.domain.entry import Entry
from svc_token.domain.owner import Owner
from svc_token.domain.saga import Saga
from svc_token.reconcile_ports import Audit
from svc_token.usecases.reconcile.comparison import Compared, pages


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparePurchases:
    """Each purchase with its line, then each line with the purchase that it names."""

    audit: Audit
    what: str = "purchases with the ledger"

    async def __call__(self, compared: Compared) -> AsyncIterator[Difference]:
        """The differences."""
        async for page in pages(self.audit.purchases, lambda one: one.id):
            for one in page:
                compared.purchases += 1
                for difference in purchase_differences(one):
                    yield difference
        async for lines in pages(self.audit.bought, _key):
            for line, saga in lines:
                # What lies at its own owner has been compared already.
                if saga is None or saga.pool.owner != line.pool.owner:
                    stray = PurchaseAudit(id=line.note.ref or "", saga=None, lines=[line])
                    for difference in purchase_differences(stray):
                        yield difference


def _key(one: tuple[Entry, Saga | None]) -> tuple[Owner, str]:
    line, _ = one
    return line.pool.owner, line.note.ref or ""
