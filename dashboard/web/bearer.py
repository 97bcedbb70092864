"""The tokens that scripts send: access tokens of a login, and the personal tokens that people make for them."""

from dataclasses import dataclass
from datetime import timedelta

from flask import request

from dashboard.accounts.admissions import Way
from dashboard.accounts.api_tokens import PREFIX, Scope
from dashboard.accounts.models import User
from dashboard.accounts.tokens import InvalidToken
from dashboard.web.errors import wants_json
from dashboard.web.services import services


@dataclass(frozen=True, slots=True)
class Bearer:
    """Who sent a token, what it lets them do, whether they gave their password for it, and how much longer it holds."""

    user: User
    scope: Scope
    by_password: bool
    lasts: timedelta | None


def sent_token() -> str | None:
    """The token sent with a request to the API, or for a badge; pages take none."""
    scheme, _, sent = request.headers.get("Authorization", "").partition(" ")
    takes_one = wants_json() or request.endpoint == "badges.badge"
    return sent.strip(" \t") if takes_one and scheme.lower() == "bearer" else None


def way_of(token: str) -> Way:
    """What kind of token this is."""
    return Way.api_token if token.startswith(PREFIX) else Way.user


def bearer_of(token: str) -> Bearer | None:
    """Whose token this is, if it lets anybody in. Raises AccountsUnavailable."""
    if token.startswith(PREFIX):
        admitted = services().api_tokens.admits(token)
        return Bearer(admitted.user, admitted.scope, by_password=False, lasts=admitted.lasts) if admitted else None
    try:
        claims = services().tokens.verify(token)
    except InvalidToken:
        return None
    user = services().accounts.by_id(claims.user_id)
    current = user and user.enabled and user.epoch == claims.epoch
    return Bearer(user, Scope.write, claims.by_password, claims.lasts) if user and current else None
