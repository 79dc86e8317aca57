"""Pools as they are read and set up, in SQL."""

from collections.abc import Sequence

from sqlalchemy import bindparam, select

from mesh.storage.database import Database
from mesh.storage.group_commit import GroupCommit
from svc_token.domain.idempotency import Answer
from svc_token.domain.operations import Adjust, Open
from svc_token.domain.owner import PoolKey
from svc_token.domain.pool import Pool, PoolExistsError, PoolNotFoundError
from svc_token.domain.reservation import Reservation, State
from svc_token.domain.window import Window
from svc_token.stores.rows import pool_from, reservation_from
from svc_token.stores.sql_book import SqlBook
from svc_token.stores.sql_statements import STATEMENTS
from svc_token.stores.tables import POOLS, RESERVATIONS

# Made once, and so compiled once.
_ORPHANS = (
    select(RESERVATIONS)
    .where(
        RESERVATIONS.c.state == State.RESERVED.value,
        RESERVATIONS.c.expires_us < bindparam("before_us"),
    )
    .order_by(RESERVATIONS.c.expires_us)
    .limit(bindparam("most"))
)


class SqlPools:
    """Reads, and the writes of an administrator."""

    def __init__(self, database: Database, books: SqlBook) -> None:
        self._database = database
        self._books = books
        made = STATEMENTS[database.dialect]
        self._rows, self._named = made(POOLS, ("owner", "provider")), made(RESERVATIONS, ("id",))
        # What asks while one read is under way is read together next.
        self._reads: GroupCommit[PoolKey, Pool | None] = GroupCommit(self._find_all)
        self._by_id: GroupCommit[str, Sequence[Reservation]] = GroupCommit(self._find_ids)

    async def find(self, key: PoolKey) -> Pool | None:
        """The pool as last written."""
        return await self._reads.submit(key)

    async def _find_all(self, keys: Sequence[PoolKey]) -> Sequence[Pool | None]:
        wanted = [{"owner": str(key.owner), "provider": key.provider} for key in keys]
        rows = await self._database.query(lambda c: self._rows.find(c, wanted, lock=False))
        found = {pool.key: pool for pool in map(pool_from, rows)}
        return [found.get(key) for key in keys]

    async def create(self, pool: Pool, *, answer: Answer | None = None) -> bool:
        """Makes a pool; False when there is one."""
        try:
            await self._do(Open(opened=pool, answer=answer))
        except PoolExistsError:
            return False
        return True

    async def set_allowance(
        self, key: PoolKey, allowance: int, *, window: Window, now_us: int
    ) -> Pool | None:
        """The pool with another allowance; None when there is none."""
        wanted = Adjust(pool=key, allowance=allowance, window=window, now_us=now_us)
        try:
            return await self._do(wanted)
        except PoolNotFoundError:
            return None

    async def _do(self, operation: Open | Adjust) -> Pool:
        return await self._database.transact(lambda c: self._books.do(c, operation))

    async def reservations(self, id_: str) -> Sequence[Reservation]:
        """Those of this id, of whichever owners."""
        return await self._by_id.submit(id_)

    async def _find_ids(self, ids: Sequence[str]) -> Sequence[Sequence[Reservation]]:
        found: dict[str, list[Reservation]] = {id_: [] for id_ in ids}
        wanted = [{"id": id_} for id_ in found]
        rows = await self._database.query(lambda c: self._named.find(c, wanted, lock=False))
        for row in rows:
            found[row.id].append(reservation_from(row))
        return [found[id_] for id_ in ids]

    async def orphans(self, before_us: int, limit: int) -> Sequence[Reservation]:
        """Reservations whose time was up before a moment, oldest first."""
        which = {"before_us": before_us, "most": limit}
        async with self._database.read() as connection:
            return [reservation_from(row) for row in await connection.execute(_ORPHANS, which)]
