"""Indexes on the few lines of the ledger that are looked for among many.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    _index_lines("ledger_purchases", ["owner", "ref"], "purchase")
    _index_lines("ledger_windows", ["owner", "provider", "seq"], "renew")


def _index_lines(name: str, columns: list[str], kind: str) -> None:
    where = sa.text(f"kind = '{kind}'")
    op.create_index(name, "ledger", columns, sqlite_where=where, postgresql_where=where)
