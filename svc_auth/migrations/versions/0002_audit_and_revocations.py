"""The audit log, revocations that outlive a restart, disabled users, what API keys may do.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
ID = sa.String(36)
SEQ = sa.BigInteger().with_variant(sa.Integer, "sqlite")
EMPTY = sa.text("''")


def upgrade() -> None:
    op.create_table(
        "audit_log",
        sa.Column("seq", SEQ, primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("actor", ID, nullable=False),
        sa.Column("api_key_id", ID, nullable=False),
        sa.Column("action", sa.String(32), nullable=False),
        sa.Column("subject_kind", sa.String(16), nullable=False),
        sa.Column("subject_id", sa.String(100), nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("detail", sa.String(64), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("correlation_id", sa.String(128), nullable=False),
        sa.Column("trace_id", sa.String(32), nullable=False),
        sqlite_autoincrement=True,
    )
    for column in ("at", "actor", "user_id", "action"):
        op.create_index(f"audit_log_by_{column}", "audit_log", [column, "seq"])
    op.create_table(
        "revocations",
        sa.Column("seq", SEQ, primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("subject", sa.String(100), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("revocations_by_end", "revocations", ["until", "seq"])
    op.create_index("revocations_by_subject", "revocations", ["subject"])
    op.add_column("users", sa.Column("disabled_at", sa.BigInteger))
    _api_keys()
    _append_only()


def _api_keys() -> None:
    op.add_column(
        "api_keys", sa.Column("lookup", sa.String(32), nullable=False, server_default=EMPTY)
    )
    op.add_column("api_keys", sa.Column("retires_at", sa.BigInteger))
    for name in ("scopes", "providers"):
        op.add_column("api_keys", sa.Column(name, sa.Text, nullable=False, server_default=EMPTY))
    # Of a key from before only its hash is known, so that is what it is found by.
    op.execute("UPDATE api_keys SET lookup = substr(key_hash, 1, 32)")
    op.create_index("api_keys_by_lookup", "api_keys", ["lookup"])


def _append_only() -> None:
    postgresql = op.get_bind().dialect.name == "postgresql"
    for statement in _POSTGRESQL if postgresql else _SQLITE:
        op.execute(statement)


_SQLITE = tuple(
    f"""
    CREATE TRIGGER audit_log_no_{verb.lower()} BEFORE {verb} ON audit_log
    BEGIN SELECT RAISE(ABORT, 'audit_log is append-only'); END
    """
    for verb in ("UPDATE", "DELETE")
)
_POSTGRESQL = (
    """
    CREATE FUNCTION audit_log_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'audit_log is append-only'; END $$
    """,
    """
    CREATE TRIGGER audit_log_no_change BEFORE UPDATE OR DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION audit_log_is_append_only()
    """,
    """
    CREATE TRIGGER audit_log_no_truncate BEFORE TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_is_append_only()
    """,
)
