"""Usage events, with one covering index for each way they are read."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "usage_events",
        sa.Column("event_id", sa.String(36), primary_key=True),
        sa.Column("user_id", sa.String(36), nullable=False),
        sa.Column("org_id", sa.String(36)),
        sa.Column("provider", sa.String(64), nullable=False),
        sa.Column("tokens", sa.BigInteger, nullable=False),
        sa.Column("allowed", sa.Boolean, nullable=False),
        sa.Column("reason", sa.String(100), nullable=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
    )
    op.create_index(
        "usage_by_provider", "usage_events", ["provider", "at_us", "allowed", "tokens", "user_id"]
    )
    op.create_index(
        "usage_by_user", "usage_events", ["user_id", "provider", "at_us", "allowed", "tokens"]
    )
    op.create_index("usage_by_time", "usage_events", ["at_us", "provider", "allowed", "tokens"])


def downgrade() -> None:
    op.drop_table("usage_events")
