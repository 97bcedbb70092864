"""Bearer tokens of scripts: access tokens from signing in, and API tokens."""

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
    """The user of a token, its scope, whether it comes from a password sign-in, and its remaining lifetime."""

    user: User
    scope: TokenScope
    by_password: bool
    lasts: timedelta | None


def bearer_token() -> str | None:
    """Return the token of an API or badge request, or None. Pages accept no tokens."""
    scheme, _, sent = request.headers.get("Authorization", "").partition(" ")
    takes_one = wants_json() or request.endpoint == "badges.badge"
    return sent.strip(" \t") if takes_one and scheme.lower() == "bearer" else None


def auth_method_of(token: str) -> AuthMethod:
    """Return what kind of token this is."""
    return AuthMethod.api_token if token.startswith(API_TOKENS_PREFIX) else AuthMethod.user


def authenticate_bearer(token: str) -> BearerIdentity | None:
    """Return the owner of a valid token, or None. Raises AccountsUnavailable."""
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
