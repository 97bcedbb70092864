"""Cache of recent authentications, which stay valid read-only while the database is unavailable.

Cached sessions and tokens are revalidated every second with a few queries, so that revocations by other processes are
known before an outage. Revocations by this process are checked immediately. Entries expire ten minutes after the
database last confirmed them, or when the session or token expires.
"""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from time import monotonic
from typing import Any

from cachetools import LRUCache
from sqlalchemy import Connection, select

from dashboard.auth.kiosk_links import KioskLinkRow
from dashboard.database.models import ApiTokenRow, SessionRow, User, UserRow
from dashboard.database.unit_of_work import AccountsUnavailable, Database

# Users authenticated within this many seconds before the outage keep read access.
RECENT_SECONDS = 60.0
# How long an authentication stays valid without the database, for pages, streams, screens and tokens alike.
MAX_OUTAGE_SECONDS = 600.0
# An open stream asks about itself once a minute.
STREAM_RECENT_SECONDS = 150.0
VERIFY_INTERVAL_SECONDS = 1.0
MAX_REMEMBERED_ADMISSIONS = 10_000
# Of what is verified with one question.
_VERIFY_BATCH_SIZE = 500


class AuthMethod(StrEnum):
    """The kind of credential."""

    session = "session"
    api_token = "api_token"  # noqa: S105  the name of a way
    screen = "screen"
    # By what names a user and an epoch of theirs: an access token, or the link of a badge.
    user = "user"


@dataclass(frozen=True, slots=True)
class _Admission:
    found: Any
    proof: str
    at: float
    until: datetime | None


AdmissionKey = tuple[AuthMethod, str]


class RecentAdmissions:
    """Recent authentications by hash of the credential. Thread-safe."""

    def __init__(self, database: Database, clock: Callable[[], float] = monotonic) -> None:
        self._database = database
        self._clock = clock
        self._lock = threading.Lock()
        self._admitted: LRUCache[AdmissionKey, _Admission] = LRUCache(MAX_REMEMBERED_ADMISSIONS)
        self._mark: object = None
        self._stop: threading.Event | None = None

    def note(
        self, way: AuthMethod, hashed: str, found: object, user: User | None = None, lasts: timedelta | None = None
    ) -> None:
        """Cache the result for a credential, or that there is none. `lasts` is its remaining lifetime."""
        # By this machine's clock, which may be apart from the one by which it was found to last so long.
        until = None if lasts is None else datetime.now(UTC) + lasts
        proof = _user_proof(user.id, user.epoch) if way is AuthMethod.user and user else hashed
        with self._lock:
            if not found:
                self._admitted.pop((way, hashed), None)
                return
            self._admitted[way, hashed] = _Admission(found, proof, self._clock(), until)
            if self._stop is None:
                self._stop = threading.Event()
                threading.Thread(
                    target=self._keep_verifying, args=(self._stop,), name="admissions", daemon=True
                ).start()

    def recall(self, way: AuthMethod, hashed: str, *, stream: bool = False) -> Any | None:  # noqa: ANN401  as it was noted
        """Return the cached result for a credential if it was confirmed shortly before the outage."""
        now = self._clock()
        away_since = self._database.away_since or now
        with self._lock:
            admission = self._admitted.get((way, hashed))
        if admission is None or now - admission.at >= MAX_OUTAGE_SECONDS:
            return None
        lately = away_since - admission.at <= (STREAM_RECENT_SECONDS if stream else RECENT_SECONDS)
        lasts = admission.until is None or admission.until > datetime.now(UTC)
        return admission.found if lately and lasts else None

    def verify(self) -> None:
        """Drop entries that are no longer valid; keep those that cannot be checked. Raises AccountsUnavailable."""
        mark = self._database.change_token()
        if mark == self._mark:
            return
        with self._lock:
            due = {key: one for key, one in self._admitted.items() if self._clock() - one.at <= STREAM_RECENT_SECONDS}
        with self._database.reading() as connection:
            holding = {
                way: _still_valid(connection, way, {one.proof for key, one in due.items() if key[0] is way})
                for way in AuthMethod
            }
        with self._lock:
            for key, one in due.items():
                if one.proof not in holding[key[0]] and self._admitted.get(key) is one:
                    del self._admitted[key]
        self._mark = mark

    def close(self) -> None:
        """Clear the cache and stop revalidation."""
        with self._lock:
            if self._stop:
                self._stop.set()
            self._stop = None
            self._admitted.clear()

    def _keep_verifying(self, stop: threading.Event) -> None:
        while not stop.wait(VERIFY_INTERVAL_SECONDS):
            if self._is_idle(stop):
                return
            try:
                self.verify()
            except AccountsUnavailable:
                continue

    def _is_idle(self, stop: threading.Event) -> bool:
        """Return whether there have been no authentications for long."""
        with self._lock:
            busy = any(self._clock() - one.at <= STREAM_RECENT_SECONDS for one in self._admitted.values())
            if not busy and self._stop is stop:
                self._stop = None
            return not busy


def _user_proof(user_id: str, epoch: int) -> str:
    return f"{user_id} {epoch}"


def _still_valid(connection: Connection, way: AuthMethod, proofs: Iterable[str]) -> set[str]:
    """Return the credentials that are still valid."""
    asked, found = sorted(proofs), set()
    for start in range(0, len(asked), _VERIFY_BATCH_SIZE):
        found |= _VALIDITY_QUERIES[way](connection, asked[start : start + _VERIFY_BATCH_SIZE])
    return found


def _sessions(connection: Connection, hashes: list[str]) -> set[str]:
    holds = (SessionRow.epoch == UserRow.epoch) & UserRow.disabled_at.is_(None)
    asked = select(SessionRow.id_hash).join(UserRow, UserRow.id == SessionRow.user_id)
    return set(connection.scalars(asked.where(SessionRow.id_hash.in_(hashes), holds)))


def _api_tokens(connection: Connection, hashes: list[str]) -> set[str]:
    holds = ApiTokenRow.revoked_at.is_(None) & UserRow.disabled_at.is_(None)
    asked = select(ApiTokenRow.token_hash).join(UserRow, UserRow.id == ApiTokenRow.user_id)
    return set(connection.scalars(asked.where(ApiTokenRow.token_hash.in_(hashes), holds)))


def _screens(connection: Connection, hashes: list[str]) -> set[str]:
    holds = (KioskLinkRow.epoch == UserRow.epoch) & UserRow.disabled_at.is_(None)
    asked = select(KioskLinkRow.token_hash).join(UserRow, UserRow.id == KioskLinkRow.user_id)
    return set(connection.scalars(asked.where(KioskLinkRow.token_hash.in_(hashes), holds)))


def _users(connection: Connection, proofs: list[str]) -> set[str]:
    ids = {proof.partition(" ")[0] for proof in proofs}
    asked = select(UserRow.id, UserRow.epoch).where(UserRow.id.in_(ids), UserRow.disabled_at.is_(None))
    return {_user_proof(*row) for row in connection.execute(asked)}


_VALIDITY_QUERIES: dict[AuthMethod, Callable[[Connection, list[str]], set[str]]] = {
    AuthMethod.session: _sessions,
    AuthMethod.api_token: _api_tokens,
    AuthMethod.screen: _screens,
    AuthMethod.user: _users,
}
