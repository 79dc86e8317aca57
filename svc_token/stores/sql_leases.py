"""Leases in SQL, shared out under the locks of their rows."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, delete, select

from mesh.storage.database import Database
from svc_token.domain.lease import Lease, shared
from svc_token.stores.sql_statements import STATEMENTS
from svc_token.stores.tables import LEASES

_COLUMNS = ("name", "holder", "until_us", "fence")


class SqlLeases:
    """The leases of a group are rows `group/name`; who is alive has a row `group@holder`.

    Turns of a group wait for each other, for each locks all its rows first, in
    the order of their names.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows = STATEMENTS[database.dialect](LEASES, ("name",), _COLUMNS[1:], once="name")

    async def share(
        self, group: str, names: Sequence[str], holder: str, *, now_us: int, until_us: int
    ) -> Sequence[Lease]:
        """This holder's fair share of the names, leased to it until then."""
        rows = [f"{group}/{name}" for name in names]

        def turn(connection: Connection) -> Sequence[Lease]:
            leases = self._locked(connection, rows)
            known = self._known(connection, group)
            living = {one.holder for one in known if one.held(now_us)}
            changed = shared(leases, holder, living, now_us=now_us, until_us=until_us)
            self._write(connection, changed)
            self._live(connection, f"{group}@{holder}", holder, until_us)
            self._bury(connection, [one for one in known if not one.held(now_us)], holder)
            return [_named(lease) for lease in changed if lease.held(now_us)]

        return await self._database.transact(turn)

    async def give_back(self, group: str, names: Sequence[str], holder: str) -> None:
        """Nothing of the group is this holder's any more, and it does not count as alive."""
        rows = [f"{group}/{name}" for name in names]

        def leave(connection: Connection) -> None:
            mine = [one for one in self._locked(connection, rows) if one.holder == holder]
            self._write(connection, [lease.given_back() for lease in mine])
            self._rows.delete(connection, [{"name": f"{group}@{holder}"}])

        await self._database.transact(leave)

    def _locked(self, connection: Connection, names: Sequence[str]) -> Sequence[Lease]:
        keys = [{"name": name} for name in sorted(names)]
        found = self._rows.find(connection, keys, lock=True)
        if len(found) < len(keys):
            self._rows.insert(connection, [_row(Lease(name=key["name"])) for key in keys])
            found = self._rows.find(connection, keys, lock=True)
        return sorted(map(_lease, found), key=lambda lease: lease.name)

    def _known(self, connection: Connection, group: str) -> Sequence[Lease]:
        marks = LEASES.c.name.startswith(f"{group}@", autoescape=True)
        return [_lease(row) for row in connection.execute(select(LEASES).where(marks))]

    def _live(self, connection: Connection, name: str, holder: str, until_us: int) -> None:
        mark = Lease(name=name, holder=holder, until_us=until_us)
        self._rows.insert(connection, [_row(mark)])
        self._write(connection, [mark])

    def _bury(self, connection: Connection, dead: Iterable[Lease], holder: str) -> None:
        names = [one.name for one in dead if one.holder != holder]
        if names:
            connection.execute(delete(LEASES).where(LEASES.c.name.in_(names)))

    def _write(self, connection: Connection, leases: Iterable[Lease]) -> None:
        rows = [_row(lease) for lease in leases]
        if rows:
            self._rows.update(connection, rows)


def _row(lease: Lease) -> dict[str, Any]:
    return {name: getattr(lease, name) for name in _COLUMNS}


def _lease(row: Row[Any]) -> Lease:
    return Lease(name=row.name, holder=row.holder, until_us=row.until_us, fence=row.fence)


def _named(lease: Lease) -> Lease:
    """By the name that the caller gave."""
    return Lease(
        name=lease.name.partition("/")[2],
        holder=lease.holder,
        until_us=lease.until_us,
        fence=lease.fence,
    )
