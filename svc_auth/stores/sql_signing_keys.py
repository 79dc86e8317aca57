"""Signing keys, sealed."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Row, delete, func, select, update

from mesh.storage.database import Database
from svc_auth.domain.record import Record
from svc_auth.domain.signing import KeyLife
from svc_auth.ports import SealedKey
from svc_auth.stores.sql_insert import insert_new
from svc_auth.stores.sql_record import write_down
from svc_auth.stores.tables import SIGNING_KEYS


class SqlSigningKeys:
    """Implements SigningKeys."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def signing_keys(self) -> Sequence[SealedKey]:
        """All of them, of each algorithm the older generations first."""
        query = select(SIGNING_KEYS).order_by(SIGNING_KEYS.c.alg.desc(), SIGNING_KEYS.c.generation)
        async with self._database.read() as connection:
            return [_sealed(row) for row in await connection.execute(query)]

    async def adopt_signing_key(self, key: SealedKey, record: Record) -> SealedKey:
        """Stores the key unless its generation is there; returns the one that counts."""
        row = {
            "alg": key.life.alg,
            "generation": key.life.generation,
            "kid": key.life.kid,
            "sealed": key.sealed,
            "created_at": key.created_at,
            "active_at": key.life.active_at,
            "longest_lifetime": key.life.longest_lifetime,
        }
        same = (SIGNING_KEYS.c.alg == key.life.alg, SIGNING_KEYS.c.generation == row["generation"])
        async with self._database.write() as connection:
            await insert_new(connection, SIGNING_KEYS, row)
            found = (await connection.execute(select(SIGNING_KEYS).where(*same))).one()
            if found.kid == key.life.kid:
                await write_down(connection, record)
            return _sealed(found)

    async def lengthen(self, alg: str, lifetime: int) -> None:
        """Notes that keys of the algorithm sign tokens that live so long."""
        longest = SIGNING_KEYS.c.longest_lifetime
        change = update(SIGNING_KEYS).where(SIGNING_KEYS.c.alg == alg, longest < lifetime)
        async with self._database.write() as connection:
            await connection.execute(change.values(longest_lifetime=lifetime))

    async def longest_lifetime(self) -> int:
        """The longest that a token lives that any of the keys has signed, in microseconds."""
        query = select(func.coalesce(func.max(SIGNING_KEYS.c.longest_lifetime), 0))
        async with self._database.read() as connection:
            return int((await connection.execute(query)).scalar_one())

    async def remove_signing_keys(self, kids: Collection[str]) -> None:
        """Forgets keys for good."""
        gone = delete(SIGNING_KEYS).where(SIGNING_KEYS.c.kid.in_(kids))
        async with self._database.write() as connection:
            await connection.execute(gone)


def _sealed(row: Row[Any]) -> SealedKey:
    life = KeyLife(
        kid=row.kid,
        alg=row.alg,
        generation=row.generation,
        active_at=row.active_at,
        longest_lifetime=row.longest_lifetime,
    )
    return SealedKey(life=life, sealed=row.sealed, created_at=row.created_at)
