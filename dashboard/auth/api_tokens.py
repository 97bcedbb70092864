"""API tokens of users for scripts. Only their hashes are stored.

A token ends when it is revoked or expires, or when its owner's password changes or the owner is disabled.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import uuid4

from sqlalchemy import ColumnElement, bindparam, delete, func, insert, literal, or_, select, update
from sqlalchemy.orm import Session

from dashboard.auth.opaque_tokens import hash_secret, new_secret
from dashboard.database.best_effort import BestEffort
from dashboard.database.models import DATABASE_NOW, ApiTokenRow, User, UserRow
from dashboard.database.unit_of_work import database_now
from dashboard.database.user_lock import lock_user

API_TOKENS_PREFIX = "rdt_"
MAX_TOKEN_NAME_LENGTH = 60
MAX_TOKEN_DAYS = 365
# How many of a user's may hold at a time.
MAX_TOKENS_PER_USER = 20
# How exactly it is kept when a token was last used: each writing makes all answers be made again.
TOKEN_USE_RESOLUTION = timedelta(minutes=10)


class TokenScope(StrEnum):
    """The scope of a token: read-only, or all permissions of its owner."""

    read = "read"
    write = "write"


class InvalidTokenRequest(ValueError):
    """An invalid token request. `field` names the field; the message describes valid values."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field


class TooManyTokens(Exception):
    """The user has reached the limit of tokens."""

    def __init__(self) -> None:
        super().__init__(f"You have reached the limit of {MAX_TOKENS_PER_USER} tokens. Revoke an unused token first.")


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A token in the list. `used_at` is accurate to ten minutes. It can no longer be used if `valid` is false.

    `asked_at` is the time of the query by the database's clock.
    """

    id: str
    name: str
    scope: TokenScope
    created_at: datetime
    expires_at: datetime | None
    used_at: datetime | None
    revoked_at: datetime | None
    asked_at: datetime

    @property
    def valid(self) -> bool:
        """Return whether the token can be used."""
        return self.revoked_at is None and not self.expired

    @property
    def expired(self) -> bool:
        """Return whether it has expired."""
        return self.expires_at is not None and self.expires_at <= self.asked_at


@dataclass(frozen=True, slots=True)
class AuthenticatedToken:
    """The owner, scope and remaining lifetime of a token."""

    user: User
    scope: TokenScope
    lasts: timedelta | None


_USERS, _TOKENS = UserRow.__table__, ApiTokenRow.__table__
_USER_COLUMNS = [_USERS.c[field.name] for field in fields(User)]
_TOKEN_COLUMNS = [field.name for field in fields(ApiToken) if field.name != "asked_at"]
# Asked with every request: without the ORM, and built once.
_SELECT_TOKEN = (
    select(*_USER_COLUMNS, _TOKENS.c.scope, _TOKENS.c.id, _TOKENS.c.used_at, _TOKENS.c.expires_at, DATABASE_NOW)
    .join_from(_TOKENS, _USERS, _TOKENS.c.user_id == _USERS.c.id)
    .where(
        _TOKENS.c.token_hash == bindparam("hash"),
        _TOKENS.c.revoked_at.is_(None),
        or_(_TOKENS.c.expires_at.is_(None), _TOKENS.c.expires_at > DATABASE_NOW),
        _USERS.c.disabled_at.is_(None),
    )
)


class ApiTokens:
    """The store of API tokens. `transaction` opens a database session."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[Session]]) -> None:
        self._transaction = transaction
        self._uses = BestEffort("api_token_use")

    def add(self, user: User, name: str, scope: str, days: int | None = None) -> tuple[ApiToken, str]:
        """Create a token that expires after a number of days, or never.

        Returns it and its secret, which is available only once. Deletes expired and revoked tokens. Raises
        InvalidTokenRequest, or TooManyTokens, also if the user's sessions have just ended.
        """
        secret, named, allowed = new_secret(API_TOKENS_PREFIX), _normalize_token_name(name), _normalize_scope(scope)
        lasts = timedelta(days=_normalize_days(days)) if days is not None else None
        with self._transaction() as session:
            now = database_now(session)
            expires_at = now + lasts if lasts else None
            made = ApiToken(uuid4().hex, named, allowed, now, expires_at, None, None, now)
            row = {name: getattr(made, name) for name in _TOKEN_COLUMNS}
            # What ends the user's tokens waits for this, or has been before it and is seen here.
            lock_user(session, user.id)
            session.execute(delete(ApiTokenRow).where(ApiTokenRow.user_id == user.id, ~_holds(now)))
            if not _insert_token_within_limit(
                session, user, row | {"user_id": user.id, "token_hash": hash_secret(secret)}
            ):
                raise TooManyTokens
        return made, secret

    def verify(self, secret: str) -> AuthenticatedToken | None:
        """Return the owner and scope of a valid token, or None.

        Its use is recorded from time to time, if possible.
        """
        with self._transaction() as session:
            row = session.execute(_SELECT_TOKEN, {"hash": hash_secret(secret)}).first()
        if row is None:
            return None
        *of_user, scope, token_id, used_at, expires_at, now = row
        if used_at is None or now - used_at >= TOKEN_USE_RESOLUTION:
            self._uses.attempt(lambda: self._note_use(token_id, now))
        return AuthenticatedToken(User(*of_user), TokenScope(scope), expires_at - now if expires_at else None)

    def of(self, user: User) -> list[ApiToken]:
        """Return the user's tokens, newest first, including expired and revoked ones until the next is created."""
        asked = select(*(_TOKENS.c[name] for name in _TOKEN_COLUMNS), DATABASE_NOW).where(_TOKENS.c.user_id == user.id)
        with self._transaction() as session:
            found = session.execute(asked.order_by(_TOKENS.c.created_at.desc())).all()
        return [ApiToken(row.id, row.name, TokenScope(row.scope), *tuple(row)[3:]) for row in found]

    def revoke(self, user: User, token_id: str) -> bool:
        """Revoke one of the user's tokens immediately; return whether the ID exists."""
        own = (ApiTokenRow.id == token_id) & (ApiTokenRow.user_id == user.id)
        ended = update(ApiTokenRow).where(own).values(revoked_at=func.coalesce(ApiTokenRow.revoked_at, DATABASE_NOW))
        with self._transaction() as session:
            return session.scalar(ended.returning(ApiTokenRow.id)) is not None

    def _note_use(self, token_id: str, now: datetime) -> None:
        # Of several concurrent requests, the first one writes.
        due = or_(ApiTokenRow.used_at.is_(None), ApiTokenRow.used_at <= now - TOKEN_USE_RESOLUTION)
        with self._transaction() as session:
            session.execute(update(ApiTokenRow).where(ApiTokenRow.id == token_id, due).values(used_at=now))


def _unchanged(user: User) -> ColumnElement[bool]:
    """Return a condition that the user's password is unchanged and the user is not disabled."""
    return (UserRow.id == user.id) & (UserRow.epoch == user.epoch) & UserRow.disabled_at.is_(None)


def _holds(now: datetime) -> ColumnElement[bool]:
    unexpired = ApiTokenRow.expires_at.is_(None) | (ApiTokenRow.expires_at > now)
    return ApiTokenRow.revoked_at.is_(None) & unexpired


def _insert_token_within_limit(session: Session, user: User, row: dict[str, Any]) -> bool:
    """Add a token unless the limit is reached or the user has changed, atomically in one statement."""
    has = select(func.count()).select_from(ApiTokenRow).where(ApiTokenRow.user_id == user.id).scalar_subquery()
    same = select(UserRow.id).where(_unchanged(user)).exists()
    values = select(*(literal(value, _TOKENS.c[name].type) for name, value in row.items())).where(
        has < MAX_TOKENS_PER_USER, same
    )
    added = insert(ApiTokenRow).from_select(list(row), values, include_defaults=False)
    return session.scalar(added.returning(ApiTokenRow.id)) is not None


def _normalize_token_name(text: str) -> str:
    name = text.strip()
    if not (0 < len(name) <= MAX_TOKEN_NAME_LENGTH and name.isprintable()):
        raise InvalidTokenRequest("name", f"The name must have 1 to {MAX_TOKEN_NAME_LENGTH} printable characters.")
    return name


def _normalize_scope(text: str) -> TokenScope:
    if text not in set(TokenScope):
        raise InvalidTokenRequest("scope", "The scope must be read or write.")
    return TokenScope(text)


def _normalize_days(days: int) -> int:
    if not 1 <= days <= MAX_TOKEN_DAYS:
        raise InvalidTokenRequest("days", f"The lifetime must be 1 to {MAX_TOKEN_DAYS} days, or empty for no expiry.")
    return days
