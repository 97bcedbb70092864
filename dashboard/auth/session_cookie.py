"""The session cookie: an opaque secret without content."""

from typing import Any

from flask import Flask, Request, Response, request
from flask.sessions import SecureCookieSession, SessionInterface, SessionMixin

from dashboard.auth.known_devices import set_device_cookie
from dashboard.auth.session_store import PERSISTENT_MAX_AGE
from dashboard.web.security import SESSION_COOKIE_NAME

# Where flask-login keeps whose session it is.
_USER_ID_KEY = "_user_id"


class OpaqueSessionInterface(SessionInterface):
    """A Flask session that holds only the session secret of Flask-Login, stored as is in the cookie."""

    def get_cookie_name(self, app: Flask) -> str:
        """Return the cookie name; over https with the `__Host-` prefix, which browsers accept from this host only."""
        name: str = app.config["SESSION_COOKIE_NAME"]
        return f"__Host-{name}" if request.is_secure else name

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession:
        """Read the secret from the cookie, without validating it."""
        secret = request.cookies.get(self.get_cookie_name(app))
        return SecureCookieSession({_USER_ID_KEY: secret} if secret else None)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Write the cookie if it changes, but not for static files."""
        if request.endpoint == "static":
            return
        if session.accessed:
            response.vary.add("Cookie")
        if not session.modified:
            return
        options: dict[str, Any] = {"path": "/", "secure": request.is_secure, "httponly": True, "samesite": "Lax"}
        if secret := session.get(_USER_ID_KEY):
            # Without an age, the browser forgets it when it is closed. When it ends, the store decides.
            age = PERSISTENT_MAX_AGE if session.permanent else None
            response.set_cookie(self.get_cookie_name(app), secret, max_age=age, **options)
            set_device_cookie(response)
        elif self.get_cookie_name(app) in request.cookies:
            response.delete_cookie(self.get_cookie_name(app), **options)


def init_app(app: Flask) -> None:
    """Set up the session cookie."""
    app.session_interface = OpaqueSessionInterface()
    app.config["SESSION_COOKIE_NAME"] = SESSION_COOKIE_NAME
