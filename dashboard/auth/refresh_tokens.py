"""Refresh tokens: each can be used once; reuse reveals a copy.

Consecutive tokens from one sign-in form a family. Only hashes of tokens are stored.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from sqlalchemy import Row, delete, select, update
from sqlalchemy.orm import Session

from dashboard.auth.access_tokens import InvalidToken
from dashboard.auth.accounts import Accounts
from dashboard.auth.opaque_tokens import hash_secret, new_secret
from dashboard.database.models import RefreshTokenRow, User, UserRow
from dashboard.database.unit_of_work import database_now
from dashboard.database.user_lock import lock_user

REFRESH_TOKENS_PREFIX = "rdr_"


class RefreshTokenReused(InvalidToken):
    """A reused token: it has been copied, so its family is revoked. Raised once per family."""

    def __init__(self, user_id: str) -> None:
        super().__init__("The refresh token was used twice.")
        self.user_id = user_id


@dataclass(frozen=True, slots=True)
class TokenRenewal:
    """The user of a renewal, and the new refresh token."""

    user: User
    token: str


class RefreshTokens:
    """The store of refresh tokens, with their lifetime."""

    def __init__(self, accounts: Accounts, lifetime: timedelta) -> None:
        self._accounts = accounts
        self._lifetime = lifetime

    @property
    def expires_in(self) -> int:
        """Return the lifetime of a new token in seconds."""
        return int(self._lifetime.total_seconds())

    def start(self, user: User) -> str:
        """Start a family and return its first token. Deletes expired tokens."""
        with self._accounts.session() as session:
            now = database_now(session)
            session.execute(delete(RefreshTokenRow).where(RefreshTokenRow.expires_at <= now))
            return self._add(session, uuid4().hex, user, now)

    def renew(self, token: str) -> TokenRenewal:
        """Consume the token and return the next one of its family. Of concurrent calls, one succeeds.

        Raises InvalidToken; RefreshTokenReused, if that ended its family.
        """
        hashed = hash_secret(token)
        with self._accounts.session() as session:
            _lock_family(session, hashed)
            now = database_now(session)
            used = _consume_token(session, hashed, now)
            user = _unchanged_user(session, used) if used else None
            if used and user:
                return TokenRenewal(user, self._add(session, used.family, user, now))
            copied = None if used else _revoke_family_if_used(session, hashed, now)
        # Past the end of the transaction, which an exception would have undone.
        raise RefreshTokenReused(copied) if copied else InvalidToken

    def _add(self, session: Session, family: str, user: User, now: datetime) -> str:
        token = new_secret(REFRESH_TOKENS_PREFIX)
        row = RefreshTokenRow(token_hash=hash_secret(token), family=family, user_id=user.id, epoch=user.epoch)
        row.created_at, row.expires_at = now, now + self._lifetime
        session.add(row)
        return token


def _lock_family(session: Session, hashed: str) -> None:
    """Lock the family of this token, so that revoking it covers its newest token."""
    user_id = session.scalar(select(RefreshTokenRow.user_id).where(RefreshTokenRow.token_hash == hashed))
    if user_id:
        lock_user(session, user_id)


def _consume_token(session: Session, hashed: str, now: datetime) -> Row[str, str, int] | None:
    """Mark a valid, unused token as used, atomically in one statement."""
    good = (RefreshTokenRow.token_hash == hashed) & RefreshTokenRow.used_at.is_(None)
    good &= RefreshTokenRow.revoked_at.is_(None) & (RefreshTokenRow.expires_at > now)
    used = update(RefreshTokenRow).where(good).values(used_at=now)
    return session.execute(
        used.returning(RefreshTokenRow.family, RefreshTokenRow.user_id, RefreshTokenRow.epoch)
    ).first()


def _unchanged_user(session: Session, used: Row[str, str, int]) -> User | None:
    """Return the user if the password is unchanged and the user is not disabled."""
    row = session.scalar(select(UserRow).where(UserRow.id == used.user_id, UserRow.epoch == used.epoch))
    return row.value() if row and row.disabled_at is None else None


def _revoke_family_if_used(session: Session, hashed: str, now: datetime) -> str | None:
    """Revoke the family of a used token; return its user if it was still active."""
    family = select(RefreshTokenRow.family).where(
        RefreshTokenRow.token_hash == hashed, RefreshTokenRow.used_at.is_not(None)
    )
    left = (RefreshTokenRow.family == family.scalar_subquery()) & RefreshTokenRow.revoked_at.is_(None)
    ended = update(RefreshTokenRow).where(left).values(revoked_at=now).returning(RefreshTokenRow.user_id)
    found = session.scalars(ended, execution_options={"synchronize_session": False}).all()
    return found[0] if found else None
