"""User management, ensuring that there is always an active admin."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select, true
from sqlalchemy.orm import Session

from dashboard.auth.accounts import Accounts
from dashboard.auth.opaque_tokens import hash_secret
from dashboard.auth.passwords import HashedPassword
from dashboard.database.models import DATABASE_NOW, Role, SessionRow, User, UserRow


class UserIdNotFound(LookupError):
    """There is no user with this id."""

    def __init__(self) -> None:
        super().__init__("User not found. It may have been deleted.")


class UserVersionConflict(Exception):
    """The user has changed since it was read."""

    def __init__(self) -> None:
        super().__init__(
            "Conflict: this user has been changed by another admin. Nothing was saved. Reload and try again."
        )


class LastAdminError(Exception):
    """The user is the last active admin."""

    def __init__(self, email: str) -> None:
        super().__init__(f"{email} is the last active admin. Make another user an admin first.")


class AdminRequired(Exception):
    """The requester is no longer an admin, or their session has ended."""


@dataclass(frozen=True, slots=True)
class ManagedUser:
    """A user with their last activity in an active session, accurate to five minutes."""

    user: User
    seen_at: datetime | None

    @property
    def version(self) -> str:
        """Return a version that changes with the user, except for their last activity."""
        user = self.user
        return hash_secret(repr((user.name, user.role.value, user.disabled_at, user.epoch)))[:16]


class UserAdmin:
    """User management. Each change names the requester, who must be an admin at that time."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    def page(self, text: str, number: int, size: int) -> tuple[list[ManagedUser], int]:
        """Return a page of the users with this text in their address or name, sorted by address, and the total."""
        which = _matches_text(text)
        wanted = select(UserRow).where(which).order_by(UserRow.email).limit(size).offset((number - 1) * size)
        with self._accounts.session() as session:
            total = session.scalar(select(func.count()).select_from(UserRow).where(which)) or 0
            users = [row.value() for row in session.scalars(wanted)]
            seen = _last_seen(session, [user.id for user in users])
        return [ManagedUser(user, seen.get(user.id)) for user in users], total

    def one(self, user_id: str) -> ManagedUser:
        """Return the user with this id. Raises UserIdNotFound."""
        user = self._accounts.by_id(user_id)
        if user is None:
            raise UserIdNotFound
        with self._accounts.session() as session:
            return ManagedUser(user, _last_seen(session, [user.id]).get(user.id))

    def add(self, admin: User, email: str, password: HashedPassword, *, name: str | None, role: Role) -> User:
        """Add a user. Raises AdminRequired, EmailTaken or InvalidUser."""
        with self._accounts.transaction():
            self._admit(admin)
            return self._accounts.add(email, password, name=name, role=role)

    def known(self, admin: User, user_id: str, version: str | None) -> User:
        """Return the user if the version matches; without a version, the current user. Call it within a transaction.

        Raises AdminRequired, UserIdNotFound or UserVersionConflict.
        """
        with self._accounts.transaction():
            self._admit(admin)
            person = self.one(user_id)
            if version is not None and version != person.version:
                raise UserVersionConflict
            return person.user

    def change(self, admin: User, user_id: str, version: str | None, **wanted: Any) -> tuple[User, User]:  # noqa: ANN401
        """Change the user's `name`, `role` or `disabled`; return the user before and after.

        Sessions end only on an actual change. Raises AdminRequired, UserIdNotFound, UserVersionConflict,
        LastAdminError, or InvalidUser for an invalid name.
        """
        with self._accounts.transaction():
            before = self.known(admin, user_id, version)
            self._apply(before, wanted)
            # Asked in the end, whatever it was that was changed: who would be left.
            if not self._has_admin():
                raise LastAdminError(before.email)
            return before, self.one(user_id).user

    def _apply(self, user: User, wanted: dict[str, Any]) -> None:
        if "name" in wanted:
            self._accounts.set_name(user.email, wanted["name"])
        if wanted.get("role", user.role) is not user.role:
            self._accounts.set_role(user.email, wanted["role"])
        if "disabled" in wanted and wanted["disabled"] == user.enabled:
            (self._accounts.disable if user.enabled else self._accounts.enable)(user.email)

    def _admit(self, admin: User) -> None:
        now = self._accounts.by_id(admin.id)
        if now is None or not now.enabled or now.role is not Role.admin or now.epoch != admin.epoch:
            raise AdminRequired

    def _has_admin(self) -> bool:
        left = select(UserRow.id).where(UserRow.role == Role.admin, UserRow.disabled_at.is_(None)).limit(1)
        with self._accounts.session() as session:
            return session.scalar(left) is not None


def _matches_text(text: str) -> ColumnElement[bool]:
    if not text:
        return true()
    return or_(UserRow.email.icontains(text, autoescape=True), UserRow.name.icontains(text, autoescape=True))


def _last_seen(session: Session, ids: list[str]) -> dict[str, datetime]:
    """Return the last activity of each user in an active session."""
    lasts = (SessionRow.epoch == UserRow.epoch) & (SessionRow.expires_at > DATABASE_NOW)
    asked = select(SessionRow.user_id, func.max(SessionRow.seen_at).label("seen_at")).join(UserRow).where(lasts)
    found = session.execute(asked.where(SessionRow.user_id.in_(ids)).group_by(SessionRow.user_id))
    return {row.user_id: row.seen_at for row in found}
