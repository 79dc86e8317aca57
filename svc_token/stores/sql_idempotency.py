"""Idempotency keys in SQL: who is at them, and what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select

from mesh.storage.database import Database
from mesh.storage.group_commit import GroupCommit
from svc_token.domain.idempotency import Claim, Key
from svc_token.stores.rows import key_from, key_row
from svc_token.stores.sql_statements import STATEMENTS
from svc_token.stores.tables import IDEMPOTENCY_KEYS

_T = IDEMPOTENCY_KEYS
_KEY = ("scope", "operation", "key")
_Rows = dict[Key, Row[Any]]
_OLD = (
    select(*(_T.c[name] for name in _KEY))
    .where(_T.c.created_us < bindparam("before_us"), _T.c.lease_until_us < bindparam("before_us"))
    .order_by(_T.c.created_us)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ask:
    key: Key
    fingerprint: bytes
    id: str
    now_us: int
    lease_until_us: int

    def may_have(self, row: Row[Any]) -> bool:
        """Whether its holder has left it behind."""
        same = row.fingerprint == self.fingerprint
        return same and row.answer is None and row.lease_until_us <= self.now_us

    def found(self, row: Row[Any]) -> Claim:
        """What stands there; mine when it is as I have written it."""
        return Claim(
            key=self.key,
            id=row.id,
            fingerprint=row.fingerprint,
            mine=row.id == self.id and _held(row) == self.lease_until_us,
            lease_until_us=row.lease_until_us,
            answer=row.answer,
        )

    def taken(self, row: Row[Any]) -> Claim:
        """What another left, which is mine now."""
        return Claim(
            key=self.key,
            id=row.id,
            fingerprint=row.fingerprint,
            mine=True,
            lease_until_us=self.lease_until_us,
        )

    def beaten(self) -> Claim:
        """Somebody had it a moment ago, and has let it go: ask again."""
        return Claim(
            key=self.key,
            id="",
            fingerprint=self.fingerprint,
            mine=False,
            lease_until_us=self.now_us,
        )

    def row(self) -> dict[str, Any]:
        return {
            **key_row(self.key),
            "id": self.id,
            "fingerprint": self.fingerprint,
            "lease_until_us": self.lease_until_us,
            "answer": None,
            "created_us": self.now_us,
        }


def _held(row: Row[Any]) -> int | None:
    return row.lease_until_us if row.answer is None else None


class SqlIdempotencyKeys:
    """Rows of IDEMPOTENCY_KEYS; their answers are written by what they answer.

    Who only looks takes no lock, and rows are inserted and locked in the order
    of their keys: processes wait for each other, but never in a circle.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        made = STATEMENTS[database.dialect]
        self._rows = made(_T, _KEY, ("lease_until_us",), once=" ".join(_KEY))
        self._claims: GroupCommit[_Ask, Claim] = GroupCommit(self._claim_all)
        self._drops: GroupCommit[Claim, bool] = GroupCommit(self._drop_all)

    async def claim(
        self, key: Key, fingerprint: bytes, *, id_: str, now_us: int, lease_until_us: int
    ) -> Claim:
        """The claim that stands under the key now."""
        ask = _Ask(
            key=key, fingerprint=fingerprint, id=id_, now_us=now_us, lease_until_us=lease_until_us
        )
        return await self._claims.submit(ask)

    async def drop(self, claim: Claim) -> bool:
        """Nothing came of it: the key is as if it had never been used."""
        return await self._drops.submit(claim)

    async def prune(self, before_us: int, limit: int) -> int:
        """Forgets keys whose lease ended before a moment; how many."""
        which = {"before_us": before_us, "most": limit}

        def forget(connection: Connection) -> int:
            # Not one statement: a subquery that locks may be run more than once.
            keys = [row._asdict() for row in connection.execute(_OLD, which)]
            if keys:
                self._rows.delete(connection, keys)
            return len(keys)

        return await self._database.transact(forget)

    async def close(self) -> None:
        """Returns when nothing waits any more."""
        await self._claims.close()
        await self._drops.close()

    async def _claim_all(self, asks: Sequence[_Ask]) -> Sequence[Claim]:
        return await self._database.transact(lambda connection: self._ask(connection, asks))

    def _ask(self, connection: Connection, asks: Sequence[_Ask]) -> Sequence[Claim]:
        first = {ask.key: ask for ask in reversed(asks)}
        rows = self._find(connection, list(first))
        new = [key for key in first if key not in rows]
        if new:
            self._rows.insert(connection, [first[key].row() for key in _ordered(new)])
            rows |= self._find(connection, new)
        taken = self._take_over(connection, asks, rows)
        return [_claim(ask, rows.get(ask.key), taken) for ask in asks]

    def _take_over(
        self, connection: Connection, asks: Sequence[_Ask], rows: _Rows
    ) -> dict[Key, _Ask]:
        """Who has what was left behind; looked at again once it is locked."""
        left = [ask for ask in asks if ask.key in rows and ask.may_have(rows[ask.key])]
        if not left:
            return {}
        locked = self._find(connection, [ask.key for ask in left], lock=True)
        taken: dict[Key, _Ask] = {}
        for ask in left:
            rows.pop(ask.key, None)
            if ask.key in locked and ask.may_have(locked[ask.key]):
                taken.setdefault(ask.key, ask)
        rows |= locked
        leases = [
            {**key_row(key), "lease_until_us": ask.lease_until_us} for key, ask in taken.items()
        ]
        if leases:
            self._rows.update(connection, leases)
        return taken

    async def _drop_all(self, claims: Sequence[Claim]) -> Sequence[bool]:
        return await self._database.transact(lambda connection: self._drop(connection, claims))

    def _drop(self, connection: Connection, claims: Sequence[Claim]) -> Sequence[bool]:
        rows = self._find(connection, [claim.key for claim in claims], lock=True)
        same = [_same(claim, rows.get(claim.key)) for claim in claims]
        mine = {claim.key for claim, row in zip(claims, same, strict=True) if _left(claim, row)}
        if mine:
            self._rows.delete(connection, [key_row(key) for key in mine])
        # None: dropped before, or by another who had taken it over.
        return [row is None or _left(claim, row) for claim, row in zip(claims, same, strict=True)]

    def _find(self, connection: Connection, keys: Sequence[Key], *, lock: bool = False) -> _Rows:
        wanted = [key_row(key) for key in dict.fromkeys(keys)]
        rows = self._rows.find(connection, wanted, lock=lock)
        return {key_from(row): row for row in rows}


def _same(claim: Claim, row: Row[Any] | None) -> Row[Any] | None:
    """The row, when it is still of what was claimed."""
    return row if row is not None and row.id == claim.id else None


def _left(claim: Claim, row: Row[Any] | None) -> bool:
    """Whether it stands as its holder left it: taken over by nobody, and not answered."""
    return row is not None and _held(row) == claim.lease_until_us


def _ordered(keys: Sequence[Key]) -> list[Key]:
    return sorted(keys, key=lambda key: (key.scope, key.operation, key.key))


def _claim(ask: _Ask, row: Row[Any] | None, taken: dict[Key, _Ask]) -> Claim:
    if row is None:
        return ask.beaten()
    return ask.taken(row) if taken.get(ask.key) is ask else ask.found(row)
