"""All comparisons, one after another, and what may be mended."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import structlog

from mesh.errors import AppError
from mesh.rpc.streams import closing
from mesh.telemetry.closed import Closed
from mesh.telemetry.tally import Gauge
from svc_token.domain.audit.difference import Difference, Mismatch
from svc_token.domain.reservation import ReservationConflictError
from svc_token.ports import Ledger
from svc_token.usecases.reconcile.comparison import Compared, Comparison

log = structlog.get_logger("reconcile")
DIFFERENCES = Closed(
    Gauge,
    "reconcile_differences",
    "What the last reconciliation of this process found to differ and left so, by kind.",
    {"kind": Mismatch},
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A difference, and whether it has been mended."""

    difference: Difference
    repaired: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NotCompared:
    """What could not be compared, as a part is away."""

    what: str
    why: str


Told = Found | NotCompared | Compared


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconcile:
    """Reads everything; with `repair` it ends orphans and sends missing events again, no more."""

    comparisons: Sequence[Comparison]
    ledger: Ledger

    async def __call__(self, *, repair: bool) -> AsyncIterator[Told]:
        """What differs, as it is found, what could not be compared, and at last how much was."""
        compared = Compared()
        left: Counter[Mismatch] = Counter()
        everything = True
        for comparison in self.comparisons:
            try:
                async with closing(comparison(compared)) as differences:
                    async for difference in differences:
                        repaired = repair and await self._repaired(difference)
                        left[difference.kind] += not repaired
                        yield Found(difference=difference, repaired=repaired)
            except AppError as error:
                everything = False
                log.warning("not compared", what=comparison.what, reason=error.outcome.name)
                yield NotCompared(what=comparison.what, why=error.message)
        _measure(left, everything=everything)
        yield compared

    async def _repaired(self, difference: Difference) -> bool:
        if difference.repair is None:
            return False
        told = {"kind": difference.kind.value, "subject": difference.subject}
        try:
            await self.ledger.submit(difference.repair)
        except ReservationConflictError:
            log.info("has mended itself", **told)
        except AppError as error:
            log.warning("not repaired", reason=error.outcome.name, **told)
            return False
        else:
            log.warning("repaired", **told)
        return True


def _measure(left: Counter[Mismatch], *, everything: bool) -> None:
    for kind in Mismatch:
        # What could not be compared is not known to agree.
        if everything or left[kind]:
            DIFFERENCES.of(kind).set(left[kind])
