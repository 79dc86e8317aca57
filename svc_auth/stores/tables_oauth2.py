"""OAuth2's tables. Times are microseconds since the epoch; lists of words are joined by blanks.

Nothing here refers to a client by a foreign key: the one that `local` brings
along is in no table. A client's grants are removed with it in one transaction.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    String,
    Table,
    Text,
)

from svc_auth.stores.tables import EMPTY, ID, METADATA

HASH = String(64)
CLIENT_ID = String(64)

OAUTH_CLIENTS = Table(
    "oauth_clients",
    METADATA,
    Column("id", CLIENT_ID, primary_key=True),
    Column("name", Text, nullable=False),
    # NULL for a public client.
    Column("secret_hash", HASH),
    Column("redirect_uris", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("grant_types", Text, nullable=False),
    Column("require_pkce", Boolean, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("post_logout_redirect_uris", Text, nullable=False, server_default=EMPTY),
)

OAUTH_GRANTS = Table(
    "oauth_grants",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("client_id", CLIENT_ID, nullable=False),
    Column("user_id", ID, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("redirect_uri", Text, nullable=False),
    Column("nonce", Text),
    Column("code_challenge", Text),
    Column("code_hash", HASH, nullable=False, unique=True),
    Column("redeemed_at", BigInteger),
    Column("auth_time", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("ends_at", BigInteger, nullable=False),
    Column("revoked_at", BigInteger),
    Index("oauth_grants_by_client", "client_id"),
    Index("oauth_grants_by_user", "user_id"),
    Index("oauth_grants_by_end", "ends_at"),
    Index("oauth_grants_by_creation", "created_at"),
)

OAUTH_REFRESH_TOKENS = Table(
    "oauth_refresh_tokens",
    METADATA,
    Column("token_hash", HASH, primary_key=True),
    Column("grant_id", ID, ForeignKey("oauth_grants.id"), nullable=False, index=True),
    Column("used_at", BigInteger),
)

OAUTH_ACCESS_TOKENS = Table(
    "oauth_access_tokens",
    METADATA,
    # The `jti`.
    Column("id", ID, primary_key=True),
    Column("client_id", CLIENT_ID, nullable=False, index=True),
    Column("user_id", ID, nullable=False),
    # NULL where a client acts for itself.
    Column("grant_id", ID, ForeignKey("oauth_grants.id"), index=True),
    Column("expires_at", BigInteger, nullable=False, index=True),
    Column("revoked_at", BigInteger),
)

OAUTH_CONSENTS = Table(
    "oauth_consents",
    METADATA,
    Column("user_id", ID, primary_key=True),
    Column("client_id", CLIENT_ID, primary_key=True),
    Column("scope", String(64), primary_key=True),
    Column("created_at", BigInteger, nullable=False),
    Index("oauth_consents_by_client", "client_id"),
)

LOGIN_SESSIONS = Table(
    "login_sessions",
    METADATA,
    Column("session_hash", HASH, primary_key=True),
    Column("user_id", ID, nullable=False, index=True),
    Column("auth_time", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
)
