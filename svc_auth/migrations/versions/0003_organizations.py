"""Organisations have names, members for billing, and invitations.

Organisations of before are called by their ids.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
ID = sa.String(36)
STANDINGS = "standing IN ('OWNER', 'MEMBER', 'BILLING')"


def upgrade() -> None:
    nameless = sa.text("''")
    op.add_column(
        "organizations", sa.Column("name", sa.Text, nullable=False, server_default=nameless)
    )
    op.execute("UPDATE organizations SET name = id")
    _widen_standings()
    op.create_table(
        "invitations",
        sa.Column("id", ID, primary_key=True),
        sa.Column("org_id", ID, sa.ForeignKey("organizations.id"), nullable=False),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("email_key", sa.Text, nullable=False),
        sa.Column("standing", sa.String(16), nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("invited_by", ID),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("accepted_at", sa.BigInteger),
        sa.Column("accepted_by", ID),
        sa.CheckConstraint(STANDINGS, name="invitations_standing"),
        sa.UniqueConstraint("token_hash", name="invitations_token_hash"),
    )
    op.create_index("invitations_by_org", "invitations", ["org_id", "created_at"])


def _widen_standings() -> None:
    if op.get_bind().dialect.name != "sqlite":
        op.drop_constraint("memberships_standing", "memberships", type_="check")
        op.create_check_constraint("memberships_standing", "memberships", STANDINGS)
        return
    # SQLite changes no constraint: the rows move into a table that has the other one.
    op.drop_index("memberships_by_user", "memberships")
    op.rename_table("memberships", "old_memberships")
    op.create_table(
        "memberships",
        sa.Column("org_id", ID, sa.ForeignKey("organizations.id"), primary_key=True),
        sa.Column("user_id", ID, primary_key=True),
        sa.Column("standing", sa.String(16), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.CheckConstraint(STANDINGS, name="memberships_standing"),
    )
    op.execute(
        "INSERT INTO memberships (org_id, user_id, standing, created_at)"
        " SELECT org_id, user_id, standing, created_at FROM old_memberships"
    )
    op.drop_table("old_memberships")
    op.create_index("memberships_by_user", "memberships", ["user_id"])
