"""Invitations into organisations. A withdrawn one is gone; others are kept for a while."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from mesh.storage.database import Database
from svc_auth.domain.invitation import Acceptance, Invitation, Invited
from svc_auth.domain.membership import Standing
from svc_auth.domain.record import Record
from svc_auth.domain.text import comparable
from svc_auth.stores.sql_memberships import (
    add_member,
    count_members,
    find_standing,
    lock_org,
)
from svc_auth.stores.sql_record import write_down
from svc_auth.stores.tables import INVITATIONS, MEMBERSHIPS, USERS

# So long, in microseconds, an invitation that is over still says that it is.
KEPT = 30 * 86_400_000_000


class SqlInvitations:
    """Implements Invitations."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add_invitation(
        self, invitation: Invitation, token_hash: str, *, most: int, record: Record
    ) -> Invited:
        """Stores an invitation in the place of one that is open for its address."""
        org_id, key, now = invitation.org_id, comparable(invitation.email), invitation.created_at
        async with self._database.write() as connection:
            if not await lock_org(connection, org_id):
                return Invited.NO_ORG
            if await _is_members(connection, org_id, key):
                return Invited.MEMBER
            others = (*_open(org_id, now), INVITATIONS.c.email_key != key)
            count = select(func.count()).select_from(INVITATIONS).where(*others)
            if (await connection.execute(count)).scalar_one() >= most:
                return Invited.FULL
            await _clear(connection, org_id, key, now)
            row = _row(invitation) | {"email_key": key, "token_hash": token_hash}
            await connection.execute(insert(INVITATIONS).values(row))
            await write_down(connection, record)
            return Invited.DONE

    async def invitations_of(self, org_id: str, *, at: int) -> Sequence[Invitation]:
        """Those that may still be accepted, oldest first."""
        query = select(INVITATIONS).where(*_open(org_id, at))
        query = query.order_by(INVITATIONS.c.created_at, INVITATIONS.c.id)
        async with self._database.read() as connection:
            return [_read(row) for row in await connection.execute(query)]

    async def withdraw_invitation(
        self, org_id: str, invitation_id: str, *, at: int, record: Record
    ) -> bool:
        """False when there is no such invitation that may still be accepted."""
        async with self._database.write() as connection:
            # After an acceptance under way, whose membership would outlive the withdrawal.
            await lock_org(connection, org_id)
            this = (INVITATIONS.c.id == invitation_id, *_open(org_id, at))
            gone = bool((await connection.execute(delete(INVITATIONS).where(*this))).rowcount)
            if gone:
                await write_down(connection, record)
            return gone

    async def find_invitation(self, token_hash: str) -> Invitation | None:
        """The invitation, also one that expired or was accepted."""
        query = select(INVITATIONS).where(INVITATIONS.c.token_hash == token_hash)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        return None if row is None else _read(row)

    async def accept(
        self, invitation_id: str, user_id: str, *, at: int, most: int, record: Record
    ) -> Acceptance:
        """Makes the user a member as the invitation says, once."""
        async with self._database.write() as connection:
            invitation = await _locked(connection, invitation_id)
            if invitation is None:
                return Acceptance.GONE
            refusal = await _refusal(connection, invitation, user_id, at=at, most=most)
            if refusal is not None:
                return refusal
            org_id, standing = invitation.org_id, invitation.standing
            await add_member(connection, org_id, user_id, standing, at=at)
            done = update(INVITATIONS).where(INVITATIONS.c.id == invitation_id)
            await connection.execute(done.values(accepted_at=at, accepted_by=user_id))
            await write_down(connection, record)
            return Acceptance.DONE


async def _locked(connection: AsyncConnection, invitation_id: str) -> Invitation | None:
    query = select(INVITATIONS).where(INVITATIONS.c.id == invitation_id)
    row = (await connection.execute(query)).first()
    if row is None:
        return None
    # Only under the organisation's lock is what the row says still so.
    await lock_org(connection, row.org_id)
    row = (await connection.execute(query)).first()
    return None if row is None else _read(row)


async def _refusal(
    connection: AsyncConnection, invitation: Invitation, user_id: str, *, at: int, most: int
) -> Acceptance | None:
    member = await find_standing(connection, invitation.org_id, user_id) is not None
    if invitation.accepted_by is not None:
        again = member and invitation.accepted_by == user_id
        return Acceptance.AGAIN if again else Acceptance.USED
    if invitation.expired(at):
        return Acceptance.EXPIRED
    if member:
        return Acceptance.MEMBER
    full = await count_members(connection, invitation.org_id) >= most
    return Acceptance.FULL if full else None


async def _is_members(connection: AsyncConnection, org_id: str, email_key: str) -> bool:
    query = (
        select(USERS.c.id)
        .join(MEMBERSHIPS, MEMBERSHIPS.c.user_id == USERS.c.id)
        .where(MEMBERSHIPS.c.org_id == org_id, USERS.c.email_key == email_key)
    )
    return (await connection.execute(query)).first() is not None


async def _clear(connection: AsyncConnection, org_id: str, email_key: str, now: int) -> None:
    replaced = (*_open(org_id, now), INVITATIONS.c.email_key == email_key)
    await connection.execute(delete(INVITATIONS).where(*replaced))
    forgotten = (INVITATIONS.c.org_id == org_id, INVITATIONS.c.expires_at < now - KEPT)
    await connection.execute(delete(INVITATIONS).where(*forgotten))


def _open(org_id: str, now: int) -> tuple[Any, Any, Any]:
    return (
        INVITATIONS.c.org_id == org_id,
        INVITATIONS.c.accepted_at.is_(None),
        INVITATIONS.c.expires_at > now,
    )


def _row(invitation: Invitation) -> dict[str, Any]:
    return {
        "id": invitation.id,
        "org_id": invitation.org_id,
        "email": invitation.email,
        "standing": invitation.standing,
        "invited_by": invitation.invited_by,
        "created_at": invitation.created_at,
        "expires_at": invitation.expires_at,
    }


def _read(row: Row[Any]) -> Invitation:
    return Invitation(
        id=row.id,
        org_id=row.org_id,
        email=row.email,
        standing=Standing(row.standing),
        invited_by=row.invited_by,
        created_at=row.created_at,
        expires_at=row.expires_at,
        accepted_by=row.accepted_by,
    )
