"""A lock per user for operations that count or delete several of the user's rows.

On PostgreSQL it locks the user's row, as concurrent transactions could otherwise both read before either writes.
"""

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from dashboard.database.models import UserRow


def lock_user(session: Session, user_id: str) -> None:
    """Lock this user until the transaction ends.

    Take it before touching other rows of the user, to avoid deadlocks.
    """
    row = UserRow.id == user_id
    if session.get_bind().dialect.name == "sqlite":
        # Writes take a single lock; reads take none.
        unchanged = update(UserRow).where(row).values(epoch=UserRow.epoch)
        session.execute(unchanged, execution_options={"synchronize_session": False})
    else:
        # Not FOR UPDATE, for which rows that refer to the user would have to wait as well.
        session.execute(select(UserRow.id).where(row).with_for_update(key_share=True))
