"""Members' caps in SQL."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, select

from mesh.storage.database import Database
from svc_token.domain.member import MemberCap, Tally
from svc_token.domain.owner import PoolKey
from svc_token.stores.rows import cap_from, cap_row
from svc_token.stores.sql_member_lines import count, lines, parts
from svc_token.stores.tables import MEMBER_CAPS, POOLS


class SqlMemberCaps:
    """Rows of MEMBER_CAPS; the pool's lock is theirs too.

    A row is never in a later window than its pool, also when it is set in one: what
    was stamped before the edge and is committed after it is written into the pool's
    window by the ledger, and would be counted in another here.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, cap: MemberCap) -> MemberCap | None:
        """The cap from now on; None when there is no such pool.

        What a new one counts is read beforehand, while nobody waits for it: under
        the pool's lock only the lines that have come since.
        """
        tally = Tally(window=cap.window)
        window = await self._database.query(partial(_uncounted, cap))
        if window is not None:
            tally = await self._tally(cap, window)
        return await self._database.transact(lambda c: _put(cap, tally.copy(), c))

    async def _tally(self, cap: MemberCap, window: int) -> Tally:
        tally, users = Tally(window=window), [cap.user_id]
        for part in await self._database.query(lambda c: parts(c, cap.pool, window)):
            read = partial(lines, pool=cap.pool, window=window, users=users, part=part)
            tally.add(await self._database.query(read))
            tally.last = part.stop - 1
        return tally

    async def remove(self, key: PoolKey, user_id: str) -> bool:
        """No cap any more; False when there was none."""

        def work(connection: Connection) -> bool:
            _window(connection, key, lock=True)
            query = delete(MEMBER_CAPS).where(_is_cap(key, user_id))
            return connection.execute(query).rowcount > 0

        return await self._database.transact(work)

    async def all(self, key: PoolKey) -> Sequence[MemberCap]:
        """The caps inside a pool, by user."""
        query = select(MEMBER_CAPS).where(_in_pool(key)).order_by(MEMBER_CAPS.c.user_id)
        rows = await self._database.query(lambda c: c.execute(query).all())
        return [cap_from(row) for row in rows]


def _put(cap: MemberCap, tally: Tally, connection: Connection) -> MemberCap | None:
    window = _window(connection, cap.pool, lock=True)
    if window is None:
        return None
    asked, cap = cap.window, replace(cap, window=window)
    row = connection.execute(select(MEMBER_CAPS).where(_is_cap(cap.pool, cap.user_id))).first()
    if row is not None and row.window == window:
        cap = replace(cap, used=row.used)
    else:
        if tally.window != window:
            tally = Tally(window=window)
        count(connection, tally, cap.pool, [cap.user_id])
        cap = replace(cap, used=tally.used(cap.user_id))
    connection.execute(delete(MEMBER_CAPS).where(_is_cap(cap.pool, cap.user_id)))
    connection.execute(insert(MEMBER_CAPS), cap_row(cap))
    return cap.renewed(asked)


def _uncounted(cap: MemberCap, connection: Connection) -> int | None:
    """The window whose lines the cap is to count; None when it need not, or has no pool."""
    window = _window(connection, cap.pool, lock=False)
    query = select(MEMBER_CAPS.c.window).where(_is_cap(cap.pool, cap.user_id))
    return None if connection.execute(query).scalar() == window else window


def _window(connection: Connection, key: PoolKey, *, lock: bool) -> int | None:
    """The pool's window; None without a pool. The pool's lock is its members' caps' too."""
    is_pool = and_(POOLS.c.owner == str(key.owner), POOLS.c.provider == key.provider)
    query = select(POOLS.c.window).where(is_pool)
    return connection.execute(query.with_for_update() if lock else query).scalar_one_or_none()


def _in_pool(key: PoolKey) -> ColumnElement[bool]:
    mine = MEMBER_CAPS.c
    return and_(mine.owner == str(key.owner), mine.provider == key.provider)


def _is_cap(key: PoolKey, user_id: str) -> ColumnElement[bool]:
    return and_(_in_pool(key), MEMBER_CAPS.c.user_id == user_id)
