"""Where browsers may be sent after a logout."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    # Of clients that are there already nobody has said.
    uris = sa.Column(
        "post_logout_redirect_uris", sa.Text, nullable=False, server_default=sa.text("''")
    )
    op.add_column("oauth_clients", uris)
