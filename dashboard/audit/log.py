"""The append-only audit log."""

import json
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from threading import Lock

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from dashboard.database.models import DATABASE_NOW, MAX_CLIENT_ADDRESS_LENGTH, AuditRow
from dashboard.database.outage import AccountsUnavailable
from dashboard.database.unit_of_work import database_now

MAX_SUBJECT_LENGTH = 300
# How much waits in memory at most until the database takes it.
MAX_POSTPONED_EVENTS = 10_000
# The actor of commands, which need no authentication: users who can run them may do everything that they do.
COMMAND_LINE_ACTOR = "command line"

AuditDetails = Mapping[str, str | int | bool | None]


class AuditEventType(StrEnum):
    """The types of audit events."""

    login_succeeded = "login_succeeded"
    login_failed = "login_failed"
    login_throttled = "login_throttled"
    login_outdated = "login_outdated"
    logout = "logout"
    session_ended = "session_ended"
    release_viewed = "release_viewed"
    exported = "exported"
    token_created = "token_created"  # noqa: S105  the name of an event
    token_revoked = "token_revoked"  # noqa: S105
    refresh_reused = "refresh_reused"
    kiosk_link_created = "kiosk_link_created"
    kiosk_link_revoked = "kiosk_link_revoked"
    user_added = "user_added"
    user_disabled = "user_disabled"
    user_enabled = "user_enabled"
    role_changed = "role_changed"
    name_changed = "name_changed"
    user_linked = "user_linked"
    user_unlinked = "user_unlinked"
    password_changed = "password_changed"  # noqa: S105
    password_reset = "password_reset"  # noqa: S105


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """An event with its `actor` (an e-mail address), target and request.

    Fields are None if they do not apply: no user was signed in, or there was no request.
    """

    event: str
    actor_id: str | None
    actor: str | None
    subject: str | None
    address: str | None
    request_id: str | None
    details: AuditDetails

    @classmethod
    def from_command_line(cls, event: AuditEventType, subject: str, **details: str | int | bool | None) -> "AuditEvent":
        """Return an event from the command line."""
        return cls(event, None, COMMAND_LINE_ACTOR, subject, None, None, details)

    def plain(self) -> "AuditEvent":
        """Return the event as stored: truncated, and with characters that every database supports."""
        details = {
            name: _sanitize(value, MAX_SUBJECT_LENGTH) if isinstance(value, str) else value
            for name, value in self.details.items()
        }
        subject, address = (
            _sanitize(self.subject, MAX_SUBJECT_LENGTH),
            _sanitize(self.address, MAX_CLIENT_ADDRESS_LENGTH),
        )
        return replace(self, subject=subject, address=address, details=details)


@dataclass(frozen=True, slots=True)
class AuditEntry(AuditEvent):
    """A stored event with its number and time. Later entries have larger numbers."""

    id: int
    at: datetime


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """A filter of entries.

    By events, by text in actor and target (ignoring case), by IP address and request ID, from `since` (inclusive) to
    `until` (exclusive).

    Empty values and None are ignored.
    """

    events: tuple[AuditEventType, ...] = ()
    actor: str = ""
    subject: str = ""
    address: str = ""
    request_id: str = ""
    since: datetime | None = None
    until: datetime | None = None


class AuditLog:
    """The audit sign in the accounts database, which refuses to change or delete entries."""

    def __init__(
        self,
        session: Callable[[], AbstractContextManager[Session]],
        long_session: Callable[[], AbstractContextManager[Session]],
        probe: Callable[[], None],
    ) -> None:
        self._session = session
        self._long_session = long_session
        self._probe = probe
        self._lock = Lock()
        self._postponed: deque[tuple[AuditEvent, datetime]] = deque()

    def add(self, happened: AuditEvent, at: datetime | None = None) -> None:
        """Add an entry with the current time of the database, or the given time."""
        written = happened.plain()
        row = AuditRow(
            at=at or DATABASE_NOW,
            actor_id=written.actor_id,
            actor=written.actor,
            event=written.event,
            subject=written.subject,
            address=written.address,
            request_id=written.request_id,
            details=json.dumps(dict(written.details)),
        )
        with self._session() as session:
            session.add(row)

    def requests_within(
        self, period: timedelta, actor_id: str, events: Collection[AuditEventType], *, but: str
    ) -> tuple[int, timedelta]:
        """Return how many requests of this user wrote such entries recently, and when the first one expires.

        Only entries of that period are scanned.
        """
        counted = (AuditRow.actor_id == actor_id) & AuditRow.event.in_(events) & (AuditRow.request_id != but)
        requests = func.count(AuditRow.request_id.distinct()).filter(counted)
        with self._session() as session:
            now = database_now(session)
            asked = select(requests, func.min(AuditRow.at).filter(counted)).where(AuditRow.at > now - period)
            count, first = session.execute(asked).one()
        return count, first + period - now if first else period

    def postpone(self, happened: AuditEvent) -> bool:
        """Keep an entry in memory until the database is writable; return false if the memory is full."""
        with self._lock:
            if len(self._postponed) >= MAX_POSTPONED_EVENTS:
                return False
            self._postponed.append((happened, datetime.now(UTC)))
        # The database may be back by now, and what was postponed before written already: a probe has this written, too.
        self._probe()
        return True

    def write_postponed(self) -> None:
        """Write postponed entries in order, as far as possible."""
        with self._lock:
            while self._postponed:
                try:
                    self.add(*self._postponed[0])
                except AccountsUnavailable:
                    return
                self._postponed.popleft()

    def read(self, wanted: AuditQuery, most: int, before: int | None = None) -> list[AuditEntry]:
        """Return matching entries, newest first, up to a limit and before a given number.

        The number leads directly to the page, however old it is.
        """
        asked = select(*_COLUMNS).where(*_conditions(wanted)).order_by(AuditRow.id.desc()).limit(most)
        with self._long_session() as session:
            found = session.execute(asked.where(AuditRow.id < before) if before is not None else asked)
            return [AuditEntry(*row[:6], json.loads(row.details), row.id, row.at) for row in found]


_COLUMNS = (
    *(AuditRow.event, AuditRow.actor_id, AuditRow.actor, AuditRow.subject, AuditRow.address, AuditRow.request_id),
    *(AuditRow.details, AuditRow.id, AuditRow.at),
)


def _conditions(wanted: AuditQuery) -> Iterator[ColumnElement[bool]]:
    if wanted.events:
        yield AuditRow.event.in_(wanted.events)
    for column, part in ((AuditRow.actor, wanted.actor), (AuditRow.subject, wanted.subject)):
        if part:
            yield column.icontains(part, autoescape=True)
    for column, whole in ((AuditRow.address, wanted.address), (AuditRow.request_id, wanted.request_id)):
        if whole:
            yield column == whole
    if wanted.since:
        yield AuditRow.at >= wanted.since
    if wanted.until:
        yield AuditRow.at < wanted.until


def _sanitize(text: str | None, longest: int) -> str | None:
    return text and text[:longest].replace("\x00", "").encode("utf-8", "replace").decode()
