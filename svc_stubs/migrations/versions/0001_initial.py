"""The payment double's books."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "payments",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("tokens", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.CheckConstraint("tokens >= 0", name="payments_tokens"),
        sa.CheckConstraint("state IN ('AUTHORIZED', 'CAPTURED', 'VOIDED')", name="payments_state"),
    )
