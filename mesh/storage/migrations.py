"""Schemas and their revisions: older data is brought up to date, newer data refused.

Each service's `migrations/` is an Alembic folder whose env.py only calls
`run_environment`; its version table carries the service's name, so that
services may share a database.
"""

from dataclasses import dataclass
from pathlib import Path

from alembic import command, context
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import func, select
from sqlalchemy.engine import Connection

from mesh.storage.database import Database
from mesh.storage.schema import NewerDataError, OlderDataError


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlSchema:
    """The tables of one service, as the Alembic folder says."""

    database: Database
    service: str
    folder: Path

    @property
    def newest(self) -> str:
        """The folder's last revision."""
        return ScriptDirectory.from_config(self._config()).get_current_head() or ""

    async def current(self) -> str | None:
        """What the service's version table says."""
        async with self.database.read() as connection:
            return await connection.run_sync(_current, self._version_table)

    async def upgrade(self) -> None:
        """In one transaction, which waits for another one that does the same."""
        async with self.database.write() as connection:
            await connection.run_sync(self._upgrade)

    def _upgrade(self, connection: Connection) -> None:
        if not self.database.embedded:
            lock = func.pg_advisory_xact_lock(func.hashtext(self._version_table))
            connection.execute(select(lock))
        self.check(_current(connection, self._version_table), upgradable=True)
        config = self._config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")

    def check(self, current: str | None, *, upgradable: bool) -> None:
        """Raises NewerDataError for an unknown revision, OlderDataError unless upgradable."""
        script = ScriptDirectory.from_config(self._config())
        if current is not None and current not in {one.revision for one in script.walk_revisions()}:
            raise NewerDataError(
                f"the data of {self.service} is at revision {current}, which this version does"
                " not know; run the version that wrote it, or a newer one"
            )
        if current != self.newest and not upgradable:
            raise OlderDataError(
                f"the data of {self.service} is at revision {current or 'none'}, and this version"
                f" needs {self.newest}; run leaky migrate"
            )

    @property
    def _version_table(self) -> str:
        return f"alembic_version_{self.service}"

    def _config(self) -> Config:
        config = Config()
        config.set_main_option("script_location", str(self.folder).replace("%", "%%"))
        config.attributes["version_table"] = self._version_table
        return config


async def migrate(database: Database, *, service: str, folder: Path) -> None:
    """Brings the database to the newest revision in the folder.

    Raises NewerDataError when it is at a revision that the folder does not know.
    """
    await SqlSchema(database=database, service=service, folder=folder).upgrade()


async def prepare(database: Database, *, service: str, folder: Path) -> None:
    """What a service does before it works: an embedded database it migrates, others it checks.

    Raises NewerDataError, and OlderDataError where `leaky migrate` has to be run.
    """
    schema = SqlSchema(database=database, service=service, folder=folder)
    if database.embedded:
        await schema.upgrade()
    else:
        schema.check(await schema.current(), upgradable=False)


def _current(connection: Connection, version_table: str) -> str | None:
    options = {"version_table": version_table}
    return MigrationContext.configure(connection, opts=options).get_current_revision()


def run_environment() -> None:
    """What a service's migrations/env.py consists of."""
    attributes = context.config.attributes
    context.configure(
        connection=attributes["connection"], version_table=attributes["version_table"]
    )
    context.run_migrations()
