"""Pools as they are read and set up, in SQL."""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import ColumnElement, and_, insert, select, update
from sqlalchemy.exc import IntegrityError

from mesh.storage.database import Database
from svc_token.domain.owner import PoolKey
from svc_token.domain.pool import Pool
from svc_token.domain.reservation import Reservation, State
from svc_token.domain.window import Window
from svc_token.stores.rows import pool_from, pool_row, reservation_from
from svc_token.stores.tables import POOLS, RESERVATIONS


def is_pool(key: PoolKey) -> ColumnElement[bool]:
    """The row of a pool."""
    return and_(POOLS.c.owner == str(key.owner), POOLS.c.provider == key.provider)


class SqlPools:
    """Reads, and the writes of an administrator."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, key: PoolKey) -> Pool | None:
        """The pool as last written."""
        async with self._database.read() as connection:
            row = (await connection.execute(select(POOLS).where(is_pool(key)))).first()
        return pool_from(row) if row else None

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
        async with self._database.write() as connection:
            query = select(POOLS).where(is_pool(key)).with_for_update()
            row = (await connection.execute(query)).first()
            if row is None:
                return None
            pool = pool_from(row).allowing(allowance).renewed(window)
            pool = replace(pool, updated_us=now_us)
            await connection.execute(update(POOLS).where(is_pool(key)).values(pool_row(pool)))
            return pool

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
