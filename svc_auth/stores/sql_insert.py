"""An insert that both databases know under names of their own."""

from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection


async def insert_new(connection: AsyncConnection, table: Table, row: dict[str, Any]) -> bool:
    """Inserts the row; False when a unique one of its columns is taken."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    new = dialect.insert(table).values(row).on_conflict_do_nothing()
    return bool((await connection.execute(new)).rowcount)
