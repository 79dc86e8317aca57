"""What users have allowed OAuth2's clients.

Locks are taken as everywhere: the user, the client, consents in the order of
their scopes, then grants.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, delete, func, select

from mesh.storage.database import Database
from svc_auth.domain.oauth2.consent import Consent
from svc_auth.domain.oauth2.playground import PLAYGROUND
from svc_auth.domain.record import Record
from svc_auth.stores.sql_insert import insert_new
from svc_auth.stores.sql_logins import lock_user
from svc_auth.stores.sql_oauth_grants import hold_client, hold_consent, revoke_grants
from svc_auth.stores.sql_record import write_down
from svc_auth.stores.tables_oauth2 import (
    OAUTH_CLIENTS,
    OAUTH_CONSENTS,
    OAUTH_GRANTS,
    OAUTH_REFRESH_TOKENS,
)

_CONSENT = OAUTH_CONSENTS.c


class SqlConsents:
    """Implements Consents."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find_consent(self, user_id: str, client_id: str) -> frozenset[str]:
        """The scopes that the user has allowed the client."""
        query = select(_CONSENT.scope).where(_given(user_id, client_id))
        async with self._database.read() as connection:
            return frozenset((await connection.execute(query)).scalars())

    async def add_consent(
        self, user_id: str, client_id: str, scopes: Sequence[str], *, at: int, record: Record
    ) -> None:
        """Remembers them beside those that were allowed before."""
        whose = {"user_id": user_id, "client_id": client_id, "created_at": at}
        async with self._database.write() as connection:
            if not await hold_client(connection, client_id):
                return
            # In one order, so that two pages that agree at once cannot deadlock.
            for scope in sorted(scopes):
                await insert_new(connection, OAUTH_CONSENTS, whose | {"scope": scope})
            await write_down(connection, record)

    async def consents_of(self, user_id: str) -> Sequence[Consent]:
        """All that the user has allowed, oldest first."""
        named = OAUTH_CONSENTS.outerjoin(OAUTH_CLIENTS, OAUTH_CLIENTS.c.id == _CONSENT.client_id)
        query = (
            select(OAUTH_CONSENTS, OAUTH_CLIENTS.c.name)
            .select_from(named)
            .where(_CONSENT.user_id == user_id)
            .order_by(_CONSENT.client_id)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
            used = (await connection.execute(_last_used(user_id))).all()
        uses = {row.client_id: max(row.redeemed or 0, row.refreshed or 0) for row in used}
        by_client = groupby(rows, lambda row: str(row.client_id))
        found = [_consent(client_id, its, uses.get(client_id)) for client_id, its in by_client]
        return sorted(found, key=lambda one: (one.created_at, one.client_id))

    async def withdraw_consent(
        self, user_id: str, client_id: str, *, at: int, record: Record
    ) -> bool:
        """Forgets what the user allowed the client, and revokes every grant that came of it."""
        async with self._database.write() as connection:
            await lock_user(connection, user_id)
            await hold_client(connection, client_id)
            if not await hold_consent(connection, user_id, client_id, alone=True):
                return False
            await connection.execute(delete(OAUTH_CONSENTS).where(_given(user_id, client_id)))
            await revoke_grants(connection, user_id, client_id, at=at, caller=record.entry.caller)
            await write_down(connection, record)
            return True


def _given(user_id: str, client_id: str) -> ColumnElement[bool]:
    return and_(_CONSENT.user_id == user_id, _CONSENT.client_id == client_id)


def _last_used(user_id: str) -> Any:
    grant, refresh = OAUTH_GRANTS.c, OAUTH_REFRESH_TOKENS.c
    tokens = OAUTH_GRANTS.outerjoin(OAUTH_REFRESH_TOKENS, refresh.grant_id == grant.id)
    redeemed = func.max(grant.redeemed_at).label("redeemed")
    refreshed = func.max(refresh.used_at).label("refreshed")
    return (
        select(grant.client_id, redeemed, refreshed)
        .select_from(tokens)
        .where(grant.user_id == user_id)
        .group_by(grant.client_id)
    )


def _consent(client_id: str, rows: Iterable[Row[Any]], used: int | None) -> Consent:
    given = list(rows)
    # The one that `local` brings along is in no table.
    unnamed = PLAYGROUND.name if client_id == PLAYGROUND.id else client_id
    return Consent(
        client_id=client_id,
        client_name=given[0].name or unnamed,
        scopes=tuple(sorted(row.scope for row in given)),
        created_at=min(row.created_at for row in given),
        # 0 of a grant whose code nobody has redeemed.
        last_used_at=used or None,
    )
