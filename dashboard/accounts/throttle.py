"""How many logins may fail: counted in the database, for all processes and replicas together.

Strangers are counted by the user whom they mean, by where they come from, and in all. Who has signed in lately from the
same device or the same place is none, and is counted by that alone: no number of strangers shuts them out.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from math import ceil
from threading import BoundedSemaphore
from typing import TypeVar

from sqlalchemy import ColumnElement, ScalarSelect, delete, select
from sqlalchemy.orm import Session

from dashboard.accounts.client_addresses import place_of, site_of
from dashboard.accounts.database import now_in
from dashboard.accounts.models import KnownPlaceRow, LoginFailureRow
from dashboard.accounts.passwords import AT_ONCE
from dashboard.accounts.store import Accounts, UserRefused, normal_email

WINDOW = timedelta(minutes=5)
# For a user from one place, or by one device.
MOST_OF_USER = 5
# By all devices of a user: cookies of several may be copied.
MOST_OF_DEVICES = 20
# Of strangers: from one place, from one /48 of IPv6, for one user wherever they come from, and in all.
MOST_OF_ADDRESS = 10
MOST_OF_SITE = 30
MOST_OF_USER_ANYWHERE = 50
MOST = 1_000
# For how long somebody is known after a login, by its device or its place.
KNOWN_FOR = timedelta(days=30)
# Any number, as long as nothing else on the server takes the same for a lock.
LOCK = 0x72645F746872

# What the others are known by: a place from which their user has signed in, or a device, named after this.
_PLACE = "place"
_DEVICE = "device "
# Logins by a provider are nobody's until they have succeeded.
_SIGN_ON = "sso"

T = TypeVar("T")


class Throttled(Exception):
    """Too many failed sign-ins. One may be tried again after so many `seconds`."""

    def __init__(self, seconds: int) -> None:
        super().__init__("Too many failed sign-ins.")
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a login is counted by: who is meant, unreadably; from where; and by what they are known, if they are."""

    user_key: str
    place: str
    site: str
    known_by: str = ""

    def row(self, now: datetime) -> LoginFailureRow:
        """A row that counts it."""
        return LoginFailureRow(
            at=now, user_key=self.user_key, address=self.place, site=self.site, known_by=self.known_by
        )


class Throttle:
    """Counts failed logins in the database of these accounts."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        # As many as passwords are hashed at once: those who wait for that are not counted yet, so that the many who
        # come from one address in the morning do not shut one another out.
        self._turns = BoundedSemaphore(AT_ONCE)

    def bound(
        self,
        typed: str,
        address: str,
        authenticate: Callable[[], T | None],
        *,
        device: str = "",
        known: bool = False,
    ) -> T | None:
        """Who `authenticate` says it is, if another login may be tried; that it says nobody counts as a failure.

        `device` names one by which this user has signed in lately; `known` is whether they are signed in here. Raises
        Throttled, which is not counted: it ends by itself.
        """
        # A look first: what is refused waits for nobody and writes nothing, so that a flood holds nobody up.
        with self._accounts.session() as session:
            now = now_in(session)
            _check(session, _attempt(session, typed, address, device, now, known=known), now)
        with self._turns:
            attempt = self.admit(typed, address, device=device, known=known)
            found = authenticate()
            if found is not None:
                self.forgive(attempt)
                self.remember(typed, address)
            return found

    def check_sign_on(self, address: str, device: str = "") -> None:
        """Raise Throttled if too many logins by a provider have failed from this address, or by this device."""
        with self._accounts.session() as session:
            _check(session, _sign_on(address, device), now_in(session))

    def count_sign_on(self, address: str, device: str = "") -> None:
        """Count a login by a provider that failed. From this address, passwords are counted by themselves."""
        with self._accounts.session() as session:
            now = now_in(session)
            session.execute(delete(LoginFailureRow).where(LoginFailureRow.at <= now - WINDOW))
            session.add(_sign_on(address, device).row(now))

    def admit(self, typed: str, address: str, *, device: str = "", known: bool = False) -> int:
        """Count a login as failed before it is tried, as many are at once; what names it, to `forgive` it."""
        with self._accounts.alone(LOCK) as session:
            now = now_in(session)
            session.execute(delete(LoginFailureRow).where(LoginFailureRow.at <= now - WINDOW))
            attempt = _attempt(session, typed, address, device, now, known=known)
            _check(session, attempt, now)
            row = attempt.row(now)
            session.add(row)
            session.flush()
            return row.id

    def forgive(self, attempt: int) -> None:
        """Take a login that did not fail out of the count; those that failed before it stay."""
        with self._accounts.session() as session:
            session.execute(delete(LoginFailureRow).where(LoginFailureRow.id == attempt))

    def remember(self, email: str, address: str) -> None:
        """Know this user by where they have signed in, for 30 days."""
        place = place_of(address)
        if not place:
            return
        with self._accounts.alone(LOCK) as session:
            now = now_in(session)
            session.execute(delete(KnownPlaceRow).where(KnownPlaceRow.at <= now - KNOWN_FOR))
            session.merge(KnownPlaceRow(user_key=user_key(email), place=place, at=now))


def user_key(typed: str) -> str:
    """Who is meant, however it is typed. What is no address is one: people type passwords into the wrong field."""
    try:
        return sha256(normal_email(typed).encode()).hexdigest()
    except UserRefused:
        return ""


def _attempt(session: Session, typed: str, address: str, device: str, now: datetime, *, known: bool) -> Attempt:
    key, place = user_key(typed), place_of(address)
    if key and device:
        return Attempt(key, place, site_of(address), _DEVICE + device)
    if key and (known or _is_known(session, key, place, now)):
        return Attempt(key, place, site_of(address), _PLACE)
    return Attempt(key, place, site_of(address))


def _is_known(session: Session, key: str, place: str, now: datetime) -> bool:
    here = (KnownPlaceRow.user_key == key) & (KnownPlaceRow.place == place) & (KnownPlaceRow.at > now - KNOWN_FOR)
    return session.scalar(select(KnownPlaceRow.at).where(here)) is not None


def _sign_on(address: str, device: str) -> Attempt:
    return Attempt("", place_of(address), site_of(address), f"{_SIGN_ON} {device}" if device else _SIGN_ON)


def _check(session: Session, attempt: Attempt, now: datetime) -> None:
    # The one that makes it too many; as soon as that is too old, another may be tried.
    times = session.execute(select(*(_last_but(which, most - 1, now) for which, most in _limits(attempt)))).one()
    if late := [at for at in times if at is not None]:
        raise Throttled(max(1, ceil((max(late) + WINDOW - now).total_seconds())))


def _limits(attempt: Attempt) -> Iterator[tuple[ColumnElement[bool], int]]:
    """What this one is counted with, and how many of those may fail."""
    alike = LoginFailureRow.known_by == attempt.known_by
    of_user = LoginFailureRow.user_key == attempt.user_key
    of_place = LoginFailureRow.address == attempt.place
    if attempt.known_by.startswith(_DEVICE):
        yield alike & of_user, MOST_OF_USER
        yield LoginFailureRow.known_by.startswith(_DEVICE) & of_user, MOST_OF_DEVICES
        return
    if attempt.known_by == _PLACE:
        yield alike & of_user & of_place, MOST_OF_USER
        return
    yield alike & of_place, MOST_OF_ADDRESS
    if attempt.site:
        yield alike & (LoginFailureRow.site == attempt.site), MOST_OF_SITE
    if not attempt.known_by:
        yield alike & of_user & of_place, MOST_OF_USER
        yield alike, MOST
        if attempt.user_key:
            yield alike & of_user, MOST_OF_USER_ANYWHERE


def _last_but(which: ColumnElement[bool], count: int, now: datetime) -> ScalarSelect[datetime]:
    recent = select(LoginFailureRow.at).where(which, LoginFailureRow.at > now - WINDOW)
    return recent.order_by(LoginFailureRow.at.desc()).offset(count).limit(1).scalar_subquery()
