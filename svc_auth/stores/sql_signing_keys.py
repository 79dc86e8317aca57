"""Signing keys, sealed."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from mesh.storage.database import Database
from svc_auth.ports import SealedKey
from svc_auth.stores.sql_insert import insert_new
from svc_auth.stores.tables import SIGNING_KEYS

FIRST_GENERATION = 1


class SqlSigningKeys:
    """Implements SigningKeys."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find_signing_key(self, alg: str) -> SealedKey | None:
        """The key of the algorithm."""
        async with self._database.read() as connection:
            return await _signing_key(connection, alg)

    async def adopt_signing_key(self, key: SealedKey) -> SealedKey:
        """Stores the key unless its algorithm has one; returns the one that counts."""
        row = {
            "alg": key.alg,
            "generation": FIRST_GENERATION,
            "kid": key.kid,
            "sealed": key.sealed,
            "created_at": key.created_at,
        }
        async with self._database.write() as connection:
            await insert_new(connection, SIGNING_KEYS, row)
            return await _signing_key(connection, key.alg) or key


async def _signing_key(connection: AsyncConnection, alg: str) -> SealedKey | None:
    newest = SIGNING_KEYS.c.generation.desc()
    query = select(SIGNING_KEYS).where(SIGNING_KEYS.c.alg == alg).order_by(newest).limit(1)
    row = (await connection.execute(query)).first()
    if row is None:
        return None
    return SealedKey(kid=row.kid, alg=row.alg, sealed=row.sealed, created_at=row.created_at)
