"""The tables, in portable SQL. Times are microseconds since the epoch.

API keys and memberships name users without a foreign key: in `local` they may
belong to users that nobody has registered.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

METADATA = MetaData()
ID = String(36)
STANDINGS = "standing IN ('OWNER', 'MEMBER', 'BILLING')"
EMPTY = text("''")
# SQLite counts up by itself only in a column of the type INTEGER.
SEQ = BigInteger().with_variant(Integer, "sqlite")

USERS = Table(
    "users",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("username", Text, nullable=False),
    # The comparable forms, which are what must be unique.
    Column("username_key", Text, nullable=False),
    Column("email", Text, nullable=False),
    Column("email_key", Text, nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    # Since when nothing of the user's opens anything; NULL while it does.
    Column("disabled_at", BigInteger),
    UniqueConstraint("username_key", name="users_username_key"),
    UniqueConstraint("email_key", name="users_email_key"),
)

USER_ROLES = Table(
    "user_roles",
    METADATA,
    Column("user_id", ID, ForeignKey("users.id"), primary_key=True),
    Column("role", String(32), primary_key=True),
)

API_KEYS = Table(
    "api_keys",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("user_id", ID, nullable=False),
    Column("name", Text, nullable=False),
    Column("prefix", Text, nullable=False),
    # What a text leads to; the hash says whether it is the key.
    Column("lookup", String(32), nullable=False, server_default=EMPTY),
    # HMAC-SHA256 of the whole key, hexadecimal.
    Column("key_hash", String(64), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    # When it ends because another has taken its place.
    Column("retires_at", BigInteger),
    Column("last_used_at", BigInteger),
    Column("revoked_at", BigInteger),
    # Separated by blanks; empty for no limit.
    Column("scopes", Text, nullable=False, server_default=EMPTY),
    Column("providers", Text, nullable=False, server_default=EMPTY),
    UniqueConstraint("key_hash", name="api_keys_key_hash"),
    Index("api_keys_by_user", "user_id", "created_at"),
    Index("api_keys_by_lookup", "lookup"),
)

ORGANIZATIONS = Table(
    "organizations",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("created_at", BigInteger, nullable=False),
    Column("name", Text, nullable=False, server_default=text("''")),
)

MEMBERSHIPS = Table(
    "memberships",
    METADATA,
    Column("org_id", ID, ForeignKey("organizations.id"), primary_key=True),
    Column("user_id", ID, primary_key=True),
    Column("standing", String(16), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    CheckConstraint(STANDINGS, name="memberships_standing"),
    Index("memberships_by_user", "user_id"),
)

INVITATIONS = Table(
    "invitations",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("org_id", ID, ForeignKey("organizations.id"), nullable=False),
    Column("email", Text, nullable=False),
    # The comparable form.
    Column("email_key", Text, nullable=False),
    Column("standing", String(16), nullable=False),
    # HMAC-SHA256 of the whole token, hexadecimal.
    Column("token_hash", String(64), nullable=False),
    Column("invited_by", ID),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("accepted_at", BigInteger),
    Column("accepted_by", ID),
    CheckConstraint(STANDINGS, name="invitations_standing"),
    UniqueConstraint("token_hash", name="invitations_token_hash"),
    Index("invitations_by_org", "org_id", "created_at"),
)

SIGNING_KEYS = Table(
    "signing_keys",
    METADATA,
    Column("alg", String(16), primary_key=True),
    # 1 for the first key of an algorithm; two processes that make the next one agree on one.
    Column("generation", Integer, primary_key=True, autoincrement=False),
    Column("kid", String(64), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    # When it begins to sign; it is published from the start.
    Column("active_at", BigInteger, nullable=False, server_default="0"),
    # Of the tokens that it signs, as far as any process was set to.
    Column("longest_lifetime", BigInteger, nullable=False, server_default="0"),
    UniqueConstraint("kid", name="signing_keys_kid"),
)

# A trigger refuses UPDATE and DELETE.
AUDIT_LOG = Table(
    "audit_log",
    METADATA,
    Column("seq", SEQ, primary_key=True),
    Column("at", BigInteger, nullable=False),
    # A user's id, or "anonymous", "client", "system", "operator".
    Column("actor", ID, nullable=False),
    Column("api_key_id", ID, nullable=False),
    Column("action", String(32), nullable=False),
    Column("subject_kind", String(16), nullable=False),
    Column("subject_id", String(100), nullable=False),
    # Whom it concerns.
    Column("user_id", ID, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("detail", String(64), nullable=False),
    Column("address", String(64), nullable=False),
    Column("correlation_id", String(128), nullable=False),
    Column("trace_id", String(32), nullable=False),
    Index("audit_log_by_at", "at", "seq"),
    Index("audit_log_by_actor", "actor", "seq"),
    Index("audit_log_by_user_id", "user_id", "seq"),
    Index("audit_log_by_action", "action", "seq"),
    sqlite_autoincrement=True,
)

REVOCATIONS = Table(
    "revocations",
    METADATA,
    Column("seq", SEQ, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("subject", String(100), nullable=False),
    Column("at", BigInteger, nullable=False),
    # From then on nobody needs to remember it.
    Column("until", BigInteger, nullable=False),
    Index("revocations_by_end", "until", "seq"),
    Index("revocations_by_subject", "subject"),
    sqlite_autoincrement=True,
)
