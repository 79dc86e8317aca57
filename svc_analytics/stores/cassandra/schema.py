"""The keyspace and its tables: made by `leaky migrate`, expected by the store."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

from cassandra import InvalidRequest
from cassandra.cluster import Session

from leaky.common.v1.reason_pb2 import REASON_UNAVAILABLE
from mesh.errors import AppError
from mesh.storage.schema import NewerDataError, OlderDataError
from mesh.telemetry.redact import scrub
from svc_analytics.stores.cassandra.address import Address
from svc_analytics.stores.cassandra.cluster import AWAY, new_cluster
from svc_analytics.stores.cassandra.statements import revisions, split, statements

T = TypeVar("T")
# Making a table takes a loaded node some seconds.
SECONDS = 30.0
_REVISIONS = (
    "CREATE TABLE IF NOT EXISTS schema_revisions"
    " (service text, revision text, PRIMARY KEY (service, revision))"
)
_REACHED = "INSERT INTO schema_revisions (service, revision) VALUES ('analytics', %s)"


class CassandraSchema:
    """The port `Schema`; each file of `revisions/` is one."""

    def __init__(self, address: Address) -> None:
        self._address = address

    @property
    def newest(self) -> str:
        """The last file's number."""
        return max(revisions())

    async def current(self) -> str | None:
        """The revision that the keyspace is at; None where there is none."""
        return await asyncio.to_thread(self._with_session, self._current)

    async def upgrade(self) -> None:
        """Makes the keyspace and its tables, or brings them up to date."""
        await asyncio.to_thread(self._with_session, self._upgrade)

    def _current(self, session: Session) -> str | None:
        return revision(session, self._address.keyspace)

    def _upgrade(self, session: Session) -> None:
        _run(session, _keyspace(self._address))
        session.set_keyspace(self._address.keyspace)
        _run(session, _REVISIONS)
        current = revision(session, self._address.keyspace)
        _refuse_newer(current)
        for number, file in revisions().items():
            if number > (current or ""):
                for statement in split(file.read_text()):
                    _run(session, statement)
                _run(session, _REACHED, (number,))

    def _with_session(self, work: Callable[[Session], T]) -> T:
        with _cluster_session(self._address) as session:
            return work(session)


@asynccontextmanager
async def open_schema(url: str) -> AsyncIterator[CassandraSchema]:
    """The tables behind the URL, for `leaky migrate`."""
    yield CassandraSchema(Address.parse(url))


def check(session: Session, keyspace: str) -> None:
    """Raises OlderDataError or NewerDataError unless the tables are as this version needs them."""
    current, newest = revision(session, keyspace), max(revisions())
    _refuse_newer(current)
    if current != newest:
        raise OlderDataError(
            f"the data of analytics is at revision {current or 'none'}, and this version needs"
            f" {newest}; run leaky migrate"
        )


def revision(session: Session, keyspace: str) -> str | None:
    """What the keyspace is at; None where there is none."""
    try:
        row = session.execute(statements(keyspace)["revision"]).one()
    except InvalidRequest:
        return None
    return row[0] if row else None


@contextmanager
def _cluster_session(address: Address) -> Iterator[Session]:
    try:
        # Only the first node is asked: it puts the changes of several `leaky migrate` in order.
        with new_cluster(address, only_first=True) as cluster:
            yield cluster.connect()
    except AWAY as error:
        message = f"cassandra is away: {scrub(str(error))}"
        raise AppError(REASON_UNAVAILABLE, message, retry_after=1) from error


def _refuse_newer(current: str | None) -> None:
    if current is not None and current not in revisions():
        raise NewerDataError(
            f"the data of analytics is at revision {current}, which this version does not know;"
            " run the version that wrote it, or a newer one"
        )


def _run(session: Session, statement: str, values: tuple[Any, ...] | None = None) -> None:
    session.execute(statement, values, timeout=SECONDS)


def _keyspace(address: Address) -> str:
    if address.datacenter:
        replicas = f"'class': 'NetworkTopologyStrategy', '{address.datacenter}'"
    else:
        replicas = "'class': 'SimpleStrategy', 'replication_factor'"
    return (
        f"CREATE KEYSPACE IF NOT EXISTS {address.keyspace}"
        f" WITH replication = {{{replicas}: {address.replication}}}"
    )
