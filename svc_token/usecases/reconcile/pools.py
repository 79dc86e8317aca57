"""Balances with the ledger."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from svc_token.domain.audit.difference import Difference
from svc_token.domain.audit.pools import pool_differences
from svc_token.reconcile_ports import Audit
from svc_token.usecases.reconcile.comparison import Compared, pages


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparePools:
    """Each pool's row with the sums of its lines and of its open reservations."""

    audit: Audit
    what: str = "balances with the ledger"

    async def __call__(self, compared: Compared) -> AsyncIterator[Difference]:
        """The differences."""
        async for page in pages(self.audit.pools, lambda one: one.key):
            for one in page:
                compared.pools += 1
                compared.lines += one.sums.lines
                for difference in pool_differences(one):
                    yield difference
