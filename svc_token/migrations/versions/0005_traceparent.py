"""Which trace an event was made in.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    # NULL for most, and for all that a version before this one writes meanwhile.
    op.add_column("outbox", sa.Column("traceparent", sa.String(55)))
