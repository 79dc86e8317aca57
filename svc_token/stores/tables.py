"""The tables of svc_token. Keys lead with the owner, so that they can be distributed by it."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)

METADATA = MetaData()
OWNER = String(48)
ID = String(36)
PROVIDER = String(64)

POOLS = Table(
    "pools",
    METADATA,
    Column("owner", OWNER, primary_key=True),
    Column("provider", PROVIDER, primary_key=True),
    Column("window", BigInteger, nullable=False),
    Column("allowance", BigInteger, nullable=False),
    Column("allowance_used", BigInteger, nullable=False),
    Column("purchased", BigInteger, nullable=False),
    Column("purchased_used", BigInteger, nullable=False),
    Column("debt", BigInteger, nullable=False),
    Column("updated_us", BigInteger, nullable=False),
    CheckConstraint("allowance >= 0 AND allowance_used >= 0", "pools_allowance"),
    CheckConstraint("purchased_used >= 0 AND purchased_used <= purchased", "pools_purchased"),
    CheckConstraint("debt >= 0", "pools_debt"),
)

RESERVATIONS = Table(
    "reservations",
    METADATA,
    Column("owner", OWNER, primary_key=True),
    Column("id", ID, primary_key=True),
    Column("provider", PROVIDER, nullable=False),
    Column("user_id", ID, nullable=False),
    Column("window", BigInteger, nullable=False),
    Column("held_allowance", BigInteger, nullable=False),
    Column("held_purchased", BigInteger, nullable=False),
    Column("state", String(10), nullable=False),
    Column("expires_us", BigInteger, nullable=False),
    Column("settled", BigInteger, nullable=False),
    CheckConstraint("held_allowance >= 0 AND held_purchased >= 0", "reservations_held"),
    CheckConstraint("settled >= 0", "reservations_settled"),
    Index("reservations_by_expiry", "state", "expires_us"),
)

OUTBOX = Table(
    "outbox",
    METADATA,
    # SQLite counts up by itself only in a column of the type INTEGER.
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("event_id", ID, nullable=False, unique=True),
    Column("topic", String(100), nullable=False),
    Column("key", OWNER, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("parked", Boolean, nullable=False, default=False),
    Index("outbox_pending", "parked", "seq"),
    sqlite_autoincrement=True,
)

SAGAS = Table(
    "sagas",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("scope", String(64), nullable=False),
    Column("user_id", ID, nullable=False),
    Column("org_id", ID),
    Column("provider", PROVIDER, nullable=False),
    Column("tokens", BigInteger, nullable=False),
    Column("idempotency_key", String(100)),
    Column("status", String(20), nullable=False),
    Column("step", String(10), nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("updated_us", BigInteger, nullable=False),
    Column("version", Integer, nullable=False),
    UniqueConstraint("scope", "idempotency_key", name="sagas_idempotency"),
    Index("sagas_unfinished", "step", "updated_us"),
)
