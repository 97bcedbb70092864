"""Serve pages read-only to recently authenticated users while the accounts database is unavailable."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

from flask import Response, g, request

from dashboard.auth.recent_admissions import AuthMethod
from dashboard.database.models import User
from dashboard.database.unit_of_work import AccountsAway, AccountsUnavailable
from dashboard.web.errors import wants_stream
from dashboard.web.page_response import PAGE_RESPONSE_ENVIRON_KEY
from dashboard.web.security import SAFE_METHODS
from dashboard.web.services import services

T = TypeVar("T")
ACCOUNTS_AWAY_HEADER = "Accounts-Away"


def find_or_recall(
    way: AuthMethod,
    hashed: str,
    find: Callable[[], T | None],
    *,
    user: Callable[[T], User] | None = None,
    lasts: Callable[[T], timedelta | None] | None = None,
) -> T | None:
    """Return the result of `find` or, while the database is unavailable, its recent result. Raises AccountsUnavailable.

    `lasts` returns for how much longer the result is valid, if known.
    """
    admissions = services().accounts.admissions
    try:
        found = find()
    except AccountsAway as exc:
        recalled: T | None = admissions.recall(way, hashed, stream=wants_stream())
        if recalled is None:
            raise
        g.accounts_away = exc
        return recalled
    admissions.note(
        way, hashed, found, user(found) if found and user else None, lasts(found) if found and lasts else None
    )
    return found


def is_accounts_outage() -> bool:
    """Return whether this request is served without the database, or without writing to it."""
    return "accounts_away" in g


def refuse_changes_while_away() -> None:
    """Raise AccountsAway for requests that would change something."""
    if is_accounts_outage() and request.method not in SAFE_METHODS:
        raise g.accounts_away


def note_read_only() -> None:
    """Note that this request is served without writing to the database."""
    if not services().accounts.is_writable:
        g.accounts_away = AccountsAway()


def mark_read_only(response: Response) -> Response:
    """Add a header to responses while the database is unavailable."""
    if is_accounts_outage() and request.endpoint != "static":
        response.headers[ACCOUNTS_AWAY_HEADER] = "read-only"
        # The same without the mark is another answer.
        request.environ.pop(PAGE_RESPONSE_ENVIRON_KEY, None)
    return response


def verify_admissions(response: Response) -> Response:
    """Invalidate cached authentication so that the next request sees this one's changes."""
    if request.method not in SAFE_METHODS and response.status_code < 400 and not is_accounts_outage():
        try:
            services().accounts.admissions.verify()
        except AccountsUnavailable:
            # Credentials are revalidated shortly.
            return response
    return response


def value_or(otherwise: Any, find: Callable[[], Any]) -> Any:  # noqa: ANN401  of what the page shows beside the releases
    """Return the result of `find` or, while the database is unavailable, a default."""
    try:
        return find()
    except AccountsAway as exc:
        g.accounts_away = exc
        return otherwise
