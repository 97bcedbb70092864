"""The ways in: the login page for people, access tokens for scripts."""

from typing import ClassVar

import structlog
from flask import (
    Blueprint,
    Flask,
    Response,
    jsonify,
    make_response,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask_login import current_user, login_user, logout_user
from werkzeug.wrappers import Response as BaseResponse

from dashboard.accounts.models import User
from dashboard.accounts.store import Accounts, AccountsUnavailable
from dashboard.accounts.tokens import Tokens
from dashboard.pages.base import Model
from dashboard.web import guard
from dashboard.web.auth_models import AccessToken, Credentials, Me
from dashboard.web.errors import FieldError, Refused
from dashboard.web.operations import described
from dashboard.web.security import local_target

log = structlog.get_logger()

# One sentence for every cause: it must not tell who has an account.
WRONG = "That e-mail address and password do not belong to an active user."

pages = Blueprint("login", __name__)
auth = Blueprint("auth", __name__, url_prefix="/api/auth")


class LoginPage(Model):
    """The login form as it stands: what was typed, where it leads, and what was wrong.

    `first` is set while nobody has an account at all, and says nothing as soon as anybody has.
    """

    template: ClassVar[str] = "pages/login.html"

    next: str
    username: str = ""
    error: str | None = None
    first: bool = False

    @property
    def title(self) -> str:
        """A few words for the heading."""
        return "Log in"


@pages.get("/login")
def form() -> Response | BaseResponse:
    """Show the form; somebody who is in already goes on."""
    target = local_target(request.args.get("next"))
    return redirect(target) if current_user.is_authenticated else _login_page(LoginPage(next=target))


@pages.post("/login")
def submit() -> Response | BaseResponse:
    """Start a session, or show the form again."""
    username, target = request.form.get("username", ""), local_target(request.form.get("next"))
    user = _authenticate(username, request.form.get("password", ""))
    if user is None:
        return _login_page(LoginPage(next=target, username=username[:254], error=WRONG), 401)
    _start_session(user)
    return redirect(target, 303)


@pages.post("/logout")
def logout() -> BaseResponse:
    """End this browser's session."""
    logout_user()
    session.clear()
    return redirect(url_for("login.form"), 303)


@auth.post("/login")
@described(AccessToken, takes=Credentials, forms=True, public=True)
def token() -> Response:
    """Give an access token for an address and a password, from a form or from JSON."""
    user = _authenticate(*_credentials())
    if user is None:
        raise Refused(401, "wrong_credentials", WRONG, headers={"WWW-Authenticate": "Bearer"})
    access_token, expires_in = guard.the_tokens().issue(user)
    return jsonify(access_token=access_token, token_type="bearer", expires_in=expires_in)  # noqa: S106  RFC 6750


@auth.get("/me")
@described(Me)
def me() -> Response:
    """The user who asks."""
    return jsonify(id=current_user.id, email=current_user.email, name=current_user.name, role=current_user.role)


@pages.after_request
@auth.after_request
def keep_nowhere(response: Response) -> Response:
    """Answers about somebody's login belong in no cache at all."""
    response.headers["Cache-Control"] = "no-store"
    return response


def init_app(app: Flask, accounts: Accounts, tokens: Tokens) -> None:
    """Guard every route of the app with these accounts, and add the pages and calls that let people in."""
    guard.init_app(app, accounts, tokens)
    app.register_blueprint(pages)
    app.register_blueprint(auth)


def _credentials() -> tuple[str, str]:
    """The address and the password of the request's form or JSON. Raises Refused, which names what is missing."""
    given = request.get_json() if request.is_json else request.form
    values = [given.get(name) if hasattr(given, "get") else None for name in ("username", "password")]
    username, password = (value if isinstance(value, str) else "" for value in values)
    named = {"username": username, "password": password}
    missing = [FieldError(field=name, message="Give it as text.") for name, value in named.items() if not value]
    if missing:
        names = " and ".join(error.field for error in missing)
        raise Refused(422, "missing_field", f"Give {names}, in a form or in JSON.", fields=missing)
    return username, password


def _authenticate(username: str, password: str) -> User | None:
    user = guard.the_accounts().authenticate(username, password)
    if user:
        log.info("login_succeeded", user_id=user.id, address=request.remote_addr)
    else:
        log.warning("login_failed", username=_loggable(username), address=request.remote_addr)
    return user


def _loggable(username: str) -> str:
    # People type their password into the wrong field.
    if "@" not in username:
        return "(no e-mail address)"
    return username[:80].encode("unicode_escape").decode("ascii")


def _start_session(user: User) -> None:
    session.clear()
    login_user(guard.SignedIn(user))


def _login_page(page: LoginPage, status: int = 200) -> Response:
    shown = page.model_copy(update={"first": _nobody_yet()})
    return make_response(render_template(page.template, page=shown), status)


def _nobody_yet() -> bool:
    try:
        return guard.the_accounts().empty()
    except AccountsUnavailable:
        return False  # Whoever logs in is told.
