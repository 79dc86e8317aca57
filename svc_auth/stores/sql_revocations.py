"""Revocations, which every instance of svc_auth reads and tells its watchers."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, Row, delete, func, or_, select

from mesh.storage.database import Database
from svc_auth.domain.record import Record
from svc_auth.domain.revocation import Kind, Numbered, Revocation
from svc_auth.stores.sql_record import revoke, write_down
from svc_auth.stores.tables import REVOCATIONS

_SEQ = REVOCATIONS.c.seq


class SqlRevocations:
    """Implements RevocationLog."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def newest(self) -> int:
        """The highest place so far; 0 for none."""
        query = select(func.coalesce(func.max(_SEQ), 0))

        def ask(connection: Connection) -> int:
            return int(connection.execute(query).scalar_one())

        return await self._database.query(ask)

    async def after(self, seq: int, *, also: Collection[int], limit: int) -> Sequence[Numbered]:
        """The first of those beyond a place and at those places, in order."""
        beyond = or_(seq < _SEQ, _SEQ.in_(also)) if also else seq < _SEQ
        query = select(REVOCATIONS).where(beyond).order_by(_SEQ).limit(limit)

        def ask(connection: Connection) -> Sequence[Numbered]:
            return [_numbered(row) for row in connection.execute(query)]

        return await self._database.query(ask)

    async def standing(self, now: int, *, after: int, limit: int) -> Sequence[Numbered]:
        """Those beyond a place that somebody must still remember, in order."""
        query = (
            select(REVOCATIONS)
            .where(REVOCATIONS.c.until > now, after < _SEQ)
            .order_by(_SEQ)
            .limit(limit)
        )
        async with self._database.read() as connection:
            return [_numbered(row) for row in await connection.execute(query)]

    async def revoke(self, record: Record) -> None:
        """Stores a record by itself."""
        async with self._database.write() as connection:
            await write_down(connection, record)

    async def repeat(self, revocation: Revocation) -> None:
        """Stores a later revocation of what a record has revoked already."""
        async with self._database.write() as connection:
            await revoke(connection, revocation)

    async def forget(self, *, ended_before: int) -> int:
        """Deletes those that nobody needs any more; how many."""
        gone = delete(REVOCATIONS).where(REVOCATIONS.c.until < ended_before)
        async with self._database.write() as connection:
            return (await connection.execute(gone)).rowcount


def _numbered(row: Row[Any]) -> Numbered:
    revocation = Revocation(kind=Kind(row.kind), subject=row.subject, at=row.at, until=row.until)
    return Numbered(seq=row.seq, revocation=revocation)
