"""What a reconciliation needs of the world, beside the ports of every day: reads, nothing else."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from svc_token.domain.audit.events import HourKey, HourSum, SettleAudit, Sighting
from svc_token.domain.audit.members import CapAudit
from svc_token.domain.audit.pools import PoolAudit
from svc_token.domain.audit.purchases import PurchaseAudit
from svc_token.domain.audit.reservations import ReservationAudit
from svc_token.domain.entry import Entry
from svc_token.domain.events import OutboxRow, UsageEvent
from svc_token.domain.operations import MemberKey, ReservationKey
from svc_token.domain.owner import Owner, PoolKey
from svc_token.domain.saga import Saga


class Audit(Protocol):
    """All that this service has written, by pages, each of which is of one moment.

    `after` is the key of the page before's last one, exclusive; None for the
    first page. An empty page is the last. AppError UNAVAILABLE when the store is away.
    """

    async def pools(self, after: PoolKey | None, limit: int) -> Sequence[PoolAudit]:
        """Pools, and those that only lines speak of, with what they come to."""
        ...

    async def reservations(
        self, after: ReservationKey | None, limit: int
    ) -> Sequence[ReservationAudit]:
        """Reservations, and those that only lines speak of, with their lines."""
        ...

    async def purchases(self, after: str | None, limit: int) -> Sequence[PurchaseAudit]:
        """Purchases by id, with the lines that their owners have of them."""
        ...

    async def bought(
        self, after: tuple[Owner, str] | None, limit: int
    ) -> Sequence[tuple[Entry, Saga | None]]:
        """Purchase lines by owner and purchase, with the purchase that each names."""
        ...

    async def caps(self, after: MemberKey | None, limit: int) -> Sequence[CapAudit]:
        """Members' caps with what the ledger has of them."""
        ...

    async def settled(self, after: tuple[PoolKey, int] | None, limit: int) -> Sequence[SettleAudit]:
        """Settle lines by pool and number, with what the outbox has of their events."""
        ...

    async def outbox(self, after: int | None, limit: int) -> Sequence[OutboxRow]:
        """Usage events that are not delivered, parked or not."""
        ...

    async def queued(self, event_ids: Collection[str]) -> frozenset[str]:
        """Which of these are in the outbox now, parked or not."""
        ...

    async def strangers(self, events: Sequence[UsageEvent]) -> Sequence[UsageEvent]:
        """The events that no line names, but for those from before their pool's first line."""
        ...

    async def sagas(self, ids: Collection[str]) -> Mapping[str, Saga]:
        """Purchases as they are now, by their ids."""
        ...


class UsageRecord(Protocol):
    """What svc_analytics has. AppError when it cannot be asked."""

    async def find(self, events: Sequence[UsageEvent]) -> Sighting:
        """What is there of these, at most 500, under their ids, providers and times."""
        ...

    async def hours(self, start_us: int, end_us: int) -> Mapping[HourKey, HourSum]:
        """Allowed events of enforced quotas, by provider and hour, of at most a week."""
        ...

    async def enforced(
        self, provider: str, start_us: int, end_us: int, *, after_id: str = ""
    ) -> Sequence[UsageEvent]:
        """These events themselves within a day, by time and id; at most 500, fewer are the last.

        Of those at `start_us` only the ones with a greater id than `after_id`.
        """
        ...
