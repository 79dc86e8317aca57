"""Migrations at start: older data is brought up to date, newer data refused.

Each service's `migrations/` is an Alembic folder whose env.py only calls
`run_environment`; its version table carries the service's name, so that
services may share a database.
"""

from pathlib import Path

from alembic import command, context
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection

from mesh.storage.database import Database


class NewerDataError(RuntimeError):
    """The data was written by a newer version of the service."""


async def migrate(database: Database, *, service: str, folder: Path) -> None:
    """Brings the database to the newest revision in the folder.

    Raises NewerDataError when it is at a revision that the folder does not know.
    """
    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.attributes["version_table"] = f"alembic_version_{service}"
    async with database.write() as connection:
        await connection.run_sync(_upgrade, config, service)


def _upgrade(connection: Connection, config: Config, service: str) -> None:
    config.attributes["connection"] = connection
    options = {"version_table": config.attributes["version_table"]}
    current = MigrationContext.configure(connection, opts=options).get_current_revision()
    known = {revision.revision for revision in ScriptDirectory.from_config(config).walk_revisions()}
    if current is not None and current not in known:
        raise NewerDataError(
            f"the data of {service} is at revision {current}, which this version does not know;"
            " run the version that wrote it, or a newer one"
        )
    command.upgrade(config, "head")


def run_environment() -> None:
    """What a service's migrations/env.py consists of."""
    attributes = context.config.attributes
    context.configure(
        connection=attributes["connection"], version_table=attributes["version_table"]
    )
    context.run_migrations()
