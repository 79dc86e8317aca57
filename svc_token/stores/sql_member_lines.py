"""The ledger's lines of an organisation's members in one window, so many at a time."""

from collections.abc import Collection, Sequence

from sqlalchemy import ColumnElement, Connection, and_, func, literal_column, select

from svc_token.domain.entry import Entry, Kind
from svc_token.domain.member import Tally
from svc_token.domain.owner import PoolKey
from svc_token.stores.rows import entry_from
from svc_token.stores.tables import LEDGER

# In one statement, be they the members' or not.
LINES = 5_000
_MINE = LEDGER.c
_STORIES = [kind.value for kind in (Kind.RESERVE, Kind.SETTLE, Kind.RELEASE, Kind.EXPIRE)]
# As the index says it, for the planners to know it again.
_RENEWAL = _MINE.kind == literal_column("'renew'")


def count(connection: Connection, tally: Tally, pool: PoolKey, users: Collection[str]) -> None:
    """Adds what has come since the tally's last line."""
    for part in parts(connection, pool, tally.window, after=tally.last):
        tally.add(lines(connection, pool=pool, window=tally.window, users=users, part=part))
        tally.last = part.stop - 1


def parts(connection: Connection, pool: PoolKey, window: int, *, after: int = 0) -> Sequence[range]:
    """The numbers of a pool's lines in a window, beyond `after`; a few others may be among them.

    A window, but for the pool's first, begins with a line that says so.
    """
    begun = select(func.max(_MINE.seq)).where(_of(pool), _RENEWAL, _MINE.window <= window)
    ended = select(func.min(_MINE.seq)).where(_of(pool), _RENEWAL, _MINE.window > window)
    last = select(func.max(_MINE.seq)).where(_of(pool))
    start = max(after + 1, connection.execute(begun).scalar() or 1)
    stop = connection.execute(ended).scalar() or (connection.execute(last).scalar() or 0) + 1
    return [range(at, min(at + LINES, stop)) for at in range(start, stop, LINES)]


def lines(
    connection: Connection, *, pool: PoolKey, window: int, users: Collection[str], part: range
) -> list[Entry]:
    """Those of the members' reservations, in their order."""
    query = select(LEDGER).where(
        _of(pool),
        _MINE.seq >= part.start,
        _MINE.seq < part.stop,
        _MINE.window == window,
        _MINE.user_id.in_(users),
        _MINE.kind.in_(_STORIES),
    )
    return [entry_from(row) for row in connection.execute(query.order_by(_MINE.seq))]


def _of(pool: PoolKey) -> ColumnElement[bool]:
    return and_(_MINE.owner == str(pool.owner), _MINE.provider == pool.provider)
