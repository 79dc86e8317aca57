"""Who belongs to an organisation, and as what."""

from dataclasses import dataclass
from enum import StrEnum


class Standing(StrEnum):
    """What a member is in its organisation."""

    # Manages members, invitations and shares; spends and buys.
    OWNER = "OWNER"
    # Spends and buys.
    MEMBER = "MEMBER"
    # Buys, and sees what there is; never spends.
    BILLING = "BILLING"


class Change(StrEnum):
    """What became of changing a membership."""

    DONE = "DONE"
    # It was so already.
    SAME = "SAME"
    NO_ORG = "NO_ORG"
    NO_MEMBER = "NO_MEMBER"
    # Who gives ownership away has none, or no longer.
    NO_OWNER = "NO_OWNER"
    # The organisation would be left without an owner.
    LAST_OWNER = "LAST_OWNER"
    # The organisation has as many members as it may have.
    FULL = "FULL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A user in an organisation; `joined_at` is in microseconds."""

    user_id: str
    # None for somebody that nobody has registered, whom `local` allows.
    username: str | None
    standing: Standing
    joined_at: int


def standing_of(text: str) -> Standing | None:
    """The standing that a text names, in any case; None for no such one."""
    return Standing.__members__.get(text.upper())


def subject(org_id: str, user_id: str) -> str:
    """How a revocation names a membership."""
    return f"{org_id}/{user_id}"
