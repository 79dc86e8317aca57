"""Uses that no quota counts, and that their calls could not have written: told after them."""

import asyncio
import math
from dataclasses import dataclass, field
from itertools import islice

import structlog
from prometheus_client import Counter, Gauge

from mesh.clock import Clock
from mesh.finisher import Finisher
from svc_token.domain.idempotency import ClaimLostError
from svc_token.domain.operations import Emit
from svc_token.ports import Ledger
from svc_token.usecases.insist import insist

log = structlog.get_logger("consume")
# At about 2 kB each this is 20 MB.
MOST = 10_000
# As many as ask a store that is away, twice a second each.
AT_ONCE = 64
SAID_SECONDS = 60.0
WAITING = Gauge(
    "token_unenforced_events_waiting", "Unenforced uses whose event waits for a store that is away."
)
DROPPED = Counter(
    "token_unenforced_events_dropped_total", "Unenforced uses that no event will tell of."
)


@dataclass(slots=True, kw_only=True)
class TellLater:
    """One task tries on until the store is back, for as long as this process lives.

    While quotas are enforced a store that is away lets no use begin, so that what its
    absence leaves behind is bounded; unenforced uses go on. So beyond `most` that wait
    the newest are dropped: nothing is charged for them, and analytics never hears of them.
    """

    ledger: Ledger
    clock: Clock
    finisher: Finisher
    most: int = MOST
    _waiting: dict[str, Emit] = field(default_factory=dict)
    _going: bool = False
    _unsaid: int = 0
    _said: float = -math.inf

    def __call__(self, emit: Emit) -> None:
        """Takes it on, or drops it."""
        if len(self._waiting) >= self.most:
            self._drop(1, "too many wait")
            return
        self._waiting[emit.event.event_id] = emit
        WAITING.inc()
        if not self._going:
            self._going = True
            log.warning("unenforced uses wait for the store")
            self.finisher.begin(self._tell())

    async def _tell(self) -> None:
        try:
            while self._waiting:
                batch = list(islice(self._waiting.values(), AT_ONCE))
                # Together, as one commit writes them.
                await asyncio.gather(*map(self._one, batch))
        finally:
            self._going = False
            if self._waiting:
                self._drop(len(self._waiting), "the process ends")
                WAITING.dec(len(self._waiting))
                self._waiting.clear()

    async def _one(self, emit: Emit) -> None:
        await self._told(emit)
        del self._waiting[emit.event.event_id]
        WAITING.dec()

    async def _told(self, emit: Emit) -> None:
        try:
            await insist(lambda: self.ledger.submit(emit), seconds=math.inf)
        except ClaimLostError:
            # Whoever has had the key since has told of its own use.
            log.warning("an unenforced use was told otherwise meanwhile")
        except Exception as error:  # noqa: BLE001 the others of its batch go on
            self._drop(1, type(error).__name__)

    def _drop(self, count: int, why: str) -> None:
        DROPPED.inc(count)
        self._unsaid += count
        now = self.clock.monotonic()
        if now - self._said < SAID_SECONDS:
            return
        log.error("events of unenforced uses are dropped", count=self._unsaid, why=why)
        self._unsaid, self._said = 0, now
