"""What was asked and what was answered, kept outside the system."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path

import orjson


class Kind(StrEnum):
    """What an operation asks for."""

    CONSUME = "consume"
    RESERVE = "reserve"
    SETTLE = "settle"
    RELEASE = "release"
    PURCHASE = "purchase"


class Outcome(StrEnum):
    """What its caller knows. A call that was cut, or came too late, is unknown, not failed."""

    DONE = "done"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Op:
    """One operation, all its tries together.

    `ref` is what both sides know it by: the mark in a consume's prompt, a
    reservation's id, a purchase's key. `said` are the ids that came back;
    `keyed` says that it had an idempotency key, and may have been asked again.
    """

    kind: Kind
    user_id: str
    tokens: int
    ref: str
    outcome: Outcome
    said: tuple[str, ...] = ()
    why: str = ""
    keyed: bool = False


@dataclass(slots=True)
class History:
    """All operations so far, each on disk once it is known."""

    file: Path
    ops: list[Op] = field(default_factory=list)

    def add(self, op: Op) -> None:
        """Keeps it."""
        self.ops.append(op)
        with self.file.open("ab") as out:
            out.write(orjson.dumps(asdict(op)) + b"\n")

    def tally(self) -> str:
        """How many of each outcome."""
        return ", ".join(f"{_count(self.ops, one)} {one}" for one in Outcome)


def _count(ops: Iterable[Op], outcome: Outcome) -> int:
    return sum(op.outcome is outcome for op in ops)
