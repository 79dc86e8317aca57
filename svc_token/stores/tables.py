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
    SmallInteger,
    String,
    Table,
    UniqueConstraint,
    false,
    text,
)

METADATA = MetaData()
OWNER = String(48)
ID = String(36)
PROVIDER = String(64)
# Columns that an earlier version's tables did not have.
ZERO = text("0")
PURCHASE, RENEWAL = text("kind = 'purchase'"), text("kind = 'renew'")
CUT = text("allowance < 0")

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
    Column("seq", BigInteger, nullable=False, server_default=ZERO),
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
    Column("remaining", BigInteger, nullable=False, server_default=ZERO),
    Column("end_remaining", BigInteger, nullable=False, server_default=ZERO),
    Column("bucket_us", BigInteger, nullable=False, server_default=ZERO),
    CheckConstraint("held_allowance >= 0 AND held_purchased >= 0", "reservations_held"),
    CheckConstraint("settled >= 0", "reservations_settled"),
    Index("reservations_by_expiry", "state", "expires_us"),
    Index("reservations_by_id", "id"),
)

# Rows are added and never changed. That nothing ends twice is the last constraint's business.
LEDGER = Table(
    "ledger",
    METADATA,
    Column("owner", OWNER, primary_key=True),
    Column("provider", PROVIDER, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", String(8), nullable=False),
    Column("ref", ID),
    Column("user_id", ID),
    Column("tokens", BigInteger, nullable=False),
    Column("held", BigInteger, nullable=False),
    Column("window", BigInteger, nullable=False),
    Column("allowance", BigInteger, nullable=False),
    Column("allowance_used", BigInteger, nullable=False),
    Column("purchased", BigInteger, nullable=False),
    Column("purchased_used", BigInteger, nullable=False),
    Column("debt", BigInteger, nullable=False),
    Column("provenance", String(9), nullable=False),
    Column("event_id", ID),
    Column("at_us", BigInteger, nullable=False),
    CheckConstraint("seq > 0", "ledger_seq"),
    CheckConstraint("kind = 'adjust' OR tokens >= 0", "ledger_tokens"),
    CheckConstraint("held >= 0 OR kind IN ('settle', 'release', 'expire')", "ledger_held"),
    UniqueConstraint("owner", "ref", "kind", name="ledger_once"),
    # Few among many.
    Index("ledger_purchases", "owner", "ref", sqlite_where=PURCHASE, postgresql_where=PURCHASE),
    Index(
        "ledger_windows", "owner", "provider", "seq", sqlite_where=RENEWAL, postgresql_where=RENEWAL
    ),
    Index("ledger_cuts", "owner", "provider", "window", sqlite_where=CUT, postgresql_where=CUT),
)

MEMBER_CAPS = Table(
    "member_caps",
    METADATA,
    Column("owner", OWNER, primary_key=True),
    Column("provider", PROVIDER, primary_key=True),
    Column("user_id", ID, primary_key=True),
    Column("cap", BigInteger, nullable=False),
    Column("window", BigInteger, nullable=False),
    Column("used", BigInteger, nullable=False),
    Column("updated_us", BigInteger, nullable=False),
    CheckConstraint("cap >= 0 AND used >= 0", "member_caps_used"),
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
    # Of the key, so that an owner's events stay in one relay's hands.
    Column("shard", SmallInteger, nullable=False, server_default=ZERO),
    # When what it tells of happened.
    Column("at_us", BigInteger, nullable=False, server_default=ZERO),
    Column("parked", Boolean, nullable=False, default=False),
    Column("parked_us", BigInteger),
    # Waits for a parked one of its key and topic, or has waited.
    Column("behind", Boolean, nullable=False, server_default=false()),
    # The trace that it was made in (W3C Trace Context), where that is followed.
    Column("traceparent", String(55)),
    Index("outbox_pending", "parked", "behind", "shard", "seq"),
    Index("outbox_parked", "key", sqlite_where=text("parked"), postgresql_where=text("parked")),
    Index(
        "outbox_behind",
        *("key", "topic", "seq"),
        sqlite_where=text("behind"),
        postgresql_where=text("behind"),
    ),
    sqlite_autoincrement=True,
)

# Keys and topics with rows in the outbox that are marked as `behind`, and perhaps some without.
OUTBOX_STREAMS = Table(
    "outbox_streams",
    METADATA,
    Column("key", OWNER, primary_key=True),
    Column("topic", String(100), primary_key=True),
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
    # Who advances it, until when.
    Column("holder", ID),
    Column("lease_until_us", BigInteger, nullable=False, server_default=ZERO),
    UniqueConstraint("scope", "idempotency_key", name="sagas_idempotency"),
    Index("sagas_unfinished", "step", "updated_us"),
)

# Who alone does what there is one of, until when; `fence` grows with each new holder.
LEASES = Table(
    "leases",
    METADATA,
    Column("name", String(64), primary_key=True),
    Column("holder", ID, nullable=False),
    Column("until_us", BigInteger, nullable=False),
    Column("fence", BigInteger, nullable=False),
)

IDEMPOTENCY_KEYS = Table(
    "idempotency_keys",
    METADATA,
    Column("scope", String(64), primary_key=True),
    Column("operation", String(32), primary_key=True),
    Column("key", String(100), primary_key=True),
    Column("id", ID, nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("lease_until_us", BigInteger, nullable=False),
    Column("answer", LargeBinary),
    Column("created_us", BigInteger, nullable=False),
    Index("idempotency_keys_by_age", "created_us"),
)
