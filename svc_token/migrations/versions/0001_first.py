"""Pools, reservations, outbox and sagas.

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "pools",
        sa.Column("owner", sa.String(48), primary_key=True),
        sa.Column("provider", sa.String(64), primary_key=True),
        sa.Column("window", sa.BigInteger, nullable=False),
        sa.Column("allowance", sa.BigInteger, nullable=False),
        sa.Column("allowance_used", sa.BigInteger, nullable=False),
        sa.Column("purchased", sa.BigInteger, nullable=False),
        sa.Column("purchased_used", sa.BigInteger, nullable=False),
        sa.Column("debt", sa.BigInteger, nullable=False),
        sa.Column("updated_us", sa.BigInteger, nullable=False),
        sa.CheckConstraint("allowance >= 0 AND allowance_used >= 0", "pools_allowance"),
        sa.CheckConstraint(
            "purchased_used >= 0 AND purchased_used <= purchased", "pools_purchased"
        ),
        sa.CheckConstraint("debt >= 0", "pools_debt"),
    )
    op.create_table(
        "reservations",
        sa.Column("owner", sa.String(48), primary_key=True),
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("provider", sa.String(64), nullable=False),
        sa.Column("user_id", sa.String(36), nullable=False),
        sa.Column("window", sa.BigInteger, nullable=False),
        sa.Column("held_allowance", sa.BigInteger, nullable=False),
        sa.Column("held_purchased", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("expires_us", sa.BigInteger, nullable=False),
        sa.Column("settled", sa.BigInteger, nullable=False),
        sa.CheckConstraint("held_allowance >= 0 AND held_purchased >= 0", "reservations_held"),
        sa.CheckConstraint("settled >= 0", "reservations_settled"),
    )
    op.create_index("reservations_by_expiry", "reservations", ["state", "expires_us"])
    op.create_table(
        "outbox",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("event_id", sa.String(36), nullable=False, unique=True),
        sa.Column("topic", sa.String(100), nullable=False),
        sa.Column("key", sa.String(48), nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.Column("parked", sa.Boolean, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("outbox_pending", "outbox", ["parked", "seq"])
    op.create_table(
        "sagas",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("scope", sa.String(64), nullable=False),
        sa.Column("user_id", sa.String(36), nullable=False),
        sa.Column("org_id", sa.String(36)),
        sa.Column("provider", sa.String(64), nullable=False),
        sa.Column("tokens", sa.BigInteger, nullable=False),
        sa.Column("idempotency_key", sa.String(100)),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("step", sa.String(10), nullable=False),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.Column("updated_us", sa.BigInteger, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.UniqueConstraint("scope", "idempotency_key", name="sagas_idempotency"),
    )
    op.create_index("sagas_unfinished", "sagas", ["step", "updated_us"])
