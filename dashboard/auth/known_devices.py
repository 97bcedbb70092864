"""Recognize devices of recent sign-ins by a cookie, so that failed attempts of strangers do not lock users out.

The cookie grants no access. It holds a random value per sign-in and a digest of the user, signed with the secret key.
Nothing is stored on the server.
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
    """Return a signer that signs with the last of these keys and accepts all of them."""
    return URLSafeSerializer(list(keys), salt="device", signer_kwargs={"digest_method": sha256})


def remember_device(email: str) -> None:
    """Set a new device cookie for this user."""
    device = new_secret()
    g.device_cookie = services().devices.dumps(
        [device, _device_digest(device, email), int(datetime.now(UTC).timestamp())]
    )


def known_device(email: str | None = None) -> str:
    """Return the ID of this device if the user has recently signed in with it, or an empty string.

    Without an address, any user counts.
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
    """Write the cookie after a sign-in."""
    if cookie := g.pop("device_cookie", None):
        secure, age = request.is_secure, KNOWN_DEVICE_TTL
        response.set_cookie(
            _device_cookie_name(), cookie, max_age=age, path="/", secure=secure, httponly=True, samesite="Lax"
        )


def _device_digest(device: str, email: str) -> str:
    return sha256(f"{device} {user_key(email)}".encode()).hexdigest()


def _device_cookie_name() -> str:
    """Return the cookie name; over https with the `__Host-` prefix, like the session cookie."""
    return f"__Host-{DEVICE_COOKIE_NAME}" if request.is_secure else DEVICE_COOKIE_NAME
