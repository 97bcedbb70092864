"""Browser sessions. The cookie holds an opaque secret; only its hash is stored."""

from dataclasses import dataclass, fields
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, bindparam, delete, select, update

from dashboard.auth.accounts import Accounts
from dashboard.auth.opaque_tokens import hash_secret, new_secret
from dashboard.database.best_effort import BestEffort
from dashboard.database.models import DATABASE_NOW, SessionRow, User, UserRow
from dashboard.database.unit_of_work import database_now
from dashboard.database.user_lock import lock_user

# From the sign-in, whatever is done in between.
SESSION_MAX_AGE = timedelta(hours=12)
# The same for who wants to be kept signed in: how long without a visit, and how long in all.
PERSISTENT_IDLE_TIMEOUT = timedelta(days=30)
PERSISTENT_MAX_AGE = timedelta(days=90)
# The accuracy of the last activity: each write invalidates all cached responses.
LAST_SEEN_RESOLUTION = timedelta(minutes=5)

_USERS, _SESSIONS = UserRow.__table__, SessionRow.__table__


@dataclass(frozen=True, slots=True)
class BrowserSession:
    """A session in the list. `id` is not a credential; `seen_at` is accurate to five minutes.

    `asked_at` is the time of the query by the database's clock.
    """

    id: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    kept: bool
    device: str
    address: str
    asked_at: datetime

    @property
    def lasts(self) -> timedelta:
        """Return the remaining lifetime without further activity."""
        return self.expires_at - self.asked_at

    @property
    def public_id(self) -> str:
        """Return the identifier for URLs, which are logged: a part of the hash.

        The full hash is not a credential either, but is used for queries and is not exposed.
        """
        return self.id[:16]


_USER_COLUMNS = [_USERS.c[field.name] for field in fields(User)]
_SESSION_COLUMNS = [
    *(_SESSIONS.c["id_hash" if field.name == "id" else field.name] for field in fields(BrowserSession)[:-1]),
    DATABASE_NOW.label("asked_at"),
]
# Asked with every request: without the ORM, and built once. A session ends with its user's epoch.
_SELECT_SESSION = (
    select(*_USER_COLUMNS, *_SESSION_COLUMNS)
    .join_from(_SESSIONS, _USERS, _SESSIONS.c.user_id == _USERS.c.id)
    .where(
        _SESSIONS.c.id_hash == bindparam("id"),
        _SESSIONS.c.expires_at > DATABASE_NOW,
        _SESSIONS.c.epoch == _USERS.c.epoch,
        _USERS.c.disabled_at.is_(None),
    )
)


class SessionStore:
    """The store of sessions, which expire after `idle` without activity.

    Each user has at most `most` sessions.
    """

    def __init__(self, accounts: Accounts, idle: timedelta, most: int = 50) -> None:
        self._accounts = accounts
        self._idle = idle
        self._most = most
        self._seen_every = min(LAST_SEEN_RESOLUTION, idle / 12)
        self._visits = BestEffort("session_visit")

    def start(self, user: User, *, device: str, address: str, kept: bool = False) -> str:
        """Start a session and return its secret, available only once.

        Deletes expired sessions, and the user's oldest ones above the limit.
        """
        secret = new_secret()
        row = SessionRow(id_hash=hash_secret(secret), user_id=user.id, epoch=user.epoch, kept=kept, device=device)
        with self._accounts.session() as session:
            # Concurrent sign-ins each count the ones before them.
            lock_user(session, user.id)
            now = database_now(session)
            row.address, row.created_at, row.seen_at = address, now, now
            row.expires_at = self._end(now, now, kept=kept)
            session.execute(delete(SessionRow).where(SessionRow.expires_at <= now))
            session.add(row)
            session.flush()
            session.execute(delete(SessionRow).where(SessionRow.user_id == user.id, ~self._newest(user, row.id_hash)))
        return secret

    def _newest(self, user: User, begun: str) -> ColumnElement[bool]:
        """Return a condition for the user's newest sessions, always including the one just started."""
        others = (SessionRow.user_id == user.id) & (SessionRow.epoch == user.epoch) & (SessionRow.id_hash != begun)
        newest = select(SessionRow.id_hash).where(others).order_by(SessionRow.created_at.desc(), SessionRow.id_hash)
        return (SessionRow.id_hash == begun) | SessionRow.id_hash.in_(newest.limit(self._most - 1))

    def find(self, secret: str) -> tuple[User, BrowserSession] | None:
        """Return the user and the session with this secret, if both are valid."""
        with self._accounts.reading() as connection:
            row = connection.execute(_SELECT_SESSION, {"id": hash_secret(secret)}).first()
        return (User(*row[: len(_USER_COLUMNS)]), BrowserSession(*row[len(_USER_COLUMNS) :])) if row else None

    def record_activity(self, found: BrowserSession) -> None:
        """Record activity of this session, at most once per interval and if possible."""
        if found.asked_at - found.seen_at >= self._seen_every:
            self._visits.attempt(lambda: self._note_visit(found))

    def _note_visit(self, found: BrowserSession) -> None:
        now = found.asked_at
        # Of several concurrent requests, the first one writes.
        due = (SessionRow.id_hash == found.id) & (SessionRow.seen_at <= now - self._seen_every)
        end = self._end(found.created_at, now, kept=found.kept)
        with self._accounts.session() as session:
            session.execute(update(SessionRow).where(due).values(seen_at=now, expires_at=end))

    def of(self, user: User) -> list[BrowserSession]:
        """Return the user's valid sessions, most recently used first."""
        holds = (SessionRow.user_id == user.id) & (SessionRow.epoch == user.epoch)
        asked = select(*_SESSION_COLUMNS).where(holds, SessionRow.expires_at > DATABASE_NOW)
        with self._accounts.reading() as connection:
            found = connection.execute(asked.order_by(SessionRow.seen_at.desc(), SessionRow.created_at.desc()))
            return [BrowserSession(*row) for row in found]

    def end(self, user: User, session_id: str) -> bool:
        """End one of the user's sessions immediately; return whether it existed."""
        ended = delete(SessionRow).where(SessionRow.id_hash == session_id, SessionRow.user_id == user.id)
        with self._accounts.session() as session:
            return session.scalar(ended.returning(SessionRow.id_hash)) is not None

    def end_all(self, user: User, *, but: str | None = None) -> int:
        """End the user's sessions immediately except the one with this ID; return their number."""
        ended = delete(SessionRow).where(SessionRow.user_id == user.id, SessionRow.id_hash != (but or ""))
        with self._accounts.session() as session:
            return len(session.scalars(ended.returning(SessionRow.id_hash)).all())

    def sweep(self) -> int:
        """Delete expired sessions and return their number. Starting a session does this as well."""
        with self._accounts.session() as session:
            ended = delete(SessionRow).where(SessionRow.expires_at <= DATABASE_NOW)
            return len(session.scalars(ended.returning(SessionRow.id_hash)).all())

    def _end(self, begun: datetime, seen: datetime, *, kept: bool) -> datetime:
        if kept:
            return min(seen + PERSISTENT_IDLE_TIMEOUT, begun + PERSISTENT_MAX_AGE)
        return min(seen + self._idle, begun + SESSION_MAX_AGE)
