"""Access tokens for scripts: JWTs of one algorithm, whose every claim is required."""

import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self
from uuid import uuid4

import jwt

from dashboard.accounts.models import User
from dashboard.settings import Settings

ALGORITHM = "HS256"
AUDIENCE = "release-dashboard"
REQUIRED = ["exp", "sub", "aud", "iat", "jti"]


class InvalidToken(Exception):
    """A token that does not let anybody in. It does not say why: that would help only a forger."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What a good token says: who, and the user's epoch when it was given."""

    user_id: str
    epoch: int
    token_id: str


class Tokens:
    """Issues and verifies access tokens with one key."""

    def __init__(self, key: bytes, lifetime: timedelta) -> None:
        self._key = key
        self._lifetime = lifetime

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Take the key from JWT_SECRET, else derive it from SECRET_KEY, which must be there by now."""
        return cls(_key(settings), timedelta(minutes=settings.access_token_minutes))

    def issue(self, user: User) -> tuple[str, int]:
        """Return a token for the user and the seconds that it is good for."""
        now = datetime.now(UTC)
        claims = {"sub": user.id, "epoch": user.epoch, "jti": uuid4().hex, "aud": AUDIENCE, "iat": now}
        token = jwt.encode({**claims, "exp": now + self._lifetime}, self._key, algorithm=ALGORITHM)
        return token, int(self._lifetime.total_seconds())

    def verify(self, token: str) -> Claims:
        """Return what the token claims, which says nothing yet about the user of today. Raises InvalidToken."""
        # Another replica's clock may be a second ahead: a token from its future is no reason to refuse.
        options: jwt.types.Options = {"require": REQUIRED, "verify_iat": False}
        try:
            claims = jwt.decode(token, self._key, algorithms=[ALGORITHM], audience=AUDIENCE, options=options)
        except (jwt.InvalidTokenError, ValueError) as exc:
            raise InvalidToken from exc
        if not isinstance(claims.get("epoch"), int):
            raise InvalidToken
        return Claims(claims["sub"], claims["epoch"], claims["jti"])


def _key(settings: Settings) -> bytes:
    if settings.jwt_secret:
        return settings.jwt_secret.get_secret_value().encode()
    if settings.secret_key is None:
        raise ValueError("Tokens need a secret key: call ensure_secret_key first.")
    # A label of its own: what is signed for a cookie must never pass for a token.
    return hmac.digest(settings.secret_key.get_secret_value().encode(), b"release-dashboard access token", "sha256")
