"""Access tokens for scripts: JWTs of one algorithm, whose every claim is required."""

import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self
from uuid import uuid4

import jwt
from pydantic import SecretStr

from dashboard.database.models import User
from dashboard.settings.model import Settings

JWT_ALGORITHM = "HS256"
JWT_AUDIENCE = "release-dashboard"
REQUIRED_CLAIMS = ["exp", "sub", "aud", "iat", "jti"]
# How the user has shown who they are, in the words of RFC 8176. What a refresh token gives does not say so.
PASSWORD_AMR = ["pwd"]


Clock = Callable[[], datetime]


class InvalidToken(Exception):
    """An invalid token. The reason is not given, as it would only help an attacker."""


@dataclass(frozen=True, slots=True)
class AccessTokenClaims:
    """The claims of a valid token: the user, their epoch, and whether it is from a password sign-in.

    `lasts` is the remaining lifetime.
    """

    user_id: str
    epoch: int
    token_id: str
    by_password: bool
    lasts: timedelta


class AccessTokens:
    """Issues access tokens with the current key, and verifies tokens of the current and previous keys.

    `clock` is shared by all replicas, so no leeway is given. By default it is this machine's clock.
    """

    def __init__(
        self, key: bytes, lifetime: timedelta, previous: Iterable[bytes] = (), clock: Clock | None = None
    ) -> None:
        self._clock = clock or _machine_now
        self._key = key
        self._keys = (key, *previous)
        self._lifetime = lifetime

    @classmethod
    def of(cls, settings: Settings, clock: Clock | None = None) -> Self:
        """Use JWT_SECRET as key, or derive one from SECRET_KEY."""
        return cls(
            _signing_key(settings), timedelta(minutes=settings.access_token_minutes), _previous_keys(settings), clock
        )

    def issue(self, user: User, *, by_password: bool = False) -> tuple[str, int]:
        """Return a token for the user, and its lifetime in seconds."""
        now = self._clock()
        claims: dict[str, object] = {"sub": user.id, "epoch": user.epoch, "jti": uuid4().hex, "aud": JWT_AUDIENCE}
        claims |= {"iat": now} | ({"amr": PASSWORD_AMR} if by_password else {})
        token = jwt.encode({**claims, "exp": now + self._lifetime}, self._key, algorithm=JWT_ALGORITHM)
        return token, int(self._lifetime.total_seconds())

    def verify(self, token: str) -> AccessTokenClaims:
        """Return the claims of the token, without checking the user's current state. Raises InvalidToken."""
        for key in self._keys:
            try:
                claims = _decode_signed(token, key)
                lasts = _time_left(claims, self._clock())
            except jwt.InvalidSignatureError:
                continue
            except (jwt.InvalidTokenError, ValueError, TypeError, OverflowError, RecursionError) as exc:
                raise InvalidToken from exc
            return AccessTokenClaims(
                claims["sub"], claims["epoch"], claims["jti"], claims.get("amr") == PASSWORD_AMR, lasts
            )
        raise InvalidToken


def _decode_signed(token: str, key: bytes) -> dict[str, Any]:
    """Return the claims of a token signed with this key, without checking its expiry."""
    # The library would ask this machine's clock.
    options: jwt.types.Options = {"require": REQUIRED_CLAIMS}
    options |= {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
    claims: dict[str, Any] = jwt.decode(token, key, algorithms=[JWT_ALGORITHM], audience=JWT_AUDIENCE, options=options)
    if not isinstance(claims.get("epoch"), int):
        raise InvalidToken
    return claims


def _time_left(claims: dict[str, Any], now: datetime) -> timedelta:
    """Return the remaining lifetime of a token.

    Raises InvalidToken if it has expired or is not valid yet.
    """
    moment = now.timestamp()
    if int(claims["exp"]) <= moment or int(claims.get("nbf", 0)) > moment:
        raise InvalidToken
    return timedelta(seconds=int(claims["exp"]) - moment)


def _machine_now() -> datetime:
    return datetime.now(UTC)


def _signing_key(settings: Settings) -> bytes:
    if settings.jwt_secret:
        return settings.jwt_secret.get_secret_value().encode()
    if settings.secret_key is None:
        raise ValueError("Tokens need a secret key: call ensure_secret_key first.")
    return _derive_key(settings.secret_key)


def _previous_keys(settings: Settings) -> list[bytes]:
    """Return the previous keys, which are no longer used for signing."""
    kept, derived = settings.jwt_secret_previous, settings.secret_key_previous
    return ([kept.get_secret_value().encode()] if kept else []) + ([_derive_key(derived)] if derived else [])


def _derive_key(secret_key: SecretStr) -> bytes:
    # A label of its own: what is signed for a cookie must never pass for a token.
    return hmac.digest(secret_key.get_secret_value().encode(), b"release-dashboard access token", "sha256")
