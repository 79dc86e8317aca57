"""Invitations into organisations. Times are microseconds since the epoch."""

from dataclasses import dataclass
from enum import StrEnum

from svc_auth.domain.membership import Standing
from svc_auth.domain.text import comparable

# So that a log's filter knows one when it sees it.
TOKEN_PREFIX = "leaky_invite_"  # noqa: S105 what every token begins with


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """An invitation without its token, which only the invited has."""

    id: str
    org_id: str
    email: str
    standing: Standing
    # None where `local` let somebody invite without a credential.
    invited_by: str | None
    created_at: int
    expires_at: int
    # None until somebody has accepted it.
    accepted_by: str | None = None

    def expired(self, now: int) -> bool:
        """Whether its time is up; it ends at its expiry, not after it."""
        return now >= self.expires_at

    def is_for(self, email: str) -> bool:
        """Whether a reader takes the address for the invited one."""
        return comparable(email) == comparable(self.email)


class Invited(StrEnum):
    """What became of inviting somebody."""

    DONE = "DONE"
    NO_ORG = "NO_ORG"
    # Who has the address is a member.
    MEMBER = "MEMBER"
    # The organisation has as many open invitations as it may have.
    FULL = "FULL"


class Acceptance(StrEnum):
    """What became of accepting an invitation."""

    DONE = "DONE"
    # The same user accepted it before and is still a member.
    AGAIN = "AGAIN"
    # Unknown, or withdrawn.
    GONE = "GONE"
    EXPIRED = "EXPIRED"
    # Accepted before; the membership has ended since.
    USED = "USED"
    # The user is a member by other means.
    MEMBER = "MEMBER"
    # The organisation has as many members as it may have.
    FULL = "FULL"


def token_text(secret: str) -> str:
    """The token itself."""
    return TOKEN_PREFIX + secret
