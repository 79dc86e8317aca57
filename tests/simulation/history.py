"""What clients asked and were told, kept outside the system; what they cannot know is unknown."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import grpc

from mesh.errors import AppError

# Whether it happened nobody said.
_UNSAID = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.ABORTED,
}


class Outcome(StrEnum):
    """How a call ended, as its client sees it."""

    DONE = "done"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    BROKEN = "broken"


def outcome_of(error: AppError) -> Outcome:
    """A refusal is a promise that nothing has happened."""
    if error.code is grpc.StatusCode.INTERNAL:
        return Outcome.BROKEN
    return Outcome.UNKNOWN if error.code in _UNSAID else Outcome.REFUSED


@dataclass(slots=True, kw_only=True)
class Asked:
    """One call."""

    number: int
    verb: str
    user_id: str
    key: str = ""
    tokens: int = 0
    # What the provider is asked with: the key's, where there is one.
    prompt: str = ""
    outcome: Outcome = Outcome.UNKNOWN
    reason: str = ""
    answer: Any = None


@dataclass(slots=True)
class History:
    """All calls, in the order of their beginnings."""

    calls: list[Asked] = field(default_factory=list)

    def ask(self, verb: str, user_id: str, *, key: str = "", tokens: int = 0) -> Asked:
        """A call that begins."""
        number = len(self.calls)
        asked = Asked(number=number, verb=verb, user_id=user_id, key=key, tokens=tokens)
        asked.prompt = f"{user_id[:4]} {key or number}"
        self.calls.append(asked)
        return asked

    def of(self, verb: str, *outcomes: Outcome) -> list[Asked]:
        """The calls of a verb that ended so."""
        return [one for one in self.calls if one.verb == verb and one.outcome in outcomes]
