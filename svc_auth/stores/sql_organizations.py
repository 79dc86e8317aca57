"""Organisations and their members."""

from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from mesh.storage.database import Database
from svc_auth.domain.membership import Removal, Standing
from svc_auth.domain.record import Record
from svc_auth.stores.sql_insert import insert_new
from svc_auth.stores.sql_record import write_down
from svc_auth.stores.tables import MEMBERSHIPS, ORGANIZATIONS


class SqlOrganizations:
    """Implements Organizations."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put_member(self, org_id: str, user_id: str, *, at: int, record: Record) -> bool:
        """Makes the user a member, and the owner where there is none."""
        async with self._database.write() as connection:
            await insert_new(connection, ORGANIZATIONS, {"id": org_id, "created_at": at})
            await _lock_org(connection, org_id)
            standing = await _standing(connection, org_id, user_id)
            wanted = standing if await _owned(connection, org_id) else Standing.OWNER
            wanted = wanted or Standing.MEMBER
            if standing is None:
                row = {"org_id": org_id, "user_id": user_id, "standing": wanted, "created_at": at}
                await connection.execute(insert(MEMBERSHIPS).values(row))
            elif standing is not wanted:
                change = update(MEMBERSHIPS).where(*_member(org_id, user_id))
                await connection.execute(change.values(standing=wanted))
            if standing is wanted:
                return False
            await write_down(connection, record)
            return True

    async def remove_member(self, org_id: str, user_id: str, *, record: Record) -> Removal:
        """Ends the membership."""
        async with self._database.write() as connection:
            if not await _lock_org(connection, org_id):
                return Removal.NO_ORG
            gone = await connection.execute(delete(MEMBERSHIPS).where(*_member(org_id, user_id)))
            if not gone.rowcount:
                return Removal.NO_MEMBER
            await write_down(connection, record)
            return Removal.DONE

    async def find_standing(self, org_id: str, user_id: str) -> Standing | None:
        """What the user is in the organisation."""
        async with self._database.read() as connection:
            return await _standing(connection, org_id, user_id)


async def _lock_org(connection: AsyncConnection, org_id: str) -> bool:
    # Locks the row where the database knows how; SQLite's writer is alone anyway.
    query = select(ORGANIZATIONS.c.id).where(ORGANIZATIONS.c.id == org_id).with_for_update()
    return (await connection.execute(query)).first() is not None


def _member(org_id: str, user_id: str) -> tuple[Any, Any]:
    return MEMBERSHIPS.c.org_id == org_id, MEMBERSHIPS.c.user_id == user_id


async def _standing(connection: AsyncConnection, org_id: str, user_id: str) -> Standing | None:
    query = select(MEMBERSHIPS.c.standing).where(*_member(org_id, user_id))
    standing = (await connection.execute(query)).scalar_one_or_none()
    return None if standing is None else Standing(standing)


async def _owned(connection: AsyncConnection, org_id: str) -> bool:
    owner = (MEMBERSHIPS.c.org_id == org_id, MEMBERSHIPS.c.standing == Standing.OWNER)
    query = select(MEMBERSHIPS.c.user_id).where(*owner).limit(1)
    return (await connection.execute(query)).first() is not None
