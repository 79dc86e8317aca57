"""Ends of holds that their calls could not see written: tried on after them."""

import math
from dataclasses import dataclass, field

import structlog
from prometheus_client import Gauge

from mesh.finisher import Finisher
from svc_token.domain.idempotency import ClaimLostError
from svc_token.domain.operations import Release, Settle
from svc_token.domain.reservation import ReservationConflictError
from svc_token.ports import Ledger
from svc_token.usecases.insist import insist

log = structlog.get_logger("consume")
UNFINISHED = Gauge("token_holds_unfinished", "Holds whose end waits for a store that is away.")
_End = tuple[object, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EndLater:
    """For as long as this process lives; after that the sweeper frees the holds.

    An end that is asked for again while it waits is not begun again: whoever has a 503
    comes back, and with a store that reads and does not write, as often as it likes.
    """

    ledger: Ledger
    finisher: Finisher
    _waiting: set[_End] = field(default_factory=set)

    def __call__(self, operation: Settle | Release) -> None:
        """Takes it on."""
        end = _end(operation)
        if end not in self._waiting:
            self._waiting.add(end)
            self.finisher.begin(self._do(operation, end))

    async def _do(self, operation: Settle | Release, end: _End) -> None:
        try:
            with UNFINISHED.track_inprogress():
                await insist(lambda: self.ledger.submit(operation), seconds=math.inf)
        except (ClaimLostError, ReservationConflictError) as refusal:
            # Whoever has had the key or the hold since has ended it, and has said so.
            log.warning("a hold was ended otherwise meanwhile", reason=type(refusal).__name__)
        finally:
            self._waiting.discard(end)


def _end(operation: Settle | Release) -> _End:
    """What is the same whoever asks for it, and whenever."""
    hold = (operation.pool.owner, operation.id)
    if isinstance(operation, Settle):
        return (*hold, operation.tokens, operation.provenance, operation.answer)
    return hold
