"""How many logins may fail: counted in the database, for all processes and replicas together."""

from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import sha256
from ipaddress import ip_network
from math import ceil
from threading import BoundedSemaphore
from typing import TypeVar

from sqlalchemy import ColumnElement, ScalarSelect, delete, select, true
from sqlalchemy.orm import Session

from dashboard.accounts.database import now_in
from dashboard.accounts.models import LoginFailureRow
from dashboard.accounts.passwords import AT_ONCE
from dashboard.accounts.store import Accounts, UserRefused, normal_email

WINDOW = timedelta(minutes=5)
MOST_OF_USER = 5
MOST_OF_ADDRESS = 10
MOST = 1_000
# Any number, as long as nothing else on the server takes the same for a lock.
LOCK = 0x72645F746872

# Before the address of a login by a provider.
_SIGN_ON = "sso "

T = TypeVar("T")


class Throttled(Exception):
    """Too many logins have failed. One may be tried again after so many `seconds`."""

    def __init__(self, seconds: int) -> None:
        super().__init__("Too many logins have failed.")
        self.seconds = seconds


class Throttle:
    """Counts failed logins in the database of these accounts."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        # As many as passwords are hashed at once: those who wait for that are not counted yet, so that the many who
        # come from one address in the morning do not shut one another out.
        self._turns = BoundedSemaphore(AT_ONCE)

    def bound(self, typed: str, address: str, authenticate: Callable[[], T | None]) -> T | None:
        """Who `authenticate` says it is, if another login may be tried; that it says nobody counts as a failure.

        Raises Throttled, which is not counted: it ends by itself.
        """
        # A look first: what is refused waits for nobody and writes nothing, so that a flood holds nobody up.
        with self._accounts.session() as session:
            _check(session, *attempt_key(typed, address), now_in(session))
        with self._turns:
            attempt = self.admit(typed, address)
            found = authenticate()
            if found is not None:
                self.forgive(attempt)
            return found

    def check_sign_on(self, address: str) -> None:
        """Raise Throttled if too many logins by a provider have failed from this address, or logins of any kind."""
        with self._accounts.session() as session:
            _check(session, None, _SIGN_ON + _place(address), now_in(session))

    def count_sign_on(self, address: str) -> None:
        """Count a login by a provider that failed. From this address, passwords are counted by themselves."""
        with self._accounts.session() as session:
            now = now_in(session)
            row = LoginFailureRow(at=now, user_key="", address=_SIGN_ON + _place(address))
            session.execute(delete(LoginFailureRow).where(LoginFailureRow.at <= now - WINDOW))
            session.add(row)

    def admit(self, typed: str, address: str) -> int:
        """Count a login as failed before it is tried, as many are at once; what names it, to `forgive` it."""
        user_key, place = attempt_key(typed, address)
        with self._accounts.alone(LOCK) as session:
            now = now_in(session)
            session.execute(delete(LoginFailureRow).where(LoginFailureRow.at <= now - WINDOW))
            _check(session, user_key, place, now)
            row = LoginFailureRow(at=now, user_key=user_key, address=place)
            session.add(row)
            session.flush()
            return row.id

    def forgive(self, attempt: int) -> None:
        """Take a login that did not fail out of the count; those that failed before it stay."""
        with self._accounts.session() as session:
            session.execute(delete(LoginFailureRow).where(LoginFailureRow.id == attempt))


def attempt_key(typed: str, address: str) -> tuple[str, str]:
    """What logins are counted by: who is meant, unreadably, and from where."""
    return _user_key(typed), _place(address)


def _check(session: Session, user_key: str | None, place: str, now: datetime) -> None:
    of_place = LoginFailureRow.address == place
    limits: list[tuple[ColumnElement[bool], int]] = [(of_place, MOST_OF_ADDRESS), (true(), MOST)]
    if user_key is not None:
        limits.append((of_place & (LoginFailureRow.user_key == user_key), MOST_OF_USER))
    # The one that makes it too many; as soon as that is too old, another may be tried.
    times = session.execute(select(*(_last_but(which, most - 1, now) for which, most in limits))).one()
    if late := [at for at in times if at is not None]:
        raise Throttled(max(1, ceil((max(late) + WINDOW - now).total_seconds())))


def _last_but(which: ColumnElement[bool], count: int, now: datetime) -> ScalarSelect[datetime]:
    recent = select(LoginFailureRow.at).where(which, LoginFailureRow.at > now - WINDOW)
    return recent.order_by(LoginFailureRow.at.desc()).offset(count).limit(1).scalar_subquery()


def _user_key(typed: str) -> str:
    """Who is meant, however it is typed. What is no address is one: people type passwords into the wrong field."""
    try:
        return sha256(normal_email(typed).encode()).hexdigest()
    except UserRefused:
        return ""


def _place(address: str) -> str:
    """The address; of IPv6 the network, as everybody has a whole one to take addresses from."""
    try:
        network = ip_network(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if network.version == 6:
        mapped = network.network_address.ipv4_mapped
        return str(mapped) if mapped else str(network.supernet(new_prefix=64).network_address)
    return str(network.network_address)
