"""Everybody's own profile: name, password, and where they are logged in. The page of it and its forms."""

from collections.abc import Mapping

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response as BaseResponse

from dashboard.accounts.audit import Event
from dashboard.accounts.models import User
from dashboard.accounts.opaque import hash_of
from dashboard.accounts.passwords import PasswordRefused, check_password_policy
from dashboard.accounts.sessions import BrowserSession
from dashboard.accounts.store import UserRefused
from dashboard.accounts.throttle import Throttled
from dashboard.pages.profile import ProfilePage, ProfileView, SessionItem
from dashboard.web import sessions
from dashboard.web.audit import record
from dashboard.web.errors import Refused
from dashboard.web.hashing import hashes_passwords
from dashboard.web.login import try_again
from dashboard.web.services import services

NOT_IT = "The current password is wrong."
SAME = "The new password is the same as the current one. Choose a different one."
NOT_TWICE = "The passwords do not match."
CHANGED = "Your account has changed in the meantime. Nothing was saved. Sign in again."

blueprint = Blueprint("profile", __name__)


class FieldWrong(ValueError):
    """Something that cannot be used; `field` names what."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field


@blueprint.get("/profile")
def profile() -> Response:
    """Show the viewer's own profile."""
    return _page()


@blueprint.post("/profile/name")
def save_name() -> Response | BaseResponse:
    """Let the pages call the viewer so."""
    name = request.form.get("name", "")
    try:
        change_name(name)
    except FieldWrong as exc:
        return _page(422, wrong={exc.field: str(exc)}, typed=name[:300])
    return redirect(url_for("profile.profile"), 303)


@blueprint.post("/profile/password")
@hashes_passwords
def save_password() -> Response:
    """Give the viewer another password, and show that it is done, or what is wrong."""
    current, new, again = (request.form.get(field, "") for field in ("current", "new", "again"))
    try:
        _check_typed_twice(new, again)
        change_password(current, new)
    except FieldWrong as exc:
        return _page(422, wrong={exc.field: str(exc)})
    except Throttled as exc:
        response = _page(429, wrong={"current": try_again(exc.seconds)})
        response.headers["Retry-After"] = str(exc.seconds)
        return response
    return _page(changed=True)


@blueprint.post("/profile/sessions/<session_id>/end")
def end_one(session_id: str) -> BaseResponse:
    """End one of the viewer's sessions at once."""
    end_session(session_id)
    return redirect(url_for("profile.profile"), 303)


@blueprint.post("/profile/sessions/end-others")
def end_all_others() -> BaseResponse:
    """End all sessions of the viewer but this one."""
    end_other_sessions()
    return redirect(url_for("profile.profile"), 303)


def change_name(name: str | None) -> User:
    """Let the user who asks be called so; raises FieldWrong."""
    accounts, email = services().accounts, current_user.email
    try:
        with accounts.together():
            before, after = accounts.known(email), accounts.set_name(email, name)
            if after.name != before.name:
                record(Event.name_changed, subject=email, before=before.name, after=after.name)
    except UserRefused as exc:
        raise FieldWrong("name", str(exc)) from exc
    return after


def change_password(current: str, new: str) -> None:
    """Give the user who asks another password; a session goes on with another secret, all else that lets them in ends.

    Raises FieldWrong, or Throttled.
    """
    try:
        check_password_policy(new, email=current_user.email, name=current_user.name)
    except PasswordRefused as exc:
        raise FieldWrong("new", str(exc)) from exc
    user = _proved(current)
    if new == current:
        raise FieldWrong("new", SAME)
    accounts, own = services().accounts, current_user.session
    hashed = accounts.hashed(new)
    with accounts.together():
        if accounts.by_id(user.id) != user:
            raise Refused(409, "user_changed", CHANGED)
        changed = accounts.set_password(user.email, hashed)
        record(Event.password_changed, subject=user.email)
        if own:
            sessions.start(changed, keep=own.kept)


def own_sessions() -> tuple[SessionItem, ...]:
    """The sessions of the user who asks, the one seen last first."""
    here = _here()
    return tuple(_item(found, current=found.id == here) for found in services().sessions.of(current_user.user))


def end_session(session_id: str) -> None:
    """End one of the sessions of the user who asks; raises Refused with 404."""
    with services().accounts.together():
        found = next((one for one in services().sessions.of(current_user.user) if one.public_id == session_id), None)
        if found is None or not services().sessions.end(current_user.user, found.id):
            raise Refused(404, "session_not_found", "Session not found. It may have ended.")
        record(Event.session_ended, subject=current_user.email, session=found.public_id, device=found.device)


def end_other_sessions() -> None:
    """End all sessions of the user who asks but the one by which they do."""
    with services().accounts.together():
        ended = services().sessions.end_all(current_user.user, but=_here())
        if ended:
            record(Event.session_ended, subject=current_user.email, sessions=ended, which="all others")


def own_profile() -> ProfileView:
    """Who asks."""
    user = current_user.user
    return ProfileView(id=user.id, email=user.email, name=user.name, role=user.role.value, created_at=user.created_at)


def _check_typed_twice(new: str, again: str) -> None:
    if new != again:
        raise FieldWrong("again", NOT_TWICE)


def _proved(password: str) -> User:
    """The user who asks, if this is their password; raises FieldWrong, or Throttled.

    A wrong one counts as a login that failed: whoever has come by a session must not guess the password with it. Those
    who are signed in are known, whatever strangers do.
    """
    accounts, email = services().accounts, current_user.email
    try:
        user = services().throttle.bound(
            email, request.remote_addr or "", lambda: accounts.authenticate(email, password), known=True
        )
    except Throttled:
        record(Event.login_throttled, subject=email, at="change of password")
        raise
    if user is None:
        record(Event.login_failed, subject=email, at="change of password")
        raise FieldWrong("current", NOT_IT)
    return user


def _here() -> str:
    """The id of the session by which somebody asks; of no session, where they sent a token."""
    return hash_of(current_user.secret)


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
    page = ProfilePage(profile=own_profile(), sessions=own_sessions(), wrong=wrong or {}, typed=typed, changed=changed)
    return make_response(render_template(page.template, page=page), status)
