"""Single sign-on: redirect to the OpenID provider, and handle its callback."""

from typing import cast

import structlog
from flask import Blueprint, Response, g, redirect, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response as BaseResponse

from dashboard.audit.log import AuditEventType
from dashboard.audit.recorder import record_event
from dashboard.auth import browser_sessions
from dashboard.auth.accounts import Accounts
from dashboard.auth.known_devices import known_device
from dashboard.auth.login_views import NEXT_PARAMETER, LoginPage, login_page, retry_message
from dashboard.auth.oidc.claims import unverified_email
from dashboard.auth.oidc.errors import (
    AccessDenied,
    IdentityNotProven,
    OidcError,
    ProviderFault,
    ProviderNotCalled,
    ProviderUnavailable,
    ProviderUnreachable,
)
from dashboard.auth.oidc.flow import FLOW_MAX_AGE_SECONDS, SignInFlow, SignInFlows
from dashboard.auth.oidc.identities import IdentityStore
from dashboard.auth.oidc.provisioning import UserProvisioning
from dashboard.auth.redirects import safe_redirect_target
from dashboard.auth.throttle import TooManyLoginFailures
from dashboard.concurrency.log_sampler import LogSampler
from dashboard.settings.model import Settings, SettingsError
from dashboard.web.openapi.operation import api_operation
from dashboard.web.query_params import PLAIN_TEXT_SCHEMA, SchemaParameter
from dashboard.web.services import OidcSignIn, services

log = structlog.get_logger()

FLOW_COOKIE_NAME = "release_dashboard_sign_on"
# Seconds after which it makes sense to ask a provider again that did not answer.
PROVIDER_RETRY_SECONDS = 5
MAX_CODE_LENGTH = 4_000
CALLBACK_PARAMETERS = tuple(
    SchemaParameter(name, "Parameters of the provider's redirect.", PLAIN_TEXT_SCHEMA)
    for name in ("state", "iss", "error", "code")
)
MISSING_EXTRA_MESSAGE = "OIDC_ISSUER: single sign-on requires the extra `oidc`: pip install 'release-dashboard[oidc]'"
UNKNOWN_FLOW_MESSAGE = (
    "This sign-in is complete, expired after ten minutes, or was started in another browser. Start again."
)
_STATUSES = {IdentityNotProven: 401, AccessDenied: 403, ProviderFault: 502, ProviderUnavailable: 503}
# What a provider may answer instead of a code (RFC 6749, OpenID Connect Core). All else is no word for a log.
_LOGGED_ERRORS = frozenset(
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


def sign_on_of(settings: Settings, accounts: Accounts) -> OidcSignIn | None:
    """Return the configured single sign-on, or None, without calling the provider. Raises SettingsError."""
    if not settings.oidc_issuer:
        return None
    try:
        from dashboard.auth.oidc.provider import OidcProvider
    except ModuleNotFoundError as exc:
        raise SettingsError(MISSING_EXTRA_MESSAGE) from exc
    secret_key = settings.secret_key.get_secret_value() if settings.secret_key else ""
    return OidcSignIn(
        OidcProvider(settings), SignInFlows(secret_key, accounts.now), IdentityStore(accounts), LogSampler()
    )


@blueprint.get("")
@api_operation(query=(NEXT_PARAMETER,))
def start() -> BaseResponse:
    """Redirect to the identity provider. Users who are already signed in continue to their page."""
    target = safe_redirect_target(request.args.get(NEXT_PARAMETER.name))
    if current_user.is_authenticated:
        return redirect(target)
    flow, kept = _sign_on().flows.begin(target, _flow_cookie())
    try:
        answer = redirect(_sign_on().provider.authorization_url(flow, _redirect_uri()))
    except OidcError as exc:
        return _failed(exc, target)
    _set_flow_cookie(answer, kept)
    return answer


@blueprint.get("/callback")
@api_operation(query=CALLBACK_PARAMETERS)
def callback() -> BaseResponse:
    """Complete single sign-on, or show why it failed."""
    flow = _sign_on().flows.find(_flow_cookie(), request.args.get("state", ""))
    if flow is None:
        return _restart_flow()
    throttle = services().throttle
    try:
        throttle.check_sign_on(request.remote_addr or "", known_device())
        _finish(flow)
    except TooManyLoginFailures as exc:
        record_event(AuditEventType.login_throttled, by="oidc")
        return _page(retry_message(exc.seconds), flow.target, 429, exc.seconds)
    except OidcError as exc:
        if not isinstance(exc, ProviderUnreachable | ProviderNotCalled):
            throttle.count_sign_on(request.remote_addr or "", known_device())
        failed = _failed(exc, flow.target)
        if not isinstance(exc, ProviderNotCalled):
            # Its answer is used up: the same page loaded again is no second failure.
            _set_flow_cookie(failed, _sign_on().flows.without(_flow_cookie(), flow))
        return failed
    answer = redirect(flow.target, 303)
    _set_flow_cookie(answer, _sign_on().flows.without(_flow_cookie(), flow))
    return answer


def _restart_flow() -> BaseResponse:
    """Ask the user to start again if the sign-in is unknown: it ended, expired, or belongs to another browser.

    It does not count as a failure: anyone can open this URL, and other sites can make browsers do so. It is recorded
    only for browsers in which a sign-in was started, and not every time.
    """
    log.warning("sign_on_not_begun", address=request.remote_addr, request_id=g.request_id)
    sign_on = _sign_on()
    if sign_on.flows.ours(_flow_cookie()) and sign_on.outdated.sample(request.remote_addr) is not None:
        record_event(AuditEventType.login_outdated, by="oidc")
    if current_user.is_authenticated:
        # As with the way back in a tab whose sign-in has been finished.
        return redirect("/", 303)
    return _page(UNKNOWN_FLOW_MESSAGE, "/", 401)


def _finish(flow: SignInFlow) -> None:
    """Start a session for the user identified by the provider. Raises OidcError."""
    sign_on = _sign_on()
    with sign_on.provider.turn():
        if not sign_on.identities.consume(flow.drawn, FLOW_MAX_AGE_SECONDS):
            raise IdentityNotProven(
                "used_before", "This response from the provider has already been used. Start again."
            )
        code, now = _authorization_code(sign_on.provider.issuer), services().accounts.now()
        claims = sign_on.provider.claims(flow, code, _redirect_uri(), now)
    user = UserProvisioning(services().accounts, sign_on.identities, services().settings).of(claims)
    record_event(AuditEventType.login_succeeded, actor=user, by="oidc", given=unverified_email(claims))
    services().throttle.remember(user.email, request.remote_addr or "")
    browser_sessions.start_browser_session(user)


def _authorization_code(issuer: str) -> str:
    """Return the authorization code. Raises OidcError if there is none."""
    # Which provider answers; many do not say (RFC 9207).
    if request.args.get("iss", issuer) != issuer:
        raise IdentityNotProven("answer_of_another", "The response came from a different provider. Start again.")
    if "error" in request.args:
        raise _logged_error(request.args["error"])
    code = request.args.get("code", "")
    if not 0 < len(code) <= MAX_CODE_LENGTH or not code.isascii():
        raise IdentityNotProven("no_code", "The provider sent no valid code. Start again.")
    return code


def _logged_error(error: str) -> OidcError:
    reason = error if error in _LOGGED_ERRORS else "unknown_error"
    if reason == "access_denied":
        return AccessDenied(reason, "The sign-in was cancelled, or the provider denied access.")
    return IdentityNotProven(reason, f"The provider did not sign you in ({reason.replace('_', ' ')}).")


def _failed(exc: OidcError, target: str) -> Response:
    """Record the failure, and show the sign-in page with it."""
    status = next(status for kind, status in _STATUSES.items() if isinstance(exc, kind))
    if not isinstance(exc, ProviderNotCalled):
        cause = type(exc.__cause__).__name__ if exc.__cause__ else None
        record_event(
            AuditEventType.login_failed, subject=exc.subject, by="oidc", reason=exc.reason, cause=cause, given=exc.given
        )
    return _page(str(exc), target, status, PROVIDER_RETRY_SECONDS if status == 503 else None)


def _page(message: str, target: str, status: int, retry_after: int | None = None) -> Response:
    answer = login_page(LoginPage(next=target, error=message, request_id=g.request_id), status)
    if retry_after:
        answer.headers["Retry-After"] = str(retry_after)
    return answer


def _sign_on() -> OidcSignIn:
    # These routes are there only where it is.
    return cast("OidcSignIn", services().sign_on)


def _redirect_uri() -> str:
    return url_for("oidc.callback", _external=True)


def _flow_cookie() -> str:
    """Return the cookie with the sign-ins in progress."""
    return request.cookies.get(_flow_cookie_name(), "")


def _set_flow_cookie(answer: BaseResponse, kept: str) -> None:
    """Set or delete the cookie with the sign-ins in progress."""
    name, secure = _flow_cookie_name(), request.is_secure
    if kept:
        answer.set_cookie(
            name, kept, max_age=FLOW_MAX_AGE_SECONDS, path="/", secure=secure, httponly=True, samesite="Lax"
        )
    else:
        answer.delete_cookie(name, path="/", secure=secure, httponly=True, samesite="Lax")


def _flow_cookie_name() -> str:
    """Return the cookie name; over https with the `__Host-` prefix, like the session cookie."""
    return f"__Host-{FLOW_COOKIE_NAME}" if request.is_secure else FLOW_COOKIE_NAME
