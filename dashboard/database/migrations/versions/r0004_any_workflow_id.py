"""Room for every workflow id among the stars."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Widen the column. SQLite cannot, so that there the table is copied."""
    with op.batch_alter_table("stars") as table:
        table.alter_column("release_id", existing_type=sa.String(263), type_=sa.String(1_000), existing_nullable=False)
