"""Sign-in: the page for people, and access tokens for scripts."""

from math import ceil
from typing import ClassVar

from flask import (
    Blueprint,
    Response,
    jsonify,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from flask_login import current_user
from werkzeug.wrappers import Response as BaseResponse

from dashboard.audit.log import AuditEventType
from dashboard.audit.recorder import record_event
from dashboard.auth import browser_sessions
from dashboard.auth.access_tokens import InvalidToken
from dashboard.auth.accounts import InvalidUser
from dashboard.auth.client_addresses import client_network
from dashboard.auth.hash_queue import hashes_passwords
from dashboard.auth.known_devices import known_device
from dashboard.auth.redirects import safe_redirect_target
from dashboard.auth.refresh_tokens import RefreshTokenReused
from dashboard.auth.schemas import Credentials, CurrentUser, RefreshRequest, TokenPair
from dashboard.auth.throttle import TooManyLoginFailures, user_key
from dashboard.database.models import User
from dashboard.database.unit_of_work import AccountsUnavailable
from dashboard.web.error_help import NextLink
from dashboard.web.errors import ApiError, FieldError
from dashboard.web.openapi.operation import api_operation
from dashboard.web.page_model import PageModel
from dashboard.web.page_response import utc_timestamp
from dashboard.web.query_params import PLAIN_TEXT_SCHEMA, SchemaParameter
from dashboard.web.services import services

REFRESH_ENDED_MESSAGE = "This refresh token is invalid, expired or already used. Sign in again."
# What is written down where a sign-in was tried with something that is no user's address.
UNKNOWN_SUBJECT = "(no user)"
# One sentence for every cause: it must not tell who has an account.
WRONG_CREDENTIALS_MESSAGE = "Wrong e-mail address or password, or the account is disabled."

NEXT_PARAMETER = SchemaParameter("next", "Path of this site to open after signing in.", PLAIN_TEXT_SCHEMA)
OIDC_ONLY_MESSAGE = "Use single sign-on on the sign-in page. For scripts, create an API token there."

pages = Blueprint("login", __name__)
auth = Blueprint("auth", __name__, url_prefix="/api/auth")


class LoginPage(PageModel):
    """The sign-in form: the submitted values, the page to continue to, and the error.

    `request_id` is set if the log has details of the error. `first` is set while there are no accounts. `sign_on` is
    the name of the identity provider, if any, and `password` tells whether password sign-in is available.
    """

    template: ClassVar[str] = "auth/login.html"

    next: str
    username: str = ""
    keep: bool = False
    error: str | None = None
    request_id: str = ""
    first: bool = False
    sign_on: str = ""
    password: bool = True

    @property
    def title(self) -> str:
        """Return the heading."""
        return "Sign in"


@pages.get("/login")
@api_operation(query=(NEXT_PARAMETER,))
def form() -> Response | BaseResponse:
    """Show the sign-in form. Redirect users who are already signed in."""
    target = safe_redirect_target(request.args.get(NEXT_PARAMETER.name))
    return redirect(target) if current_user.is_authenticated else login_page(LoginPage(next=target))


@pages.post("/login")
@hashes_passwords
def submit() -> Response | BaseResponse:
    """Start a session, or show the form again."""
    username, target = request.form.get("username", ""), safe_redirect_target(request.form.get("next"))
    keep = request.form.get("keep") == "on"
    page = LoginPage(next=target, username=username[:254], keep=keep)
    try:
        user = _authenticate(username, request.form.get("password", ""))
    except TooManyLoginFailures as exc:
        answer = login_page(page.model_copy(update={"error": retry_message(exc.seconds)}), 429)
        answer.headers["Retry-After"] = str(exc.seconds)
        return answer
    if user is None:
        return login_page(page.model_copy(update={"error": WRONG_CREDENTIALS_MESSAGE}), 401)
    browser_sessions.start_browser_session(user, keep=keep)
    return redirect(target, 303)


@pages.post("/logout")
def logout() -> BaseResponse:
    """End this browser's session."""
    browser_sessions.end_browser_session(AuditEventType.logout)
    return redirect(url_for("login.form"), 303)


@auth.post("/login")
@api_operation(TokenPair, takes=Credentials, forms=True, public=True, responses={429})
@hashes_passwords
def token() -> Response:
    """Exchange an e-mail address and a password for an access token. Accepts a form or JSON."""
    try:
        user = _authenticate(**_text_fields("username", "password"))
    except TooManyLoginFailures as exc:
        headers = {"Retry-After": str(exc.seconds)}
        raise ApiError(429, "too_many_logins", retry_message(exc.seconds), headers=headers) from exc
    if user is None:
        raise ApiError(401, "wrong_credentials", WRONG_CREDENTIALS_MESSAGE, headers={"WWW-Authenticate": "Bearer"})
    return _token_pair(user, services().refresh_tokens.start(user), by_password=True)


@auth.post("/refresh")
@api_operation(TokenPair, takes=RefreshRequest, forms=True, public=True)
def refresh() -> Response:
    """Exchange a refresh token, which can be used once, for a new pair of tokens. Accepts a form or JSON."""
    try:
        renewed = services().refresh_tokens.renew(_text_fields("refresh_token")["refresh_token"])
    except InvalidToken as exc:
        if isinstance(exc, RefreshTokenReused):
            record_event(AuditEventType.refresh_reused, actor=services().accounts.by_id(exc.user_id))
        headers = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
        raise ApiError(401, "invalid_refresh_token", REFRESH_ENDED_MESSAGE, headers=headers) from exc
    return _token_pair(renewed.user, renewed.token, by_password=False)


@auth.get("/me")
@api_operation(CurrentUser)
def me() -> Response:
    """Return the current user."""
    user = current_user.user
    return jsonify(
        id=user.id, email=user.email, name=user.name, role=user.role, created_at=utc_timestamp(user.created_at)
    )


def _token_pair(user: User, refresh_token: str, *, by_password: bool) -> Response:
    access_token, expires_in = services().tokens.issue(user, by_password=by_password)
    return jsonify(
        access_token=access_token,
        token_type="bearer",  # noqa: S106  RFC 6750
        expires_in=expires_in,
        refresh_token=refresh_token,
        refresh_expires_in=services().refresh_tokens.expires_in,
    )


def _text_fields(*names: str) -> dict[str, str]:
    """Return these fields of the form or JSON. Raises ApiError with the missing fields."""
    given = request.get_json() if request.is_json else request.form
    values = {name: given.get(name) if hasattr(given, "get") else None for name in names}
    named = {name: value for name, value in values.items() if isinstance(value, str) and value}
    missing = [FieldError(field=name, message="Required: a non-empty string.") for name in names if name not in named]
    if missing:
        words = " and ".join(error.field for error in missing)
        raise ApiError(
            422, "missing_field", f"Missing: {words}. Send the value as a form field or in JSON.", fields=missing
        )
    return named


def _authenticate(username: str, password: str) -> User | None:
    """Return the user with this password, or None.

    Raises TooManyLoginFailures, or ApiError if password sign-in is turned off.
    """
    if not services().deployment.password_login:
        raise ApiError(
            403, "password_login_off", f"Password sign-in is turned off. {OIDC_ONLY_MESSAGE}", ways=_sign_in_options()
        )
    accounts, address = services().accounts, request.remote_addr or ""
    try:
        user = services().throttle.bound(
            username, address, lambda: accounts.authenticate(username, password), device=known_device(username)
        )
    except TooManyLoginFailures:
        left_out = services().login_floods.sample((user_key(username), client_network(address)))
        if left_out is not None:
            record_event(AuditEventType.login_throttled, subject=_attempted_subject(username), left_out=left_out)
        raise
    if user:
        record_event(AuditEventType.login_succeeded, actor=user)
    else:
        record_event(AuditEventType.login_failed, subject=_attempted_subject(username))
    return user


def _sign_in_options() -> tuple[NextLink, ...]:
    return (NextLink(label="Sign in", href=url_for("login.form")),)


def retry_message(seconds: int) -> str:
    """Return the message for a throttled sign-in."""
    minutes = ceil(seconds / 60)
    return f"Too many failed sign-ins. Try again in {minutes} minute{'' if minutes == 1 else 's'}."


def _attempted_subject(username: str) -> str:
    """Return the e-mail address of a failed sign-in if it is one of a user.

    Other input is not recorded: people type their password into the wrong field.
    """
    try:
        user = services().accounts.by_email(username)
    except InvalidUser:
        user = None
    return user.email if user else UNKNOWN_SUBJECT


def login_page(page: LoginPage, status: int = 200) -> Response:
    """Return the form with the available sign-in methods."""
    deployment = services().deployment
    first = not deployment.sign_on and _has_no_users()
    said = {"first": first, "sign_on": deployment.sign_on, "password": deployment.password_login}
    shown = page.model_copy(update=said)
    return make_response(render_template(page.template, page=shown), status)


def _has_no_users() -> bool:
    try:
        return services().accounts.empty()
    except AccountsUnavailable:
        return False  # Whoever logs in is told.
