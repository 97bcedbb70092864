"""The tokens that scripts send: access tokens of a login, and the personal tokens that people make for them."""

from dataclasses import dataclass
from datetime import timedelta

from flask import request

from dashboard.auth.access_tokens import InvalidToken
from dashboard.auth.api_tokens import API_TOKENS_PREFIX, TokenScope
from dashboard.auth.recent_admissions import AuthMethod
from dashboard.database.models import User
from dashboard.web.errors import wants_json
from dashboard.web.services import services


@dataclass(frozen=True, slots=True)
class BearerIdentity:
    """Who sent a token, what it lets them do, whether they gave their password for it, and how much longer it holds."""

    user: User
    scope: TokenScope
    by_password: bool
    lasts: timedelta | None


def bearer_token() -> str | None:
    """The token sent with a request to the API, or for a badge; pages take none."""
    scheme, _, sent = request.headers.get("Authorization", "").partition(" ")
    takes_one = wants_json() or request.endpoint == "badges.badge"
    return sent.strip(" \t") if takes_one and scheme.lower() == "bearer" else None


def auth_method_of(token: str) -> AuthMethod:
    """What kind of token this is."""
    return AuthMethod.api_token if token.startswith(API_TOKENS_PREFIX) else AuthMethod.user


def authenticate_bearer(token: str) -> BearerIdentity | None:
    """Whose token this is, if it lets anybody in. Raises AccountsUnavailable."""
    if token.startswith(API_TOKENS_PREFIX):
        admitted = services().api_tokens.verify(token)
        return (
            BearerIdentity(admitted.user, admitted.scope, by_password=False, lasts=admitted.lasts) if admitted else None
        )
    try:
        claims = services().tokens.verify(token)
    except InvalidToken:
        return None
    user = services().accounts.by_id(claims.user_id)
    current = user and user.enabled and user.epoch == claims.epoch
    return BearerIdentity(user, TokenScope.write, claims.by_password, claims.lasts) if user and current else None
