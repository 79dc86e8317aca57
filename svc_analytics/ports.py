"""What the service needs of the world."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from svc_analytics.domain.audit import EventKey, HourCount
from svc_analytics.domain.message import Message
from svc_analytics.domain.totals import ProviderUsage, Summary, Totals
from svc_analytics.domain.usage import UsageEvent
from svc_analytics.domain.window import Buckets, Window


class UsageStore(Protocol):
    """Usage events, each kept once.

    Every read answers from one state of the store, for one provider or one user, so
    that partitions by (provider, day) and (user, provider, day) can serve it.
    With `user` only that user's events exist. A store that is away is an
    AppError UNAVAILABLE.
    """

    async def append(self, events: Sequence[UsageEvent]) -> int:
        """Keeps the events, all or none, and durably; how many were new by their id."""
        ...

    async def newest(
        self, provider: str, *, user: str | None = None, limit: int
    ) -> Sequence[UsageEvent]:
        """The latest events, newest first; those of one microsecond by descending id."""
        ...

    async def summary(
        self, provider: str, window: Window, *, user: str | None = None, top: int
    ) -> Summary:
        """The window's exact totals with at most `top` users."""
        ...

    async def by_bucket(
        self, provider: str, buckets: Buckets, *, user: str | None = None
    ) -> Mapping[int, Totals]:
        """The totals of each bucket that holds an event, by its index."""
        ...

    async def by_provider(
        self, window: Window, *, user: str | None = None
    ) -> Sequence[ProviderUsage]:
        """The totals of each provider that has an event in the window, in no order."""
        ...

    async def delete_before(self, cutoff_us: int, *, limit: int) -> int:
        """Deletes at most `limit` events older than the cutoff, oldest first; how many.

        A store that expires events by itself answers 0.
        """
        ...

    async def find(self, keys: Sequence[EventKey]) -> Sequence[UsageEvent]:
        """Those of these events that are kept under all of their key, in no order."""
        ...

    async def known(self, event_ids: Collection[str]) -> frozenset[str]:
        """Which of these ids are kept, under whatever provider and time."""
        ...

    async def enforced_hours(self, window: Window) -> Sequence[HourCount]:
        """Exact counts of allowed events without a reason, of each hour that holds one.

        An hour that is partly in the window counts in part; in no order.
        """
        ...

    async def enforced(
        self, provider: str, window: Window, *, after_id: str = "", limit: int
    ) -> Sequence[UsageEvent]:
        """These events of a part of one day, oldest first, those of one microsecond by id.

        With `after_id` those of the window's first microsecond have a greater id.
        """
        ...

    async def ping(self) -> None:
        """Raises AppError when the store does not answer."""
        ...


class UsageSource(Protocol):
    """Where usage events lie until they are stored; each is delivered at least once.

    A source that is away is an AppError UNAVAILABLE, to be tried again.
    """

    async def receive(self, limit: int) -> Sequence[Message]:
        """The next messages, at least one and at most `limit`; waits for them."""
        ...

    async def done(self, messages: Sequence[Message]) -> None:
        """These need not be delivered again; until then they may be, here or elsewhere."""
        ...

    async def bury(self, message: Message, reason: str) -> None:
        """Keeps a message that can never be stored, durably and apart."""
        ...

    async def lag(self) -> int:
        """How many messages of this instance's share are not done."""
        ...
