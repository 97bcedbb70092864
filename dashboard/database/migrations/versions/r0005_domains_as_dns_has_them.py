"""The domains of users' addresses as DNS has them, as they are compared from now on."""

import idna
import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_users = sa.table("users", sa.column("id", sa.String), sa.column("email", sa.String))


def upgrade() -> None:
    """Rewrite the addresses that are kept otherwise. What was folded into another address cannot be told from it."""
    connection = op.get_bind()
    kept = {row.email: row.id for row in connection.execute(sa.select(_users))}
    for email, user_id in [(email, user_id) for email, user_id in kept.items() if not email.isascii()]:
        local, _, domain = email.rpartition("@")
        renewed = f"{local}@{'.'.join(map(_a_label, domain.split('.')))}"
        if renewed != email and renewed in kept:
            # Two accounts share one address. This one is invalid, so an admin can find it.
            renewed += ".duplicate.invalid"
        kept[renewed] = user_id
        connection.execute(sa.update(_users).where(_users.c.id == user_id).values(email=renewed))


def _a_label(label: str) -> str:
    if label.isascii():
        return label
    try:
        return idna.alabel(label).decode("ascii")
    except idna.IDNAError:
        # No domain has it. What is kept stays an address all the same, by which an admin finds the user.
        return "xn--" + label.encode("punycode").decode("ascii")
