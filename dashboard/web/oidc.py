"""Single sign-on: the way to the OpenID provider, and the way back from it."""

from typing import cast

import structlog
from flask import Blueprint, Response, g, redirect, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response as BaseResponse

from dashboard.accounts.audit import Event
from dashboard.accounts.identities import Identities
from dashboard.accounts.store import Accounts
from dashboard.accounts.throttle import Throttled
from dashboard.oidc.errors import (
    NoAnswer,
    NotAdmitted,
    NotAsked,
    NotProven,
    ProviderFault,
    ProviderUnavailable,
    SignOnFailed,
)
from dashboard.oidc.flow import LONGEST, Flow, Flows
from dashboard.oidc.person import given_email
from dashboard.settings import Settings, SettingsError
from dashboard.web import sessions
from dashboard.web.admission import Admission
from dashboard.web.audit import record
from dashboard.web.devices import known_device
from dashboard.web.floods import Floods
from dashboard.web.login import NEXT, LoginPage, login_page, try_again
from dashboard.web.operations import described
from dashboard.web.parameters import PLAIN_TEXT, Told
from dashboard.web.security import local_target
from dashboard.web.services import SignOn, services

log = structlog.get_logger()

COOKIE = "release_dashboard_sign_on"
# Seconds after which it makes sense to ask a provider again that did not answer.
RETRY_AFTER = 5
LONGEST_CODE = 4_000
OF_AN_ANSWER = tuple(
    Told(name, "Parameters of the provider's redirect.", PLAIN_TEXT) for name in ("state", "iss", "error", "code")
)
EXTRA = "OIDC_ISSUER: single sign-on requires the extra `oidc`: pip install 'release-dashboard[oidc]'"
ELSEWHERE = "This sign-in is complete, expired after ten minutes, or was started in another browser. Start again."
_STATUSES = {NotProven: 401, NotAdmitted: 403, ProviderFault: 502, ProviderUnavailable: 503}
# What a provider may answer instead of a code (RFC 6749, OpenID Connect Core). All else is no word for a log.
_TOLD_ERRORS = frozenset(
    {
        "access_denied",
        "account_selection_required",
        "consent_required",
        "interaction_required",
        "invalid_request",
        "invalid_scope",
        "login_required",
        "server_error",
        "temporarily_unavailable",
        "unauthorized_client",
        "unsupported_response_type",
    }
)

blueprint = Blueprint("oidc", __name__, url_prefix="/login/oidc")


def sign_on_of(settings: Settings, accounts: Accounts) -> SignOn | None:
    """The way by the provider of the settings, if any. Nothing is asked of it yet. Raises SettingsError."""
    if not settings.oidc_issuer:
        return None
    try:
        from dashboard.oidc.provider import Provider
    except ModuleNotFoundError as exc:
        raise SettingsError(EXTRA) from exc
    secret_key = settings.secret_key.get_secret_value() if settings.secret_key else ""
    return SignOn(Provider(settings), Flows(secret_key, accounts.now), Identities(accounts), Floods())


@blueprint.get("")
@described(query=(NEXT,))
def start() -> BaseResponse:
    """Redirect to the identity provider. Users who are already signed in continue to their page."""
    target = local_target(request.args.get(NEXT.name))
    if current_user.is_authenticated:
        return redirect(target)
    flow, kept = _sign_on().flows.begin(target, _kept())
    try:
        answer = redirect(_sign_on().provider.authorization_url(flow, _redirect_uri()))
    except SignOnFailed as exc:
        return _failed(exc, target)
    _keep(answer, kept)
    return answer


@blueprint.get("/callback")
@described(query=OF_AN_ANSWER)
def callback() -> BaseResponse:
    """Complete single sign-on, or show why it failed."""
    flow = _sign_on().flows.find(_kept(), request.args.get("state", ""))
    if flow is None:
        return _not_under_way()
    throttle = services().throttle
    try:
        throttle.check_sign_on(request.remote_addr or "", known_device())
        _finish(flow)
    except Throttled as exc:
        record(Event.login_throttled, by="oidc")
        return _page(try_again(exc.seconds), flow.target, 429, exc.seconds)
    except SignOnFailed as exc:
        if not isinstance(exc, NoAnswer | NotAsked):
            throttle.count_sign_on(request.remote_addr or "", known_device())
        failed = _failed(exc, flow.target)
        if not isinstance(exc, NotAsked):
            # Its answer is used up: the same page loaded again is no second failure.
            _keep(failed, _sign_on().flows.without(_kept(), flow))
        return failed
    answer = redirect(flow.target, 303)
    _keep(answer, _sign_on().flows.without(_kept(), flow))
    return answer


def _not_under_way() -> BaseResponse:
    """Have a login begun again of which nothing is known: it ended, took too long, or is another browser's.

    It is nobody's failure and is not counted. Anybody can open this address, and other sites can have browsers do so:
    the audit log has a row only of browsers in which a login began, and not of each time.
    """
    log.warning("sign_on_not_begun", address=request.remote_addr, request_id=g.request_id)
    sign_on = _sign_on()
    if sign_on.flows.ours(_kept()) and sign_on.outdated.pick(request.remote_addr) is not None:
        record(Event.login_outdated, by="oidc")
    if current_user.is_authenticated:
        # As with the way back in a tab whose login has been finished.
        return redirect("/", 303)
    return _page(ELSEWHERE, "/", 401)


def _finish(flow: Flow) -> None:
    """Begin a session for whom the provider means by its answer to this login. Raises SignOnFailed."""
    sign_on = _sign_on()
    with sign_on.provider.turn():
        if not sign_on.identities.use_up(flow.drawn, LONGEST):
            raise NotProven("used_before", "This response from the provider has already been used. Start again.")
        code, now = _code(sign_on.provider.issuer), services().accounts.now()
        claims = sign_on.provider.claims(flow, code, _redirect_uri(), now)
    user = Admission(services().accounts, sign_on.identities, services().settings).of(claims)
    record(Event.login_succeeded, actor=user, by="oidc", given=given_email(claims))
    services().throttle.remember(user.email, request.remote_addr or "")
    sessions.start(user)


def _code(issuer: str) -> str:
    """The code that came with the answer. Raises SignOnFailed for one without."""
    # Which provider answers; many do not say (RFC 9207).
    if request.args.get("iss", issuer) != issuer:
        raise NotProven("answer_of_another", "The response came from a different provider. Start again.")
    if "error" in request.args:
        raise _told_error(request.args["error"])
    code = request.args.get("code", "")
    if not 0 < len(code) <= LONGEST_CODE or not code.isascii():
        raise NotProven("no_code", "The provider sent no valid code. Start again.")
    return code


def _told_error(error: str) -> SignOnFailed:
    reason = error if error in _TOLD_ERRORS else "unknown_error"
    if reason == "access_denied":
        return NotAdmitted(reason, "The sign-in was cancelled, or the provider denied access.")
    return NotProven(reason, f"The provider did not sign you in ({reason.replace('_', ' ')}).")


def _failed(exc: SignOnFailed, target: str) -> Response:
    """Write down why it came to nothing, and show the login page with that."""
    status = next(status for kind, status in _STATUSES.items() if isinstance(exc, kind))
    if not isinstance(exc, NotAsked):
        cause = type(exc.__cause__).__name__ if exc.__cause__ else None
        record(Event.login_failed, subject=exc.subject, by="oidc", reason=exc.reason, cause=cause, given=exc.given)
    return _page(str(exc), target, status, RETRY_AFTER if status == 503 else None)


def _page(message: str, target: str, status: int, retry_after: int | None = None) -> Response:
    answer = login_page(LoginPage(next=target, error=message, request_id=g.request_id), status)
    if retry_after:
        answer.headers["Retry-After"] = str(retry_after)
    return answer


def _sign_on() -> SignOn:
    # These routes are there only where it is.
    return cast("SignOn", services().sign_on)


def _redirect_uri() -> str:
    return url_for("oidc.callback", _external=True)


def _kept() -> str:
    """What the browser has kept of the logins that are under way in it."""
    return request.cookies.get(_cookie_name(), "")


def _keep(answer: BaseResponse, kept: str) -> None:
    """Have the browser keep this meanwhile, or nothing any more."""
    name, secure = _cookie_name(), request.is_secure
    if kept:
        answer.set_cookie(name, kept, max_age=LONGEST, path="/", secure=secure, httponly=True, samesite="Lax")
    else:
        answer.delete_cookie(name, path="/", secure=secure, httponly=True, samesite="Lax")


def _cookie_name() -> str:
    """Over https, browsers take it only from this very host, as they do the session's."""
    return f"__Host-{COOKIE}" if request.is_secure else COOKIE
