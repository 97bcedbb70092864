"""The lock of one user: what counts a user's rows, or ends several of them, takes it first and sees nothing half done.

PostgreSQL lets two transactions each look before either writes; there the user's row is what both have to wait for.
"""

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from dashboard.database.models import UserRow


def lock_user(session: Session, user_id: str) -> None:
    """Let no other transaction that takes the lock of this user go on until this one ends.

    To be taken before any row that belongs to the user, as what changes users does: then nobody waits in a circle.
    """
    row = UserRow.id == user_id
    if session.get_bind().dialect.name == "sqlite":
        # All writing is one lock, which a change takes, and no look does.
        unchanged = update(UserRow).where(row).values(epoch=UserRow.epoch)
        session.execute(unchanged, execution_options={"synchronize_session": False})
    else:
        # Not FOR UPDATE, for which rows that refer to the user would have to wait as well.
        session.execute(select(UserRow.id).where(row).with_for_update(key_share=True))
