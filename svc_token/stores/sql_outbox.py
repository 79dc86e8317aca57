"""Committed events on their way out, in SQL."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

from sqlalchemy import func, select, update

from mesh.storage.database import Database
from svc_token.domain.events import OutboxRow
from svc_token.stores.rows import outbox_from
from svc_token.stores.sql_statements import STATEMENTS
from svc_token.stores.tables import OUTBOX


class SqlOutbox:
    """Rows in the order of their commits; a delivered one is deleted."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows = STATEMENTS[database.dialect](OUTBOX, ("seq",))

    def turn(self) -> AbstractAsyncContextManager[bool]:
        """Whether to deliver is this process's business now, and nobody else's."""
        return self._database.turn("outbox relay")

    async def pending(self, limit: int) -> Sequence[OutboxRow]:
        """The oldest rows that are not parked."""
        query = select(OUTBOX).where(OUTBOX.c.parked.is_(False)).order_by(OUTBOX.c.seq).limit(limit)
        rows = await self._database.query(lambda c: c.execute(query).all())
        return [outbox_from(row) for row in rows]

    async def delivered(self, seqs: Sequence[int]) -> None:
        """These need not be sent again."""
        gone = [{"seq": seq} for seq in seqs]
        await self._database.transact(lambda c: self._rows.delete(c, gone))

    async def park(self, seq: int) -> None:
        """Sets a row aside that no receiver takes."""
        parked = update(OUTBOX).where(OUTBOX.c.seq == seq).values(parked=True)
        await self._database.transact(lambda c: c.execute(parked))

    async def depth(self) -> int:
        """How many rows wait."""
        query = select(func.count()).select_from(OUTBOX).where(OUTBOX.c.parked.is_(False))
        return int(await self._database.query(lambda c: c.execute(query).scalar_one()))
