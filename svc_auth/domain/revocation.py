"""What caches elsewhere must drop."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What kind of thing is to be dropped."""

    HEARTBEAT = "HEARTBEAT"
    API_KEY = "API_KEY"
    USER = "USER"
    MEMBERSHIP = "MEMBERSHIP"
    TOKEN = "TOKEN"  # noqa: S105 a kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """One thing to drop, or a heartbeat with an empty subject; `at` is in microseconds."""

    kind: Kind
    subject: str
    at: int
