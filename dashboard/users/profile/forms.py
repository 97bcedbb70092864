"""The user's own profile page: name, password and sessions."""

from collections.abc import Mapping

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response as BaseResponse

from dashboard.audit.log import AuditEventType
from dashboard.audit.recorder import record_event
from dashboard.auth import browser_sessions
from dashboard.auth.accounts import InvalidUser
from dashboard.auth.hash_queue import hashes_passwords
from dashboard.auth.login_views import retry_message
from dashboard.auth.opaque_tokens import hash_secret
from dashboard.auth.passwords import InvalidPassword, check_password_policy
from dashboard.auth.session_store import BrowserSession
from dashboard.auth.throttle import TooManyLoginFailures
from dashboard.database.models import User
from dashboard.users.profile.page import ProfilePage, ProfileView, SessionItem
from dashboard.web.errors import ApiError
from dashboard.web.services import services

NOT_CURRENT_MESSAGE = "The current password is wrong."
UNCHANGED_MESSAGE = "The new password is the same as the current one. Choose a different one."
MISMATCH_MESSAGE = "The passwords do not match."
ACCOUNT_CHANGED_MESSAGE = "Your account has changed in the meantime. Nothing was saved. Sign in again."

blueprint = Blueprint("profile", __name__)


class InvalidField(ValueError):
    """An invalid form field."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field


@blueprint.get("/profile")
def profile() -> Response:
    """Show the viewer's own profile."""
    return _page()


@blueprint.post("/profile/name")
def save_name() -> Response | BaseResponse:
    """Save the viewer's display name."""
    name = request.form.get("name", "")
    try:
        update_own_name(name)
    except InvalidField as exc:
        return _page(422, wrong={exc.field: str(exc)}, typed=name[:300])
    return redirect(url_for("profile.profile"), 303)


@blueprint.post("/profile/password")
@hashes_passwords
def save_password() -> Response:
    """Change the viewer's password, or show the form again with its errors."""
    current, new, again = (request.form.get(field, "") for field in ("current", "new", "again"))
    try:
        _check_typed_twice(new, again)
        update_own_password(current, new)
    except InvalidField as exc:
        return _page(422, wrong={exc.field: str(exc)})
    except TooManyLoginFailures as exc:
        response = _page(429, wrong={"current": retry_message(exc.seconds)})
        response.headers["Retry-After"] = str(exc.seconds)
        return response
    return _page(changed=True)


@blueprint.post("/profile/sessions/<session_id>/end")
def end_one(session_id: str) -> BaseResponse:
    """End one of the viewer's sessions immediately."""
    end_own_session(session_id)
    return redirect(url_for("profile.profile"), 303)


@blueprint.post("/profile/sessions/end-others")
def end_all_others() -> BaseResponse:
    """End all sessions of the viewer except the current one."""
    end_own_other_sessions()
    return redirect(url_for("profile.profile"), 303)


def update_own_name(name: str | None) -> User:
    """Change the current user's display name; raises InvalidField."""
    accounts, email = services().accounts, current_user.email
    try:
        with accounts.transaction():
            before, after = accounts.known(email), accounts.set_name(email, name)
            if after.name != before.name:
                record_event(AuditEventType.name_changed, subject=email, before=before.name, after=after.name)
    except InvalidUser as exc:
        raise InvalidField("name", str(exc)) from exc
    return after


def update_own_password(current: str, new: str) -> None:
    """Change the current user's password. The session continues with a new secret; all other access ends.

    Raises InvalidField, or TooManyLoginFailures.
    """
    try:
        check_password_policy(new, email=current_user.email, name=current_user.name)
    except InvalidPassword as exc:
        raise InvalidField("new", str(exc)) from exc
    user = _verified_user(current)
    if new == current:
        raise InvalidField("new", UNCHANGED_MESSAGE)
    accounts, own = services().accounts, current_user.session
    hashed = accounts.hashed(new)
    with accounts.transaction():
        if accounts.by_id(user.id) != user:
            raise ApiError(409, "user_changed", ACCOUNT_CHANGED_MESSAGE)
        changed = accounts.set_password(user.email, hashed)
        record_event(AuditEventType.password_changed, subject=user.email)
        if own:
            browser_sessions.start_browser_session(changed, keep=own.kept)


def list_own_sessions() -> tuple[SessionItem, ...]:
    """Return the current user's sessions, most recently used first."""
    here = _current_session_id()
    return tuple(_item(found, current=found.id == here) for found in services().sessions.of(current_user.user))


def end_own_session(session_id: str) -> None:
    """End one of the current user's sessions; raises ApiError with 404."""
    with services().accounts.transaction():
        found = next((one for one in services().sessions.of(current_user.user) if one.public_id == session_id), None)
        if found is None or not services().sessions.end(current_user.user, found.id):
            raise ApiError(404, "session_not_found", "Session not found. It may have ended.")
        record_event(
            AuditEventType.session_ended, subject=current_user.email, session=found.public_id, device=found.device
        )


def end_own_other_sessions() -> None:
    """End all sessions of the current user except the current one."""
    with services().accounts.transaction():
        ended = services().sessions.end_all(current_user.user, but=_current_session_id())
        if ended:
            record_event(AuditEventType.session_ended, subject=current_user.email, sessions=ended, which="all others")


def get_own_profile() -> ProfileView:
    """Return the current user."""
    user = current_user.user
    return ProfileView(id=user.id, email=user.email, name=user.name, role=user.role.value, created_at=user.created_at)


def _check_typed_twice(new: str, again: str) -> None:
    if new != again:
        raise InvalidField("again", MISMATCH_MESSAGE)


def _verified_user(password: str) -> User:
    """Return the current user if this is their password; raises InvalidField, or TooManyLoginFailures.

    A wrong password counts as a failed sign-in, so that a stolen session cannot be used to guess it. Signed-in users
    are recognized, so that attempts of strangers do not block them.
    """
    accounts, email = services().accounts, current_user.email
    try:
        user = services().throttle.bound(
            email, request.remote_addr or "", lambda: accounts.authenticate(email, password), known=True
        )
    except TooManyLoginFailures:
        record_event(AuditEventType.login_throttled, subject=email, at="change of password")
        raise
    if user is None:
        record_event(AuditEventType.login_failed, subject=email, at="change of password")
        raise InvalidField("current", NOT_CURRENT_MESSAGE)
    return user


def _current_session_id() -> str:
    """Return the ID of the current session, or none for a token."""
    return hash_secret(current_user.secret)


def _item(found: BrowserSession, *, current: bool) -> SessionItem:
    return SessionItem(
        id=found.public_id,
        device=found.device,
        address=found.address,
        created_at=found.created_at,
        seen_at=found.seen_at,
        expires_at=found.expires_at,
        kept=found.kept,
        current=current,
    )


def _page(
    status: int = 200, *, wrong: Mapping[str, str] | None = None, typed: str | None = None, changed: bool = False
) -> Response:
    page = ProfilePage(
        profile=get_own_profile(), sessions=list_own_sessions(), wrong=wrong or {}, typed=typed, changed=changed
    )
    return make_response(render_template(page.template, page=page), status)
