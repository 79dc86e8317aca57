"""What waits behind a parked event is marked, and read no more in search of what may go.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    behind = sa.Column("behind", sa.Boolean, nullable=False, server_default=sa.false())
    op.add_column("outbox", behind)
    op.drop_index("outbox_pending", "outbox")
    op.create_index("outbox_pending", "outbox", ["parked", "behind", "shard", "seq"])
    where = sa.text("behind")
    columns = ["key", "topic", "seq"]
    op.create_index("outbox_behind", "outbox", columns, sqlite_where=where, postgresql_where=where)
    op.create_table(
        "outbox_streams",
        sa.Column("key", sa.String(48), primary_key=True),
        sa.Column("topic", sa.String(100), primary_key=True),
    )
