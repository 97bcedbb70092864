"""Wall screen links, which show releases without signing in. Only hashes of their tokens are stored."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from sqlalchemy import ColumnElement, ForeignKey, String, and_, delete, func, or_, select, true, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from dashboard.auth.opaque_tokens import hash_secret, new_secret
from dashboard.database.best_effort import BestEffort
from dashboard.database.models import DATABASE_NOW, Base, Role, User, UserRow, UtcDateTime
from dashboard.database.user_lock import lock_user

MAX_KIOSK_LINK_NAME_LENGTH = 80
MAX_KIOSK_LINKS_PER_USER = 50
# How exactly it is kept when a link was last used: each writing makes all answers be made again.
LINK_USE_RESOLUTION = timedelta(minutes=10)


class InvalidKioskLink(ValueError):
    """An invalid link request. The message has the reason."""


class KioskLinkRow(Base):
    """A stored link. It is valid while its creator's epoch is unchanged."""

    __tablename__ = "kiosk_links"

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=lambda: uuid4().hex)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(MAX_KIOSK_LINK_NAME_LENGTH))
    user_id: Mapped[str] = mapped_column(String(32), ForeignKey("users.id", ondelete="CASCADE"), index=True)
    epoch: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=DATABASE_NOW)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


@dataclass(frozen=True, slots=True)
class KioskLink:
    """A link in the list. `used_at` is accurate to ten minutes. It can no longer be used if `valid` is false."""

    id: str
    name: str
    owner: str
    created_at: datetime
    used_at: datetime | None
    valid: bool


@dataclass(frozen=True, slots=True)
class AuthenticatedKioskLink:
    """A link that authenticated a request."""

    id: str
    name: str


class KioskLinks:
    """The store of wall screen links. `transaction` opens a database session."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[Session]]) -> None:
        self._transaction = transaction
        self._uses = BestEffort("kiosk_link_use")

    def add(self, user: User, name: str) -> str:
        """Create a link for this user; returns its token, available only once. Raises InvalidKioskLink."""
        named, token = _normalize_link_name(name), new_secret()
        own = select(func.count()).select_from(KioskLinkRow).where(KioskLinkRow.user_id == user.id)
        with self._transaction() as session:
            lock_user(session, user.id)
            if (session.scalar(own) or 0) >= MAX_KIOSK_LINKS_PER_USER:
                raise InvalidKioskLink(
                    f"The limit of {MAX_KIOSK_LINKS_PER_USER} links is reached. Revoke an unused link first."
                )
            session.add(KioskLinkRow(token_hash=hash_secret(token), name=named, user_id=user.id, epoch=user.epoch))
        return token

    def verify(self, token: str) -> AuthenticatedKioskLink | None:
        """Return the valid link with this token, or None.

        Its use is recorded from time to time, if possible.
        """
        asked = (
            select(KioskLinkRow, DATABASE_NOW)
            .join(UserRow)
            .where(KioskLinkRow.token_hash == hash_secret(token), _LINK_IS_VALID)
        )
        with self._transaction() as session:
            found = session.execute(asked).first()
        if found is None:
            return None
        row, now = found
        if row.used_at is None or now - row.used_at >= LINK_USE_RESOLUTION:
            self._uses.attempt(lambda: self._note_use(row.id, now))
        return AuthenticatedKioskLink(row.id, row.name)

    def of(self, user: User) -> list[KioskLink]:
        """Return the links that this user may revoke, newest first: their own, or all for admins."""
        asked = select(KioskLinkRow, UserRow.email, _LINK_IS_VALID).join(UserRow).where(_visible_to(user))
        with self._transaction() as session:
            found = session.execute(asked.order_by(KioskLinkRow.created_at.desc())).all()
        return [
            KioskLink(row.id, row.name, email, row.created_at, row.used_at, bool(holds)) for row, email, holds in found
        ]

    def revoke(self, user: User, link_id: str) -> bool:
        """Revoke a link immediately; return whether there is one with this ID that the user may revoke."""
        ended = delete(KioskLinkRow).where(KioskLinkRow.id == link_id, _visible_to(user)).returning(KioskLinkRow.id)
        with self._transaction() as session:
            return session.scalar(ended) is not None

    def _note_use(self, link_id: str, now: datetime) -> None:
        # Of many screens with one link, the first that notices writes.
        due = or_(KioskLinkRow.used_at.is_(None), KioskLinkRow.used_at <= now - LINK_USE_RESOLUTION)
        with self._transaction() as session:
            session.execute(update(KioskLinkRow).where(KioskLinkRow.id == link_id, due).values(used_at=now))


# A link ends with what ends its maker's sessions.
_LINK_IS_VALID = and_(UserRow.disabled_at.is_(None), UserRow.epoch == KioskLinkRow.epoch)


def _visible_to(user: User) -> ColumnElement[bool]:
    return true() if user.role is Role.admin else KioskLinkRow.user_id == user.id


def _normalize_link_name(text: str) -> str:
    name = text.strip()
    if not name or len(name) > MAX_KIOSK_LINK_NAME_LENGTH or not name.isprintable():
        raise InvalidKioskLink(f"The name must have 1 to {MAX_KIOSK_LINK_NAME_LENGTH} printable characters.")
    return name
