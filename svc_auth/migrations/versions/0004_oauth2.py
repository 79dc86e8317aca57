"""OAuth2: clients, grants, tokens, consents and login sessions; signing keys that are rotated."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
ID = sa.String(36)
HASH = sa.String(64)
CLIENT_ID = sa.String(64)


def upgrade() -> None:
    op.create_table(
        "oauth_clients",
        sa.Column("id", CLIENT_ID, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("secret_hash", HASH),
        sa.Column("redirect_uris", sa.Text, nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("grant_types", sa.Text, nullable=False),
        sa.Column("require_pkce", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    _grants()
    _tokens()
    op.create_table(
        "oauth_consents",
        sa.Column("user_id", ID, primary_key=True),
        sa.Column("client_id", CLIENT_ID, primary_key=True),
        sa.Column("scope", sa.String(64), primary_key=True),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    op.create_index("oauth_consents_by_client", "oauth_consents", ["client_id"])
    op.create_table(
        "login_sessions",
        sa.Column("session_hash", HASH, primary_key=True),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("auth_time", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
    )
    _index("login_sessions", "user_id", "expires_at")
    # A key that is there already has been signing ever since.
    for column in ("active_at", "longest_lifetime"):
        op.add_column(
            "signing_keys", sa.Column(column, sa.BigInteger, nullable=False, server_default="0")
        )


def _grants() -> None:
    op.create_table(
        "oauth_grants",
        sa.Column("id", ID, primary_key=True),
        sa.Column("client_id", CLIENT_ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("redirect_uri", sa.Text, nullable=False),
        sa.Column("nonce", sa.Text),
        sa.Column("code_challenge", sa.Text),
        sa.Column("code_hash", HASH, nullable=False, unique=True),
        sa.Column("redeemed_at", sa.BigInteger),
        sa.Column("auth_time", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("ends_at", sa.BigInteger, nullable=False),
        sa.Column("revoked_at", sa.BigInteger),
    )
    indexes = {"client": "client_id", "user": "user_id", "end": "ends_at", "creation": "created_at"}
    for name, column in indexes.items():
        op.create_index(f"oauth_grants_by_{name}", "oauth_grants", [column])


def _tokens() -> None:
    op.create_table(
        "oauth_refresh_tokens",
        sa.Column("token_hash", HASH, primary_key=True),
        sa.Column("grant_id", ID, sa.ForeignKey("oauth_grants.id"), nullable=False),
        sa.Column("used_at", sa.BigInteger),
    )
    _index("oauth_refresh_tokens", "grant_id")
    op.create_table(
        "oauth_access_tokens",
        sa.Column("id", ID, primary_key=True),
        sa.Column("client_id", CLIENT_ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("grant_id", ID, sa.ForeignKey("oauth_grants.id")),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("revoked_at", sa.BigInteger),
    )
    _index("oauth_access_tokens", "client_id", "grant_id", "expires_at")


def _index(table: str, *columns: str) -> None:
    for column in columns:
        op.create_index(f"ix_{table}_{column}", table, [column])
