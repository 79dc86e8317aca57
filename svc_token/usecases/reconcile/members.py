"""Members' caps with the ledger."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from svc_token.domain.audit.difference import Difference
from svc_token.domain.audit.members import CapAudit, cap_difference
from svc_token.domain.operations import MemberKey
from svc_token.reconcile_ports import Audit
from svc_token.usecases.reconcile.comparison import Compared, pages


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareMembers:
    """Each cap's count with what the member's lines in its window come to."""

    audit: Audit
    what: str = "members' caps with the ledger"

    async def __call__(self, compared: Compared) -> AsyncIterator[Difference]:
        """The differences."""
        async for page in pages(self.audit.caps, _key):
            for one in page:
                compared.members += 1
                difference = cap_difference(one)
                if difference is not None:
                    yield difference


def _key(one: CapAudit) -> MemberKey:
    return one.cap.pool, one.cap.user_id
