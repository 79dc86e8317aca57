"""What came of killing svc_token under load."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from bench.plan import OK
from bench.strain.ledger import Counted
from bench.strain.told import BUSY, Told
from tests.faults.history import Outcome

# The rest would only be more of the same.
_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """One; seconds from it to the first answer of "done", and until the process took calls again.

    `in_flight` operations had been sent and not answered then.
    """

    in_flight: int
    first_seconds: float
    back_seconds: float

    def __str__(self) -> str:
        """As the report has it."""
        return (
            f"{self.in_flight} in flight, done again after {self.first_seconds:.2f} s,"
            f" back after {self.back_seconds:.1f} s"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Killed:
    """All kills of a system with so many instances of svc_token."""

    instances: int
    kills: Sequence[Kill]
    told: Told
    counted: Counted

    @property
    def name(self) -> str:
        """For tables."""
        return "two of svc_token" if self.instances > 1 else "the one svc_token"

    @property
    def first_seconds(self) -> float:
        """The longest that nothing was done."""
        return max(each.first_seconds for each in self.kills)

    def problems(self) -> Iterator[str]:
        """What was lost or done twice, and why the figures mean nothing."""
        for finding in islice(self.counted.findings, _SHOWN):
            yield f"{self.name}: {finding.wrong}: {finding.text}"
        if self.counted.astray:
            yield f"{self.name}: {self.counted.astray} tokens are astray"
        for outcome in (Outcome.UNKNOWN, Outcome.REFUSED):
            if whys := {op.why for op in self.told.ops if op.outcome is outcome}:
                count = self.told.count(outcome)
                yield f"{self.name}: {count} operations ended {outcome}: {', '.join(sorted(whys))}"
        if self.instances > 1 and self.told.reads_failed:
            yield f"{self.name}: {self.told.reads_failed} reads failed while another lived"
        if others := {each.status for each in self.told.reads} - {OK, BUSY}:
            yield f"{self.name}: reads were answered {sorted(others)}"
        if not sum(each.in_flight for each in self.kills):
            yield f"{self.name}: nothing was in flight when it was killed"
