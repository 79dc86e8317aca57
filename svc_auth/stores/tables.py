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
)

METADATA = MetaData()
ID = String(36)

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
    # HMAC-SHA256 of the whole key, hexadecimal.
    Column("key_hash", String(64), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("last_used_at", BigInteger),
    Column("revoked_at", BigInteger),
    UniqueConstraint("key_hash", name="api_keys_key_hash"),
    Index("api_keys_by_user", "user_id", "created_at"),
)

ORGANIZATIONS = Table(
    "organizations",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("created_at", BigInteger, nullable=False),
)

MEMBERSHIPS = Table(
    "memberships",
    METADATA,
    Column("org_id", ID, ForeignKey("organizations.id"), primary_key=True),
    Column("user_id", ID, primary_key=True),
    Column("standing", String(16), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    CheckConstraint("standing IN ('OWNER', 'MEMBER')", name="memberships_standing"),
    Index("memberships_by_user", "user_id"),
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
