"""Who belongs to an organisation."""

from enum import StrEnum


class Standing(StrEnum):
    """What a member is in its organisation."""

    OWNER = "OWNER"
    MEMBER = "MEMBER"


class Removal(StrEnum):
    """What became of ending a membership."""

    DONE = "DONE"
    NO_ORG = "NO_ORG"
    NO_MEMBER = "NO_MEMBER"


def subject(org_id: str, user_id: str) -> str:
    """How a revocation names a membership."""
    return f"{org_id}/{user_id}"
