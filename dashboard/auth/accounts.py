"""The accounts, over SQLAlchemy."""

from dataclasses import fields
from typing import Any

from sqlalchemy import (
    ScalarSelect,
    bindparam,
    delete,
    func,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from dashboard.audit.log import AuditLog
from dashboard.auth.email_domains import ascii_lower, to_ascii_domain
from dashboard.auth.kiosk_links import KioskLinks
from dashboard.auth.passwords import HashedPassword, PasswordHashing
from dashboard.auth.recent_admissions import RecentAdmissions
from dashboard.database.models import (
    DATABASE_NOW,
    ApiTokenRow,
    RefreshTokenRow,
    Role,
    SessionRow,
    User,
    UserRow,
)
from dashboard.database.timeouts import DatabaseTimeouts
from dashboard.database.unit_of_work import Database

MAX_EMAIL_LENGTH = 254
# With blanks around.
MAX_TYPED_EMAIL_LENGTH = 400
INVALID_EMAIL_MESSAGE = "Enter an e-mail address such as name@example.com, without spaces."
MAX_USER_NAME_LENGTH = 200

# Asked with every request: without the ORM, and built once, it takes a third of the time.
_USERS = UserRow.__table__
_SELECT_USER_BY_ID = select(*(_USERS.c[field.name] for field in fields(User))).where(
    _USERS.c.id == bindparam("user_id")
)


class InvalidUser(ValueError):
    """An invalid e-mail address, name or role. The message describes valid values; `field` names the field."""

    def __init__(self, reason: str, field: str) -> None:
        super().__init__(reason)
        self.field = field


class EmailTaken(Exception):
    """A user with this e-mail address already exists."""

    def __init__(self, email: str) -> None:
        super().__init__(f"A user {email} already exists.")


class UserNotFound(LookupError):
    """There is no user with this e-mail address."""

    def __init__(self, email: str) -> None:
        super().__init__(f"User {email} not found.")


def normalize_email(text: str) -> str:
    """Return the normalized e-mail address. Raises InvalidUser.

    Addresses are equal up to ASCII case and the encoding of the domain. Surrounding blanks are removed.
    """
    typed = text.strip(" \t\r\n") if len(text) <= MAX_TYPED_EMAIL_LENGTH else ""
    local, at, domain = typed.rpartition("@")
    if not (typed.isprintable() and " " not in typed and at and local and domain) or "@" in local:
        raise InvalidUser(INVALID_EMAIL_MESSAGE, "email")
    try:
        email = f"{ascii_lower(local)}@{to_ascii_domain(domain)}"
    except ValueError as exc:
        raise InvalidUser(INVALID_EMAIL_MESSAGE, "email") from exc
    if len(email) > MAX_EMAIL_LENGTH:
        raise InvalidUser(INVALID_EMAIL_MESSAGE, "email")
    return email


def normalize_user_name(text: str | None) -> str | None:
    """Return the normalized name, or None if it is empty. Raises InvalidUser."""
    name = (text or "").strip()
    if len(name) > MAX_USER_NAME_LENGTH or not name.isprintable():
        raise InvalidUser(f"The name must have at most {MAX_USER_NAME_LENGTH} printable characters.", "name")
    return name or None


class Accounts(Database):
    """The user store. Safe for use by many threads and processes."""

    def __init__(
        self, url: str, passwords: PasswordHashing | None = None, bounds: DatabaseTimeouts | None = None
    ) -> None:
        super().__init__(url, bounds)
        self._passwords = passwords or PasswordHashing()
        self.kiosk_links = KioskLinks(self.session)
        self.audit = AuditLog(self.session, self.long_session, self._breaker.probe)
        self.admissions = RecentAdmissions(self)
        self.on_recovery(self.audit.write_postponed)

    def close(self) -> None:
        """Close the connections; the next query opens new ones."""
        self.admissions.close()
        super().close()

    def hashed(self, password: str) -> HashedPassword:
        """Hash a password for `add` or `set_password` in advance, so that these are fast."""
        return HashedPassword(self._passwords.hash(password))

    def add(
        self, email: str, password: str | HashedPassword, *, name: str | None = None, role: Role = Role.viewer
    ) -> User:
        """Add a user. Raises EmailTaken or InvalidUser."""
        row = UserRow(email=normalize_email(email), name=normalize_user_name(name), role=role)
        row.password_hash = self._encoded(password)
        try:
            with self.session() as session:
                session.add(row)
        except IntegrityError as exc:
            raise EmailTaken(row.email) from exc
        return row.value()

    @property
    def no_password(self) -> str:
        """Return the hash for users without a password. Verifying against it takes the usual time."""
        return self._passwords.nobodys

    def ensure(self, email: str, password: str, *, name: str | None = None, role: Role = Role.viewer) -> User:
        """Return the user with this address, adding one if needed."""
        try:
            return self.by_email(email) or self.add(email, password, name=name, role=role)
        except EmailTaken:
            # Another process was faster.
            return self.known(email)

    def by_id(self, user_id: str) -> User | None:
        """Return the user, disabled or not."""
        with self.reading() as connection:
            row = connection.execute(_SELECT_USER_BY_ID, {"user_id": user_id}).first()
            return User(*row) if row else None

    def by_email(self, email: str) -> User | None:
        """Return the user, disabled or not, or None. Raises InvalidUser for an invalid address."""
        with self.session() as session:
            row = _user_row(session, normalize_email(email))
            return row.value() if row else None

    def known(self, email: str) -> User:
        """Return the user, disabled or not. Raises UserNotFound, or InvalidUser for an invalid address."""
        user = self.by_email(email)
        if user is None:
            raise UserNotFound(normalize_email(email))
        return user

    def empty(self) -> bool:
        """Return whether there are no users, not even disabled ones."""
        with self.session() as session:
            return session.scalar(select(UserRow.id).limit(1)) is None

    def all(self) -> list[User]:
        """Return every user, by address."""
        with self.session() as session:
            return [row.value() for row in session.scalars(select(UserRow).order_by(UserRow.email))]

    def set_password(self, email: str, password: str | HashedPassword) -> User:
        """Change the password, and end the user's sessions and tokens. Raises UserNotFound."""
        return self._change(email, password_hash=self._encoded(password))

    def end_all(self, email: str) -> User:
        """End the user's sessions and tokens. Raises UserNotFound."""
        return self._change(email)

    def set_name(self, email: str, name: str | None) -> User:
        """Set or remove the user's display name. Raises UserNotFound, or InvalidUser."""
        address, named = normalize_email(email), normalize_user_name(name)
        with self.session() as session:
            session.execute(update(UserRow).where(UserRow.email == address).values(name=named))
        return self.known(address)

    def disable(self, email: str) -> User:
        """Disable the user and end their sessions and tokens. Raises UserNotFound."""
        return self._change(email, disabled_at=func.coalesce(UserRow.disabled_at, DATABASE_NOW))

    def enable(self, email: str) -> User:
        """Enable a disabled user. The password is unchanged. Raises UserNotFound."""
        return self._change(email, disabled_at=None)

    def set_role(self, email: str, role: Role) -> User:
        """Change the user's role and end their sessions.

        Tokens stay valid: the role is checked on each use. Raises UserNotFound.
        """
        user = self.known(email)
        with self.session() as session:
            session.execute(update(UserRow).where(UserRow.id == user.id).values(role=role))
            session.execute(delete(SessionRow).where(SessionRow.user_id == user.id))
        return self.known(email)

    def authenticate(self, email: str, password: str) -> User | None:
        """Return the enabled user with this password, or None after the same amount of work."""
        found = self._kept_hash(email)
        user, kept = found or (None, None)
        if not self._passwords.matches(kept, password) or user is None or kept is None or not user.enabled:
            return None
        if self._passwords.outdated(kept):
            self._rehash(user, kept, password)
        return user

    def _encoded(self, password: str | HashedPassword) -> str:
        return password.encoded if isinstance(password, HashedPassword) else self._passwords.hash(password)

    def _kept_hash(self, email: str) -> tuple[User, str] | None:
        try:
            address = normalize_email(email)
        except InvalidUser:
            return None
        with self.session() as session:
            row = _user_row(session, address)
            return (row.value(), row.password_hash) if row else None

    def _rehash(self, user: User, kept: str, password: str) -> None:
        # Only over the hash that was verified: the password may have been changed in between.
        same = update(UserRow).where(UserRow.id == user.id, UserRow.password_hash == kept)
        renewed = self._passwords.hash(password)
        with self.session() as session:
            session.execute(same.values(password_hash=renewed))

    def _change(self, email: str, **values: Any) -> User:  # noqa: ANN401  column values and SQL expressions
        address = normalize_email(email)
        statement = update(UserRow).where(UserRow.email == address).values(**values, epoch=UserRow.epoch + 1)
        with self.session() as session:
            session.execute(statement, execution_options={"synchronize_session": False})
            _end_sessions_and_tokens(session, select(UserRow.id).where(UserRow.email == address).scalar_subquery())
        return self.known(address)


def _end_sessions_and_tokens(session: Session, user_id: ScalarSelect[str]) -> None:
    """Permanently end all access of this user without a password, including access without an epoch."""
    session.execute(delete(SessionRow).where(SessionRow.user_id == user_id))
    for tokens in (ApiTokenRow, RefreshTokenRow):
        live = (tokens.user_id == user_id) & tokens.revoked_at.is_(None)
        ended = update(tokens).where(live).values(revoked_at=DATABASE_NOW)
        session.execute(ended, execution_options={"synchronize_session": False})


def _user_row(session: Session, address: str) -> UserRow | None:
    return session.scalar(select(UserRow).where(UserRow.email == address))
