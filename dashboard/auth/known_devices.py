"""The devices by which users have signed in lately, known by a cookie: strangers who fail shut nobody out there.

The cookie lets nobody in. It holds a value drawn by chance at each login and a digest of whose login that was, signed
with the secret key; here nothing is kept of it.
"""

import hmac
from collections.abc import Iterable
from datetime import UTC, datetime
from hashlib import sha256

from flask import g, request
from itsdangerous import BadData, URLSafeSerializer
from werkzeug.wrappers import Response

from dashboard.auth.opaque_tokens import new_secret
from dashboard.auth.throttle import KNOWN_DEVICE_TTL, user_key
from dashboard.web.services import services

DEVICE_COOKIE_NAME = "release_dashboard_device"
_MAX_DEVICE_COOKIE_LENGTH = 400


def device_signer(keys: Iterable[str]) -> URLSafeSerializer:
    """Sign with the last of these secret keys, and take what was signed with the others, too."""
    return URLSafeSerializer(list(keys), salt="device", signer_kwargs={"digest_method": sha256})


def remember_device(email: str) -> None:
    """Have this browser keep that this user has signed in with it, by a new cookie in place of the one that it has."""
    device = new_secret()
    g.device_cookie = services().devices.dumps(
        [device, _device_digest(device, email), int(datetime.now(UTC).timestamp())]
    )


def known_device(email: str | None = None) -> str:
    """Return what names the device of this request if this user has signed in with it lately; else nothing.

    Without an address, any user.
    """
    kept = request.cookies.get(_device_cookie_name(), "")
    if not kept or len(kept) > _MAX_DEVICE_COOKIE_LENGTH:
        return ""
    try:
        device, digest, begun = services().devices.loads(kept)
    except (BadData, TypeError, ValueError):
        return ""
    # Another replica's clock may be ahead of this one.
    lasts = datetime.now(UTC).timestamp() - begun <= KNOWN_DEVICE_TTL.total_seconds()
    theirs = email is None or hmac.compare_digest(digest, _device_digest(device, email))
    return str(device) if lasts and theirs else ""


def set_device_cookie(response: Response) -> None:
    """Write the cookie if somebody has signed in."""
    if cookie := g.pop("device_cookie", None):
        secure, age = request.is_secure, KNOWN_DEVICE_TTL
        response.set_cookie(
            _device_cookie_name(), cookie, max_age=age, path="/", secure=secure, httponly=True, samesite="Lax"
        )


def _device_digest(device: str, email: str) -> str:
    return sha256(f"{device} {user_key(email)}".encode()).hexdigest()


def _device_cookie_name() -> str:
    """Over https, browsers take it only from this very host, as they do the session's."""
    return f"__Host-{DEVICE_COOKIE_NAME}" if request.is_secure else DEVICE_COOKIE_NAME
