"""An index on the lines that cut an allowance, which are few: what they explain is no overdraft.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    where = sa.text("allowance < 0")
    columns = ["owner", "provider", "window"]
    op.create_index("ledger_cuts", "ledger", columns, sqlite_where=where, postgresql_where=where)
