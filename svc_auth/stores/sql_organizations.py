"""Organisations."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from mesh.storage.database import Database
from svc_auth.domain.membership import Standing
from svc_auth.domain.organization import Organization, OwnOrganization
from svc_auth.domain.record import Record
from svc_auth.stores.sql_record import write_down
from svc_auth.stores.tables import MEMBERSHIPS, ORGANIZATIONS, USERS


class SqlOrganizations:
    """Implements Organizations."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add_organization(
        self, organization: Organization, owner: str | None, *, most: int, record: Record
    ) -> bool:
        """Begins an organisation with its owner, unless that one owns `most` already."""
        async with self._database.write() as connection:
            if owner is not None and await _owned(connection, owner) >= most:
                return False
            row = {
                "id": organization.id,
                "name": organization.name,
                "created_at": organization.created_at,
            }
            await connection.execute(insert(ORGANIZATIONS).values(row))
            if owner is not None:
                member = {
                    "org_id": organization.id,
                    "user_id": owner,
                    "standing": Standing.OWNER,
                    "created_at": organization.created_at,
                }
                await connection.execute(insert(MEMBERSHIPS).values(member))
            await write_down(connection, record)
            return True

    async def find_organization(self, org_id: str) -> Organization | None:
        """The organisation."""
        async with self._database.read() as connection:
            return await _organization(connection, org_id)

    async def organizations_of(self, user_id: str) -> Sequence[OwnOrganization]:
        """What the user belongs to, oldest membership first."""
        query = (
            select(ORGANIZATIONS, MEMBERSHIPS.c.standing)
            .join(MEMBERSHIPS, MEMBERSHIPS.c.org_id == ORGANIZATIONS.c.id)
            .where(MEMBERSHIPS.c.user_id == user_id)
            .order_by(MEMBERSHIPS.c.created_at, MEMBERSHIPS.c.org_id)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        return [
            OwnOrganization(organization=_read(row), standing=Standing(row.standing))
            for row in rows
        ]

    async def rename(self, org_id: str, name: str, *, record: Record) -> Organization | None:
        """The organisation under its new name."""
        other = (ORGANIZATIONS.c.id == org_id, ORGANIZATIONS.c.name != name)
        change = update(ORGANIZATIONS).where(*other).values(name=name)
        async with self._database.write() as connection:
            if (await connection.execute(change)).rowcount:
                await write_down(connection, record)
            return await _organization(connection, org_id)


async def _owned(connection: AsyncConnection, user_id: str) -> int:
    # Two beginnings at once take turns, where there is a user to take turns on.
    turn = select(USERS.c.id).where(USERS.c.id == user_id).with_for_update()
    await connection.execute(turn)
    mine = (MEMBERSHIPS.c.user_id == user_id, MEMBERSHIPS.c.standing == Standing.OWNER)
    count = select(func.count()).select_from(MEMBERSHIPS).where(*mine)
    return int((await connection.execute(count)).scalar_one())


async def _organization(connection: AsyncConnection, org_id: str) -> Organization | None:
    query = select(ORGANIZATIONS).where(ORGANIZATIONS.c.id == org_id)
    row = (await connection.execute(query)).first()
    return None if row is None else _read(row)


def _read(row: Row[Any]) -> Organization:
    return Organization(id=row.id, name=row.name, created_at=row.created_at)
