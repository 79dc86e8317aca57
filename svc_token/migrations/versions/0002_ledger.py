"""The ledger, members' caps, leases and kept answers.

Each pool's balances become the ledger's first line of it.

Revision ID: 0002
Revises: 0001
"""

from time import time_ns
from zlib import crc32

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
SHARDS = 16


def upgrade() -> None:
    _grow()
    op.create_table(
        "ledger",
        sa.Column("owner", sa.String(48), primary_key=True),
        sa.Column("provider", sa.String(64), primary_key=True),
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("ref", sa.String(36)),
        sa.Column("user_id", sa.String(36)),
        sa.Column("tokens", sa.BigInteger, nullable=False),
        sa.Column("held", sa.BigInteger, nullable=False),
        sa.Column("window", sa.BigInteger, nullable=False),
        sa.Column("allowance", sa.BigInteger, nullable=False),
        sa.Column("allowance_used", sa.BigInteger, nullable=False),
        sa.Column("purchased", sa.BigInteger, nullable=False),
        sa.Column("purchased_used", sa.BigInteger, nullable=False),
        sa.Column("debt", sa.BigInteger, nullable=False),
        sa.Column("provenance", sa.String(9), nullable=False),
        sa.Column("event_id", sa.String(36)),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.CheckConstraint("seq > 0", "ledger_seq"),
        sa.CheckConstraint("kind = 'adjust' OR tokens >= 0", "ledger_tokens"),
        sa.CheckConstraint("held >= 0 OR kind IN ('settle', 'release', 'expire')", "ledger_held"),
        sa.UniqueConstraint("owner", "ref", "kind", name="ledger_once"),
    )
    op.create_table(
        "member_caps",
        sa.Column("owner", sa.String(48), primary_key=True),
        sa.Column("provider", sa.String(64), primary_key=True),
        sa.Column("user_id", sa.String(36), primary_key=True),
        sa.Column("cap", sa.BigInteger, nullable=False),
        sa.Column("window", sa.BigInteger, nullable=False),
        sa.Column("used", sa.BigInteger, nullable=False),
        sa.Column("updated_us", sa.BigInteger, nullable=False),
        sa.CheckConstraint("cap >= 0 AND used >= 0", "member_caps_used"),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("holder", sa.String(36), nullable=False),
        sa.Column("until_us", sa.BigInteger, nullable=False),
        sa.Column("fence", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("scope", sa.String(64), primary_key=True),
        sa.Column("operation", sa.String(32), primary_key=True),
        sa.Column("key", sa.String(100), primary_key=True),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary, nullable=False),
        sa.Column("lease_until_us", sa.BigInteger, nullable=False),
        sa.Column("answer", sa.LargeBinary),
        sa.Column("created_us", sa.BigInteger, nullable=False),
    )
    op.create_index("idempotency_keys_by_age", "idempotency_keys", ["created_us"])
    _open_the_books()


def _grow() -> None:
    op.add_column("pools", _number("seq", sa.BigInteger))
    for name in ("remaining", "end_remaining", "bucket_us"):
        op.add_column("reservations", _number(name, sa.BigInteger))
    op.create_index("reservations_by_id", "reservations", ["id"])
    op.add_column("sagas", sa.Column("holder", sa.String(36)))
    op.add_column("sagas", _number("lease_until_us", sa.BigInteger))
    op.add_column("outbox", _number("shard", sa.SmallInteger))
    op.add_column("outbox", _number("at_us", sa.BigInteger))
    op.add_column("outbox", sa.Column("parked_us", sa.BigInteger))
    op.drop_index("outbox_pending", "outbox")
    op.create_index("outbox_pending", "outbox", ["parked", "shard", "seq"])
    parked = sa.text("parked")
    op.create_index(
        "outbox_parked", "outbox", ["key"], sqlite_where=parked, postgresql_where=parked
    )


def _number(name: str, kind: type[sa.Integer]) -> sa.Column[int]:
    return sa.Column(name, kind, nullable=False, server_default=sa.text("0"))


def _open_the_books() -> None:
    connection = op.get_bind()
    # When it happened is in the message only; they count as old from now on.
    connection.execute(sa.text("UPDATE outbox SET at_us = :now"), {"now": time_ns() // 1_000})
    connection.execute(
        sa.text("UPDATE outbox SET parked_us = :now WHERE parked"), {"now": time_ns() // 1_000}
    )
    waiting = connection.execute(sa.text("SELECT DISTINCT key FROM outbox")).scalars().all()
    for key in waiting:
        connection.execute(
            sa.text("UPDATE outbox SET shard = :shard WHERE key = :key"),
            {"key": key, "shard": crc32(key.encode()) % SHARDS},
        )
    connection.execute(sa.text(_BALANCES))
    connection.execute(sa.text("UPDATE pools SET seq = 1"))
    connection.execute(sa.text(_OPEN_HOLDS))
    connection.execute(sa.text(_COUNTED))


# "window" is a word of SQL's own.
_BALANCES = """
INSERT INTO ledger (owner, provider, seq, kind, tokens, held, "window", allowance,
  allowance_used, purchased, purchased_used, debt, provenance, at_us)
SELECT owner, provider, 1, 'adjust', allowance, 0, "window", allowance,
  allowance_used, purchased, purchased_used, debt, 'exact', updated_us
FROM pools
"""
# What is on hold is in the balances already; these lines only say by whom.
_OPEN_HOLDS = """
INSERT INTO ledger (owner, provider, seq, kind, ref, user_id, tokens, held, "window", allowance,
  allowance_used, purchased, purchased_used, debt, provenance, at_us)
SELECT owner, provider, 1 + row_number() OVER (PARTITION BY owner, provider ORDER BY id),
  'reserve', id, user_id, held_allowance + held_purchased, held_allowance + held_purchased,
  "window", 0, 0, 0, 0, 0, 'estimated', expires_us
FROM reservations WHERE state = 'RESERVED'
"""
_COUNTED = """
UPDATE pools SET seq = (SELECT max(seq) FROM ledger
  WHERE ledger.owner = pools.owner AND ledger.provider = pools.provider)
"""
