"""Pools as they are read and set up, in SQL."""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import ColumnElement, Connection, and_, insert, select, update
from sqlalchemy.exc import IntegrityError

from mesh.storage.database import Database
from mesh.storage.group_commit import GroupCommit
from svc_token.domain.owner import PoolKey
from svc_token.domain.pool import Pool
from svc_token.domain.reservation import Reservation, State
from svc_token.domain.window import Window
from svc_token.stores.rows import pool_from, pool_row, reservation_from
from svc_token.stores.sql_statements import STATEMENTS
from svc_token.stores.tables import POOLS, RESERVATIONS


def is_pool(key: PoolKey) -> ColumnElement[bool]:
    """The row of a pool."""
    return and_(POOLS.c.owner == str(key.owner), POOLS.c.provider == key.provider)


class SqlPools:
    """Reads, and the writes of an administrator."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows = STATEMENTS[database.dialect](POOLS, ("owner", "provider"))
        # What asks while one read is under way is read together next.
        self._reads: GroupCommit[PoolKey, Pool | None] = GroupCommit(self._find_all)

    async def find(self, key: PoolKey) -> Pool | None:
        """The pool as last written."""
        return await self._reads.submit(key)

    async def _find_all(self, keys: Sequence[PoolKey]) -> Sequence[Pool | None]:
        wanted = [{"owner": str(key.owner), "provider": key.provider} for key in keys]
        rows = await self._database.query(lambda c: self._rows.find(c, wanted, lock=False))
        found = {pool.key: pool for pool in map(pool_from, rows)}
        return [found.get(key) for key in keys]

    async def create(self, pool: Pool) -> bool:
        """Makes a pool; False when there is one."""
        try:
            async with self._database.write() as connection:
                await connection.execute(insert(POOLS), pool_row(pool))
        except IntegrityError:
            return False
        return True

    async def set_allowance(
        self, key: PoolKey, allowance: int, *, window: Window, now_us: int
    ) -> Pool | None:
        """The pool with another allowance; None when there is none."""
        query = select(POOLS).where(is_pool(key)).with_for_update()

        def change(connection: Connection) -> Pool | None:
            row = connection.execute(query).first()
            if row is None:
                return None
            pool = pool_from(row).allowing(allowance).renewed(window)
            pool = replace(pool, updated_us=now_us)
            connection.execute(update(POOLS).where(is_pool(key)).values(pool_row(pool)))
            return pool

        return await self._database.transact(change)

    async def orphans(self, before_us: int, limit: int) -> Sequence[Reservation]:
        """Reservations whose time was up before a moment, oldest first."""
        query = (
            select(RESERVATIONS)
            .where(
                RESERVATIONS.c.state == State.RESERVED.value,
                RESERVATIONS.c.expires_us < before_us,
            )
            .order_by(RESERVATIONS.c.expires_us)
            .limit(limit)
        )
        async with self._database.read() as connection:
            return [reservation_from(row) for row in await connection.execute(query)]
