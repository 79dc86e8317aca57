"""Members of organisations.

Whatever changes an organisation's members locks its row first, so that such
changes take turns: none sees an owner or a place that the next one takes away.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from mesh.storage.database import Database
from svc_auth.domain.membership import Change, Member, Standing
from svc_auth.domain.record import Record
from svc_auth.stores.sql_insert import insert_new
from svc_auth.stores.sql_record import write_down
from svc_auth.stores.tables import INVITATIONS, MEMBERSHIPS, ORGANIZATIONS, USERS


class SqlMemberships:
    """Implements Memberships."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def members_of(self, org_id: str) -> Sequence[Member]:
        """Everybody who belongs to it, oldest membership first."""
        query = (
            select(MEMBERSHIPS, USERS.c.username)
            .outerjoin(USERS, USERS.c.id == MEMBERSHIPS.c.user_id)
            .where(MEMBERSHIPS.c.org_id == org_id)
            .order_by(MEMBERSHIPS.c.created_at, MEMBERSHIPS.c.user_id)
        )
        async with self._database.read() as connection:
            return [
                Member(
                    user_id=row.user_id,
                    username=row.username,
                    standing=Standing(row.standing),
                    joined_at=row.created_at,
                )
                for row in await connection.execute(query)
            ]

    async def put_member(
        self, org_id: str, user_id: str, *, at: int, most: int, record: Record
    ) -> Change:
        """Makes the user a member, and the owner where there is none."""
        async with self._database.write() as connection:
            begun = {"id": org_id, "name": org_id, "created_at": at}
            await insert_new(connection, ORGANIZATIONS, begun)
            await lock_org(connection, org_id)
            standing = await find_standing(connection, org_id, user_id)
            owned = bool(await _owners(connection, org_id))
            if standing is not None and owned:
                return Change.SAME
            wanted = Standing.MEMBER if owned else Standing.OWNER
            if standing is not None:
                await _set(connection, org_id, {user_id}, wanted)
            elif await count_members(connection, org_id) >= most:
                return Change.FULL
            else:
                await add_member(connection, org_id, user_id, wanted, at=at)
            await write_down(connection, record)
            return Change.DONE

    async def set_standing(
        self, org_id: str, user_id: str, standing: Standing, *, record: Record
    ) -> Change:
        """Makes a member something else."""
        async with self._database.write() as connection:
            had = await _held(connection, org_id, user_id)
            if isinstance(had, Change):
                return had
            if had is standing:
                return Change.SAME
            if had is Standing.OWNER and len(await _owners(connection, org_id)) == 1:
                return Change.LAST_OWNER
            await _set(connection, org_id, {user_id}, standing)
            await _withdraw_of(connection, org_id, {user_id})
            await write_down(connection, record)
            return Change.DONE

    async def remove_member(
        self, org_id: str, user_id: str, *, emptying: bool, record: Record
    ) -> Change:
        """Ends the membership."""
        async with self._database.write() as connection:
            had = await _held(connection, org_id, user_id)
            if isinstance(had, Change):
                return had
            if had is Standing.OWNER and len(await _owners(connection, org_id)) == 1:
                alone = await count_members(connection, org_id) == 1
                if not (alone and emptying):
                    return Change.LAST_OWNER
            await connection.execute(delete(MEMBERSHIPS).where(*_member(org_id, user_id)))
            await _withdraw_of(connection, org_id, {user_id})
            await write_down(connection, record)
            return Change.DONE

    async def transfer(
        self,
        org_id: str,
        *,
        giver: str,
        taker: str,
        for_all: bool,
        record: Callable[[Collection[str]], Record],
    ) -> Change:
        """Makes the taker an owner, and the giver, or every other owner, a MEMBER."""
        async with self._database.write() as connection:
            had = await _held(connection, org_id, taker)
            if isinstance(had, Change):
                return had
            owners = await _owners(connection, org_id)
            if giver not in owners and not for_all:
                # The standing that it came with may have been taken from it since.
                return Change.NO_OWNER
            leaving = ({giver} if giver in owners else owners) - {taker}
            taking = {taker} - owners
            changed = leaving | taking
            if not changed:
                return Change.SAME
            await _set(connection, org_id, leaving, Standing.MEMBER)
            await _withdraw_of(connection, org_id, leaving)
            await _set(connection, org_id, taking, Standing.OWNER)
            await write_down(connection, record(changed))
            return Change.DONE

    async def find_standing(self, org_id: str, user_id: str) -> Standing | None:
        """What the user is in the organisation."""
        async with self._database.read() as connection:
            return await find_standing(connection, org_id, user_id)


async def lock_org(connection: AsyncConnection, org_id: str) -> bool:
    """Takes the organisation's turn until the transaction ends; False when there is none."""
    # Where the database locks no rows, its writer is alone anyway.
    query = select(ORGANIZATIONS.c.id).where(ORGANIZATIONS.c.id == org_id).with_for_update()
    return (await connection.execute(query)).first() is not None


async def find_standing(connection: AsyncConnection, org_id: str, user_id: str) -> Standing | None:
    """What the user is in the organisation."""
    query = select(MEMBERSHIPS.c.standing).where(*_member(org_id, user_id))
    standing = (await connection.execute(query)).scalar_one_or_none()
    return None if standing is None else Standing(standing)


async def count_members(connection: AsyncConnection, org_id: str) -> int:
    """How many belong to the organisation."""
    query = select(func.count()).select_from(MEMBERSHIPS).where(MEMBERSHIPS.c.org_id == org_id)
    return int((await connection.execute(query)).scalar_one())


async def add_member(
    connection: AsyncConnection, org_id: str, user_id: str, standing: Standing, *, at: int
) -> None:
    """Stores a membership of somebody who has none."""
    row = {"org_id": org_id, "user_id": user_id, "standing": standing, "created_at": at}
    await connection.execute(insert(MEMBERSHIPS).values(row))


async def _held(connection: AsyncConnection, org_id: str, user_id: str) -> Standing | Change:
    if not await lock_org(connection, org_id):
        return Change.NO_ORG
    return await find_standing(connection, org_id, user_id) or Change.NO_MEMBER


def _member(org_id: str, user_id: str) -> tuple[Any, Any]:
    return MEMBERSHIPS.c.org_id == org_id, MEMBERSHIPS.c.user_id == user_id


async def _owners(connection: AsyncConnection, org_id: str) -> set[str]:
    owner = (MEMBERSHIPS.c.org_id == org_id, MEMBERSHIPS.c.standing == Standing.OWNER)
    return set((await connection.execute(select(MEMBERSHIPS.c.user_id).where(*owner))).scalars())


async def _set(
    connection: AsyncConnection, org_id: str, users: Collection[str], standing: Standing
) -> None:
    whose = (MEMBERSHIPS.c.org_id == org_id, MEMBERSHIPS.c.user_id.in_(users))
    await connection.execute(update(MEMBERSHIPS).where(*whose).values(standing=standing))


async def _withdraw_of(connection: AsyncConnection, org_id: str, users: Collection[str]) -> None:
    # What they have invited while they might: with one for an address of its own, who is no
    # owner any more would be one again.
    whose = (INVITATIONS.c.org_id == org_id, INVITATIONS.c.invited_by.in_(users))
    await connection.execute(delete(INVITATIONS).where(*whose, INVITATIONS.c.accepted_by.is_(None)))
