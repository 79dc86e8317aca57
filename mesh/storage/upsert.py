"""INSERT ... ON CONFLICT, which SQLAlchemy has for each dialect apart."""

from collections.abc import Callable, Mapping

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite

INSERT: Mapping[str, Callable[[Table], sqlite.Insert | postgresql.Insert]] = {
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
}
