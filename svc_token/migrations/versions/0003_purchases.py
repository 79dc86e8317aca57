"""An index on the ledger's purchases.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    purchase = sa.text("kind = 'purchase'")
    op.create_index(
        "ledger_purchases",
        "ledger",
        ["owner", "ref"],
        sqlite_where=purchase,
        postgresql_where=purchase,
    )
