"""The keys by which failed sign-ins of known users are counted, and the networks of sign-ins."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Forget what has failed so far, which counts for five minutes, and make the table."""
    op.execute("DELETE FROM login_failures")
    op.add_column("login_failures", sa.Column("site", sa.String(64), nullable=False, server_default=""))
    op.add_column("login_failures", sa.Column("known_by", sa.String(80), nullable=False, server_default=""))
    op.create_table(
        "known_places",
        sa.Column("user_key", sa.String(64), primary_key=True),
        sa.Column("place", sa.String(64), primary_key=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_known_places_at", "known_places", ["at"])
