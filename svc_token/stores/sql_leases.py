"""Leases in SQL, shared out under the locks of their rows."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, select, update

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
        mark = Lease(name=f"{group}@{holder}", holder=holder, until_us=until_us)

        def turn(connection: Connection) -> Sequence[Lease]:
            leases = self._locked(connection, group, rows)
            marks = [_lease(row) for row in connection.execute(_marks(group))]
            living = {one.holder for one in marks if one.held(now_us)}
            changed = shared(leases, holder, living, now_us=now_us, until_us=until_us)
            self._write(connection, {one.name: one for one in (*leases, *marks)}, [*changed, mark])
            self._bury(connection, [one for one in marks if not one.held(now_us)], holder)
            return [_named(lease) for lease in changed if lease.held(now_us)]

        return await self._database.transact(turn)

    async def give_back(self, group: str, names: Sequence[str], holder: str) -> None:
        """Nothing of the group is this holder's any more, and it does not count as alive."""
        rows = [f"{group}/{name}" for name in names]

        def leave(connection: Connection) -> None:
            leases = self._locked(connection, group, rows)
            known = {one.name: one for one in leases}
            mine = [one.given_back() for one in leases if one.holder == holder]
            self._write(connection, known, mine)
            self._rows.delete(connection, [{"name": f"{group}@{holder}"}])

        await self._database.transact(leave)

    def _locked(
        self, connection: Connection, group: str, names: Collection[str]
    ) -> Sequence[Lease]:
        found = {row.name: _lease(row) for row in connection.execute(_leases(group))}
        missing = [name for name in names if name not in found]
        if missing:
            self._rows.insert(connection, [_row(Lease(name=name)) for name in missing])
            found = {row.name: _lease(row) for row in connection.execute(_leases(group))}
        return [found[name] for name in sorted(names)]

    def _write(
        self, connection: Connection, known: Mapping[str, Lease], leases: Iterable[Lease]
    ) -> None:
        """The leases as they are now; mostly they only last longer, and all for as long."""
        new, other = [], []
        lasting: dict[int, list[str]] = defaultdict(list)
        for lease in leases:
            before = known.get(lease.name)
            if before is None:
                new.append(_row(lease))
            elif (before.holder, before.fence) == (lease.holder, lease.fence):
                lasting[lease.until_us].append(lease.name)
            else:
                other.append(_row(lease))
        if new:
            self._rows.insert(connection, new)
        if other:
            self._rows.update(connection, other)
        for until_us, names in lasting.items():
            connection.execute(_LAST, {"its_until_us": until_us, "names": names})

    def _bury(self, connection: Connection, dead: Iterable[Lease], holder: str) -> None:
        names = [{"name": one.name} for one in dead if one.holder != holder]
        if names:
            self._rows.delete(connection, names)


_LAST = (
    update(LEASES)
    .where(LEASES.c.name.in_(bindparam("names", expanding=True)))
    .values(until_us=bindparam("its_until_us"))
)


@cache
def _leases(group: str) -> Select[Any]:
    mine = select(LEASES).where(LEASES.c.name.startswith(f"{group}/", autoescape=True))
    return mine.order_by(LEASES.c.name).with_for_update()


@cache
def _marks(group: str) -> Select[Any]:
    return select(LEASES).where(LEASES.c.name.startswith(f"{group}@", autoescape=True))


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
