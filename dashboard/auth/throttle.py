"""Limits of failed sign-ins, counted in the database across processes and replicas.

Attempts of strangers are counted by target user, by origin, and in total. Users who have recently signed in from the
same device or network are counted separately, so that strangers cannot lock them out.
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

from dashboard.auth.accounts import Accounts, InvalidUser, normalize_email
from dashboard.auth.client_addresses import client_network, site_network
from dashboard.auth.passwords import MAX_CONCURRENT_HASHES
from dashboard.database.models import KnownNetworkRow, LoginFailureRow
from dashboard.database.unit_of_work import database_now

FAILURE_WINDOW = timedelta(minutes=5)
# For a user from one place, or by one device.
MAX_FAILURES_PER_USER = 5
# By all devices of a user: cookies of several may be copied.
MAX_FAILURES_PER_USER_DEVICES = 20
# Of strangers: from one place, from one /48 of IPv6, for one user wherever they come from, and in all.
MAX_FAILURES_PER_NETWORK = 10
MAX_FAILURES_PER_SITE = 30
MAX_STRANGER_FAILURES_PER_USER = 50
MAX_STRANGER_FAILURES = 1_000
# How long a device or network is known after a sign-in.
KNOWN_DEVICE_TTL = timedelta(days=30)
# Any number, as long as nothing else on the server takes the same for a lock.
THROTTLE_LOCK_ID = 0x72645F746872

# What the others are known by: a place from which their user has signed in, or a device, named after this.
_KNOWN_BY_NETWORK = "place"
_KNOWN_BY_DEVICE = "device "
# A single sign-on has no user until it has succeeded.
_OIDC_USER_KEY = "sso"

T = TypeVar("T")


class TooManyLoginFailures(Exception):
    """Too many failed sign-ins. Retry after `seconds`."""

    def __init__(self, seconds: int) -> None:
        super().__init__("Too many failed sign-ins.")
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class LoginAttempt:
    """The keys that an attempt is counted by: hashed target user, origin, and known device or network, if any."""

    user_key: str
    place: str
    site: str
    known_by: str = ""

    def row(self, now: datetime) -> LoginFailureRow:
        """Return the row that counts the attempt."""
        return LoginFailureRow(
            at=now, user_key=self.user_key, address=self.place, site=self.site, known_by=self.known_by
        )


class LoginThrottle:
    """The store of failed sign-ins."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        # As many as passwords are hashed concurrently: queued attempts are not counted yet, so that many users behind
        # one address do not lock one another out.
        self._turns = BoundedSemaphore(MAX_CONCURRENT_HASHES)

    def bound(
        self,
        typed: str,
        address: str,
        authenticate: Callable[[], T | None],
        *,
        device: str = "",
        known: bool = False,
    ) -> T | None:
        """Return the result of `authenticate` within the limits; None counts as a failure.

        `device` is a device that this user has recently signed in with; `known` is whether the user is signed in here.
        Raises TooManyLoginFailures, which is not counted.
        """
        # Check first: rejected attempts neither wait nor write, so that a flood does not block others.
        with self._accounts.session() as session:
            now = database_now(session)
            _check(session, _attempt(session, typed, address, device, now, known=known), now)
        with self._turns:
            attempt = self.admit(typed, address, device=device, known=known)
            found = authenticate()
            if found is not None:
                self.forgive(attempt)
                self.remember(typed, address)
            return found

    def check_sign_on(self, address: str, device: str = "") -> None:
        """Raise TooManyLoginFailures if too many single sign-ons have failed from this address or device."""
        with self._accounts.session() as session:
            _check(session, _oidc_attempt(address, device), database_now(session))

    def count_sign_on(self, address: str, device: str = "") -> None:
        """Count a failed single sign-on, separately from password attempts."""
        with self._accounts.session() as session:
            now = database_now(session)
            session.execute(delete(LoginFailureRow).where(LoginFailureRow.at <= now - FAILURE_WINDOW))
            session.add(_oidc_attempt(address, device).row(now))

    def admit(self, typed: str, address: str, *, device: str = "", known: bool = False) -> int:
        """Count an attempt as failed in advance, to be safe against concurrency; return its ID for `forgive`."""
        with self._accounts.alone(THROTTLE_LOCK_ID) as session:
            now = database_now(session)
            session.execute(delete(LoginFailureRow).where(LoginFailureRow.at <= now - FAILURE_WINDOW))
            attempt = _attempt(session, typed, address, device, now, known=known)
            _check(session, attempt, now)
            row = attempt.row(now)
            session.add(row)
            session.flush()
            return row.id

    def forgive(self, attempt: int) -> None:
        """Remove a successful attempt from the count, keeping earlier failures."""
        with self._accounts.session() as session:
            session.execute(delete(LoginFailureRow).where(LoginFailureRow.id == attempt))

    def remember(self, email: str, address: str) -> None:
        """Remember the network of a sign-in of this user for 30 days."""
        place = client_network(address)
        if not place:
            return
        with self._accounts.alone(THROTTLE_LOCK_ID) as session:
            now = database_now(session)
            session.execute(delete(KnownNetworkRow).where(KnownNetworkRow.at <= now - KNOWN_DEVICE_TTL))
            session.merge(KnownNetworkRow(user_key=user_key(email), place=place, at=now))


def user_key(typed: str) -> str:
    """Return a hash of the normalized address. Invalid input, such as a password, shares one key."""
    try:
        return sha256(normalize_email(typed).encode()).hexdigest()
    except InvalidUser:
        return ""


def _attempt(session: Session, typed: str, address: str, device: str, now: datetime, *, known: bool) -> LoginAttempt:
    key, place = user_key(typed), client_network(address)
    if key and device:
        return LoginAttempt(key, place, site_network(address), _KNOWN_BY_DEVICE + device)
    if key and (known or _is_known(session, key, place, now)):
        return LoginAttempt(key, place, site_network(address), _KNOWN_BY_NETWORK)
    return LoginAttempt(key, place, site_network(address))


def _is_known(session: Session, key: str, place: str, now: datetime) -> bool:
    here = (
        (KnownNetworkRow.user_key == key)
        & (KnownNetworkRow.place == place)
        & (KnownNetworkRow.at > now - KNOWN_DEVICE_TTL)
    )
    return session.scalar(select(KnownNetworkRow.at).where(here)) is not None


def _oidc_attempt(address: str, device: str) -> LoginAttempt:
    return LoginAttempt(
        "", client_network(address), site_network(address), f"{_OIDC_USER_KEY} {device}" if device else _OIDC_USER_KEY
    )


def _check(session: Session, attempt: LoginAttempt, now: datetime) -> None:
    # The one that makes it too many; as soon as that is too old, another may be tried.
    times = session.execute(
        select(*(_nth_last_failure(which, most - 1, now) for which, most in _limits(attempt)))
    ).one()
    if late := [at for at in times if at is not None]:
        raise TooManyLoginFailures(max(1, ceil((max(late) + FAILURE_WINDOW - now).total_seconds())))


def _limits(attempt: LoginAttempt) -> Iterator[tuple[ColumnElement[bool], int]]:
    """Yield the counters of this attempt with their limits."""
    alike = LoginFailureRow.known_by == attempt.known_by
    of_user = LoginFailureRow.user_key == attempt.user_key
    of_place = LoginFailureRow.address == attempt.place
    if attempt.known_by.startswith(_KNOWN_BY_DEVICE):
        yield alike & of_user, MAX_FAILURES_PER_USER
        yield LoginFailureRow.known_by.startswith(_KNOWN_BY_DEVICE) & of_user, MAX_FAILURES_PER_USER_DEVICES
        return
    if attempt.known_by == _KNOWN_BY_NETWORK:
        yield alike & of_user & of_place, MAX_FAILURES_PER_USER
        return
    yield alike & of_place, MAX_FAILURES_PER_NETWORK
    if attempt.site:
        yield alike & (LoginFailureRow.site == attempt.site), MAX_FAILURES_PER_SITE
    if not attempt.known_by:
        yield alike & of_user & of_place, MAX_FAILURES_PER_USER
        yield alike, MAX_STRANGER_FAILURES
        if attempt.user_key:
            yield alike & of_user, MAX_STRANGER_FAILURES_PER_USER


def _nth_last_failure(which: ColumnElement[bool], count: int, now: datetime) -> ScalarSelect[datetime]:
    recent = select(LoginFailureRow.at).where(which, LoginFailureRow.at > now - FAILURE_WINDOW)
    return recent.order_by(LoginFailureRow.at.desc()).offset(count).limit(1).scalar_subquery()
