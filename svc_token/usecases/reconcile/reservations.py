"""Reservations with the ledger."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from mesh.clock import Clock
from svc_token.domain.audit.difference import Difference
from svc_token.domain.audit.reservations import orphan, reservation_differences
from svc_token.domain.reservation import Reservation
from svc_token.ports import Limits
from svc_token.reconcile_ports import Audit
from svc_token.usecases.reconcile.comparison import Compared, pages


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareReservations:
    """Each reservation with its lines; and whether any holds tokens that nobody comes back for."""

    audit: Audit
    limits: Limits
    clock: Clock
    what: str = "reservations with the ledger"

    async def __call__(self, compared: Compared) -> AsyncIterator[Difference]:
        """The differences."""
        async for page in pages(self.audit.reservations, lambda one: one.key):
            for one in page:
                compared.reservations += 1
                for difference in reservation_differences(one):
                    yield difference
                late = one.reservation and self._orphan(one.reservation)
                if late:
                    yield late

    def _orphan(self, reservation: Reservation) -> Difference | None:
        now = self.clock.now_us()
        return orphan(reservation, self.limits.window(now), now)
