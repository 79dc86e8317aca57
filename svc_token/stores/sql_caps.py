"""Members' caps in SQL."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    and_,
    case,
    cast,
    delete,
    func,
    insert,
    or_,
    select,
)

from mesh.storage.database import Database
from svc_token.domain.entry import Kind
from svc_token.domain.member import MemberCap
from svc_token.domain.owner import PoolKey
from svc_token.stores.rows import cap_from, cap_row
from svc_token.stores.tables import LEDGER, MEMBER_CAPS, POOLS


class SqlMemberCaps:
    """Rows of MEMBER_CAPS; the pool's lock is theirs too."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, cap: MemberCap) -> MemberCap | None:
        """The cap from now on; None when there is no such pool."""
        return await self._database.transact(partial(_put, cap))

    async def remove(self, key: PoolKey, user_id: str) -> bool:
        """No cap any more; False when there was none."""

        def work(connection: Connection) -> bool:
            _lock(connection, key)
            query = delete(MEMBER_CAPS).where(_is_cap(key, user_id))
            return connection.execute(query).rowcount > 0

        return await self._database.transact(work)

    async def all(self, key: PoolKey) -> Sequence[MemberCap]:
        """The caps inside a pool, by user."""
        query = select(MEMBER_CAPS).where(_in_pool(key)).order_by(MEMBER_CAPS.c.user_id)
        rows = await self._database.query(lambda c: c.execute(query).all())
        return [cap_from(row) for row in rows]


def _put(cap: MemberCap, connection: Connection) -> MemberCap | None:
    window = _lock(connection, cap.pool)
    if window is None:
        return None
    # The pool may be in a later window than the asker's clock.
    cap = replace(cap, window=max(window, cap.window))
    row = connection.execute(select(MEMBER_CAPS).where(_is_cap(cap.pool, cap.user_id))).first()
    if row is not None and row.window == cap.window:
        cap = replace(cap, used=row.used)
    else:
        cap = replace(cap, used=connection.execute(used_in_window(cap)).scalar_one())
    connection.execute(delete(MEMBER_CAPS).where(_is_cap(cap.pool, cap.user_id)))
    connection.execute(insert(MEMBER_CAPS), cap_row(cap))
    return cap


def _lock(connection: Connection, key: PoolKey) -> int | None:
    """The pool's window, and the lock that is its members' caps' too; None without a pool."""
    is_pool = and_(POOLS.c.owner == str(key.owner), POOLS.c.provider == key.provider)
    query = select(POOLS.c.window).where(is_pool).with_for_update()
    return connection.execute(query).scalar_one_or_none()


def _in_pool(key: PoolKey) -> ColumnElement[bool]:
    mine = MEMBER_CAPS.c
    return and_(mine.owner == str(key.owner), mine.provider == key.provider)


def _is_cap(key: PoolKey, user_id: str) -> ColumnElement[bool]:
    return and_(_in_pool(key), MEMBER_CAPS.c.user_id == user_id)


def used_in_window(cap: MemberCap) -> Select[int]:
    """What the ledger says that a member has used and holds of a pool in the cap's window.

    What a hold of an earlier window gives back is that window's; what is
    charged on top of it is this one's.
    """
    line, begun = LEDGER.alias("line"), LEDGER.alias("begun")
    change = case(
        (line.c.kind == Kind.RESERVE.value, line.c.tokens),
        (line.c.kind == Kind.SETTLE.value, line.c.tokens + line.c.held),
        else_=line.c.held,
    )
    counted = case((or_(begun.c.window == line.c.window, change > 0), change), else_=0)
    same = and_(
        begun.c.owner == line.c.owner,
        begun.c.ref == line.c.ref,
        begun.c.kind == Kind.RESERVE.value,
    )
    return (
        select(cast(func.coalesce(func.sum(counted), 0), BigInteger))
        .select_from(line.join(begun, same))
        .where(
            line.c.owner == str(cap.pool.owner),
            line.c.provider == cap.pool.provider,
            line.c.user_id == cap.user_id,
            line.c.window == cap.window,
        )
    )
