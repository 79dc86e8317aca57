"""Streams of the outbox (a key's rows on a topic) that have been held up by a parked row.

What waits behind a parked row would be read at every look for what may go, and it
may be very much. So it is marked, once, and lies apart in an index of its own. When
nothing of its stream is parked any more, the marked rows go from that index, and
what else there is of the stream is marked before it goes, so that all keep their order.
A stream whose marked rows are gone is one like the others.

A mark hides nothing for good: what may go is decided by the parked rows alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Connection,
    Row,
    and_,
    bindparam,
    delete,
    exists,
    literal_column,
    or_,
    select,
)

from mesh.storage.upsert import INSERT
from svc_token.stores.tables import OUTBOX, OUTBOX_STREAMS

# A key and a topic.
Stream = tuple[str, str]
# Each is a query of its own.
MOST_STREAMS = 200
# As the indexes say it, for the planners to know them again.
PARKED: ColumnElement[bool] = literal_column("parked", Boolean)
BEHIND: ColumnElement[bool] = literal_column("behind", Boolean)
_CLOSED = select(OUTBOX.c.key, OUTBOX.c.topic).where(PARKED).distinct()
_THIS = and_(OUTBOX.c.key == bindparam("key"), OUTBOX.c.topic == bindparam("topic"))
_MARKED = select(OUTBOX).where(BEHIND, _THIS, OUTBOX.c.parked.is_(False))
_STREAM = and_(
    OUTBOX_STREAMS.c.key == bindparam("key"), OUTBOX_STREAMS.c.topic == bindparam("topic")
)
_LOCKED = select(OUTBOX_STREAMS).where(_STREAM).with_for_update()
_FORGET = delete(OUTBOX_STREAMS).where(_STREAM, ~exists().where(_THIS, or_(BEHIND, PARKED)))


def closed(connection: Connection) -> set[Stream]:
    """Those that have a parked row."""
    return {(row.key, row.topic) for row in connection.execute(_CLOSED)}


def kept(connection: Connection) -> set[Stream]:
    """Those whose rows are marked, or were."""
    return {(row.key, row.topic) for row in connection.execute(select(OUTBOX_STREAMS))}


def marked(
    connection: Connection, streams: Iterable[Stream], limit: int
) -> Mapping[Stream, Sequence[Row[Any]]]:
    """The oldest marked rows of the first of these, until there are `limit` rows."""
    query = _MARKED.order_by(OUTBOX.c.seq).limit(limit)
    found: dict[Stream, Sequence[Row[Any]]] = {}
    for stream in islice(streams, MOST_STREAMS):
        found[stream] = connection.execute(query, _named(stream)).all()
        limit -= len(found[stream])
        if limit <= 0:
            break
    return found


def keep(connection: Connection, streams: Iterable[Stream]) -> None:
    """Notes streams whose rows are about to be marked, in the same transaction."""
    insert = INSERT[connection.dialect.name](OUTBOX_STREAMS)
    # Changes nothing, but has the row locked: nobody forgets the stream meanwhile.
    known = insert.on_conflict_do_update(
        index_elements=["key", "topic"], set_={"topic": insert.excluded.topic}
    )
    connection.execute(known, [_named(stream) for stream in sorted(set(streams))])


def forget(connection: Connection, streams: Iterable[Stream]) -> None:
    """These are like all others again, unless something of them is parked or marked."""
    for stream in streams:
        # Two statements: what was marked by who had it locked is seen by the second.
        connection.execute(_LOCKED, _named(stream))
        connection.execute(_FORGET, _named(stream))


def _named(stream: Stream) -> dict[str, str]:
    key, topic = stream
    return {"key": key, "topic": topic}
