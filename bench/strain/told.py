"""What callers sent, and what they were told, while an instance was killed."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from bench.plan import OK
from tests.faults.history import Op, Outcome

# A request without an answer, as its connection was lost or nothing came in time.
LOST = 0
BUSY, LATE, CONFLICT = 503, 504, 409
IN_FLIGHT = "IDEMPOTENCY_KEY_IN_FLIGHT"


class Way(StrEnum):
    """What a request is."""

    READ = "read"
    WRITE = "write"


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """One request and its answer; `began` and `ended` are of time.perf_counter()."""

    way: Way
    began: float
    ended: float
    status: int
    sound: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """An operation, how often it was sent, and the seconds until its caller knew."""

    op: Op
    sent: int
    seconds: float


@dataclass(slots=True, kw_only=True)
class Told:
    """All of a run."""

    tries: list[Try] = field(default_factory=list)
    pieces: list[Piece] = field(default_factory=list)

    @property
    def ops(self) -> list[Op]:
        """The operations."""
        return [each.op for each in self.pieces]

    @property
    def reads(self) -> list[Try]:
        """Of pools; never sent again by who asks."""
        return [each for each in self.tries if each.way is Way.READ]

    @property
    def reads_failed(self) -> int:
        """How many were not answered with a pool."""
        return sum(each.status != OK for each in self.reads)

    @property
    def statuses(self) -> Counter[int]:
        """Of answers to operations."""
        return Counter(each.status for each in self.tries if each.way is Way.WRITE)

    @property
    def again(self) -> int:
        """Operations that were sent more than once."""
        return sum(each.sent > 1 for each in self.pieces)

    @property
    def slowest(self) -> float:
        """Seconds of the operation that took longest, with all its requests."""
        return max((each.seconds for each in self.pieces), default=0.0)

    def count(self, outcome: Outcome) -> int:
        """Operations that ended so."""
        return sum(op.outcome is outcome for op in self.ops)

    def first_success(self, since: float) -> float:
        """Seconds until the first operation's answer to what was sent later; infinite if none."""
        return _first(self.tries, since) - since


def _first(tries: Iterable[Try], since: float) -> float:
    sound = (each for each in tries if each.sound and each.way is Way.WRITE)
    return min((each.ended for each in sound if each.began >= since), default=float("inf"))
