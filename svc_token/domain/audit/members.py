"""A member's cap against what the member's lines in its window come to."""

from dataclasses import dataclass

from svc_token.domain.audit.difference import Difference, Mismatch
from svc_token.domain.audit.pools import name_of
from svc_token.domain.member import MemberCap


@dataclass(frozen=True, slots=True, kw_only=True)
class CapAudit:
    """A cap, and the tokens that the ledger has of its member and window, of one moment."""

    cap: MemberCap
    used: int


def cap_difference(audit: CapAudit) -> Difference | None:
    """The difference between what is counted and what was used."""
    cap = audit.cap
    if cap.used == audit.used:
        return None
    return Difference(
        kind=Mismatch.MEMBER_CAP,
        subject=f"cap of user {cap.user_id} in {name_of(cap.pool)}",
        expected=f"{audit.used} tokens used by the ledger",
        found=f"{cap.used}",
    )
