"""Authenticate requests by session or token, and guard every route."""

from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar
from urllib.parse import quote, urlsplit

import structlog
from flask import Flask, Response, current_app, g, redirect, request, url_for
from flask_login import LoginManager, current_user
from werkzeug.exceptions import MethodNotAllowed
from werkzeug.wrappers import Response as BaseResponse

from dashboard.auth.api_tokens import TokenScope
from dashboard.auth.bearer import auth_method_of, authenticate_bearer, bearer_token
from dashboard.auth.database_outage import find_or_recall, refuse_changes_while_away
from dashboard.auth.opaque_tokens import hash_secret
from dashboard.auth.recent_admissions import AuthMethod
from dashboard.auth.redirects import safe_redirect_target
from dashboard.auth.session_store import BrowserSession
from dashboard.database.models import Role, User
from dashboard.database.unit_of_work import AccountsUnavailable
from dashboard.server.limits import MAX_TARGET_BYTES
from dashboard.web.errors import (
    ApiError,
    error_response,
    wants_fragment,
    wants_json,
    wants_kiosk,
    wants_stream,
)
from dashboard.web.services import services

log = structlog.get_logger()

# Public endpoints. Everything else, including missing pages, requires authentication.
PUBLIC_ENDPOINTS = frozenset(
    {
        "static",
        "health.health",
        "health.ready",
        "login.form",
        "login.submit",
        "login.logout",
        "oidc.start",
        "oidc.callback",
        "auth.token",
        "auth.refresh",
        "kiosk.enter",
        # It takes a link of its own, a token or a session, and says so by a picture.
        "badges.badge",
    }
)
# Everything that a wall screen link grants read access to.
KIOSK_ENDPOINTS = frozenset({"web.kiosk", "web.kiosk_release"})
KIOSK_COOKIE_NAME = "release_dashboard_kiosk"

SESSION_ENDED_MESSAGE = "Your session has ended. Sign in again."
KIOSK_SESSION_ENDED_MESSAGE = "Your session has ended. Sign in again, or open a wall screen link."
READ_ONLY_SCOPE_MESSAGE = "This token is read-only. Use a token with write access."
KIOSK_LINK_ENDED_MESSAGE = "The link was revoked, or its creator no longer has access. Open a new link on this screen."


@dataclass(frozen=True)
class SignedInUser:
    """The authenticated user, `current_user` in templates.

    `session` is set for browser sessions, and `secret` is the value of its cookie. `scope` limits the permissions;
    `by_password` is whether the user signed in with a password.
    """

    user: User
    session: BrowserSession | None = None
    secret: str = field(default="", repr=False)
    scope: TokenScope = TokenScope.write
    by_password: bool = True
    is_authenticated: ClassVar[bool] = True
    is_active: ClassVar[bool] = True
    is_anonymous: ClassVar[bool] = False

    def get_id(self) -> str:
        """Return the cookie's value, which Flask-Login uses as the user's ID."""
        return self.secret

    @property
    def id(self) -> str:
        """Return the user's id."""
        return self.user.id

    @property
    def email(self) -> str:
        """Return the user's address."""
        return self.user.email

    @property
    def name(self) -> str | None:
        """Return the user's display name, if any."""
        return self.user.name

    @property
    def role(self) -> Role:
        """Return the user's role."""
        return self.user.role


def init_app(app: Flask) -> None:
    """Set up authentication by session and token."""
    app.config.update(
        # It would tie sessions to what X-Forwarded-For claims, and a laptop changes networks.
        SESSION_PROTECTION=None,
        # Nothing sets this cookie; under its usual name another site of the same host might.
        REMEMBER_COOKIE_NAME="release_dashboard_remember",
    )
    manager = LoginManager(app)
    manager.user_loader(_from_session)
    manager.request_loader(_from_bearer)
    app.register_error_handler(AccountsUnavailable, accounts_unavailable_response)


def require_login() -> BaseResponse | None:
    """Allow authenticated and public requests; redirect others to the sign-in page."""
    if _requested_endpoint() in PUBLIC_ENDPOINTS or _is_within_scope() or _is_kiosk_screen():
        refuse_changes_while_away()
        return None
    if "accounts_failure" in g:
        raise g.accounts_failure
    if wants_kiosk():
        # No user is present to sign in: show the error until one does.
        raise (
            kiosk_link_error()
            if KIOSK_COOKIE_NAME in request.cookies
            else ApiError(401, "session_ended", KIOSK_SESSION_ENDED_MESSAGE)
        )
    if wants_json():
        raise _unauthorized()
    if wants_stream():
        raise ApiError(401, "not_logged_in", SESSION_ENDED_MESSAGE)
    if wants_fragment():
        headers = {"HX-Redirect": _login_url(_page_of_fragment())}
        raise ApiError(401, "not_logged_in", SESSION_ENDED_MESSAGE, headers=headers)
    return redirect(_login_url(requested_page_path()))


def _is_within_scope() -> bool:
    """Return whether a user is signed in; raises ApiError if their token's scope does not allow the request."""
    if not current_user.is_authenticated:
        return False
    if current_user.scope is TokenScope.read and request.method not in {"GET", "HEAD"}:
        headers = {"WWW-Authenticate": 'Bearer error="insufficient_scope"'}
        raise ApiError(403, "read_only_token", READ_ONLY_SCOPE_MESSAGE, headers=headers)
    return True


def kiosk_link_error() -> ApiError:
    """Return the error for an invalid or revoked wall screen link."""
    return ApiError(401, "link_ended", KIOSK_LINK_ENDED_MESSAGE)


def _is_kiosk_screen() -> bool:
    """Return whether a wall screen with a valid link requests a wall screen page, its only permission."""
    token = request.cookies.get(KIOSK_COOKIE_NAME)
    if not token or request.endpoint not in KIOSK_ENDPOINTS or request.method not in {"GET", "HEAD"}:
        return False
    try:
        g.kiosk_link = find_or_recall(
            AuthMethod.screen, hash_secret(token), lambda: services().accounts.kiosk_links.verify(token)
        )
    except AccountsUnavailable as exc:
        g.accounts_failure = exc
        return False
    return g.kiosk_link is not None


def _unauthorized() -> ApiError:
    if bearer_token() is None:
        message = "Sign in, or send an access token: Authorization: Bearer ..."
        return ApiError(401, "not_logged_in", message, headers={"WWW-Authenticate": "Bearer"})
    headers = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
    return ApiError(401, "invalid_token", "The access token is invalid or has expired.", headers=headers)


def accounts_unavailable_response(exc: AccountsUnavailable) -> Response:
    """Return the response while the accounts database is unavailable."""
    # Where it is refused without a question, the first of those that had to wait has said why.
    log.error("accounts_unavailable", exc_info=exc if exc.__cause__ else None)
    return error_response(ApiError(503, "accounts_unavailable", str(exc), headers={"Retry-After": "5"}))


def _requested_endpoint() -> str | None:
    """Return the endpoint of this address even if it does not allow the method."""
    error = request.routing_exception
    if not isinstance(error, MethodNotAllowed) or not error.valid_methods:
        return request.endpoint
    adapter = current_app.create_url_adapter(request)
    return adapter.match(method=next(iter(error.valid_methods)))[0] if adapter else None


def _login_url(target: str | None) -> str:
    address = url_for("login.form", next=target)
    # Written again, a long address may be too long.
    return address if len(address) <= MAX_TARGET_BYTES else url_for("login.form")


def requested_page_path() -> str | None:
    """Return the URL of the requested page as a browser would write it; None for other methods than GET."""
    if request.method not in {"GET", "HEAD"}:
        return None
    # Quoted again: the path comes decoded, and an id may hold a question mark.
    path = quote(request.path, safe="/:@!$&'()*+,;=~")
    query = request.query_string.decode("utf-8", "replace")
    return f"{path}?{query}" if query else path


def _page_of_fragment() -> str | None:
    """Return the page that htmx sent the request from, to return to it instead of the fragment."""
    try:
        url = urlsplit(request.headers.get("HX-Current-URL", ""))
    except ValueError:
        return None
    if url.netloc != request.host:
        return None
    return safe_redirect_target(f"{url.path}?{url.query}" if url.query else url.path)


def _from_session(secret: str) -> SignedInUser | None:
    # Prefer a sent token, so that a script never uses a session cookie by accident.
    if bearer_token() is not None:
        return None
    find = partial(services().sessions.find, secret)
    try:
        found = find_or_recall(AuthMethod.session, hash_secret(secret), find, lasts=lambda found: found[1].lasts)
    except AccountsUnavailable as exc:
        # Told by the guard. Here it would come again when the page of the error asks who is looking at it.
        g.accounts_failure = exc
        return None
    if found is None:
        return None
    user, g.browser_session = found
    return SignedInUser(user, g.browser_session, secret)


def _from_bearer(_request: object) -> SignedInUser | None:
    sent = bearer_token()
    if sent is None:
        return None
    try:
        bearer = find_or_recall(
            auth_method_of(sent),
            hash_secret(sent),
            lambda: authenticate_bearer(sent),
            user=lambda one: one.user,
            lasts=lambda one: one.lasts,
        )
    except AccountsUnavailable as exc:
        g.accounts_failure = exc
        return None
    return SignedInUser(bearer.user, scope=bearer.scope, by_password=bearer.by_password) if bearer else None
