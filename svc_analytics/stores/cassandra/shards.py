"""A provider's day lies in a few partitions, chosen by the event's id."""

import zlib
from collections.abc import Sequence

from svc_analytics.domain.window import Window
from svc_analytics.stores.cassandra.calendar import HOURS, spans
from svc_analytics.stores.cassandra.session import CassandraSession, together
from svc_analytics.stores.cassandra.sums import Adder

# For ever: a changed number would put an event that comes again beside itself.
SHARDS = range(8)


def shard_of(event_id: str) -> int:
    """The event's shard."""
    return zlib.crc32(event_id.encode()) % len(SHARDS)


async def add_hours(
    session: CassandraSession, provider: str, hours: Sequence[int], window: Window, adder: Adder
) -> None:
    """Adds what the provider's hours of one day hold within the window."""
    await together(
        session.pages(
            adder.add_uses,
            "uses_of_provider",
            *(provider, hours[0] // HOURS, shard, span.start_us, span.end_us),
        )
        for span in spans(hours, window)
        for shard in SHARDS
    )
