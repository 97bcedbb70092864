"""The user's own profile, password and sessions as JSON API."""

from flask import Blueprint, Response
from pydantic import Field

from dashboard.auth.accounts import MAX_USER_NAME_LENGTH
from dashboard.auth.hash_queue import hashes_passwords
from dashboard.auth.login_views import retry_message
from dashboard.auth.passwords import MAX_PASSWORD_LENGTH, MIN_PASSWORD_LENGTH
from dashboard.auth.permissions import require_password_login
from dashboard.auth.throttle import TooManyLoginFailures
from dashboard.users.profile import forms as profile_forms
from dashboard.users.profile.forms import InvalidField
from dashboard.users.profile.page import ProfileView, SessionsPage
from dashboard.web.errors import ApiError, FieldError
from dashboard.web.json_api import RequestBody, json_response, parse_json_body
from dashboard.web.openapi.operation import api_operation

blueprint = Blueprint("profile_api", __name__, url_prefix="/api")


class NameUpdate(RequestBody):
    """A new display name."""

    name: str | None = Field(
        max_length=MAX_USER_NAME_LENGTH, description="Null or empty: the e-mail address is shown instead."
    )


class PasswordChange(RequestBody):
    """The current and the new password."""

    current: str = Field(min_length=1)
    new: str = Field(
        min_length=MIN_PASSWORD_LENGTH,
        max_length=MAX_PASSWORD_LENGTH,
        description="Must not be a common password or based on your e-mail address or name.",
    )


@blueprint.get("/profile")
@api_operation(ProfileView)
def own_profile() -> Response:
    """Return the current user."""
    return json_response(profile_forms.get_own_profile())


@blueprint.patch("/profile")
@api_operation(ProfileView, takes=NameUpdate, responses={429})
def change_name() -> Response:
    """Change the user's display name."""
    given = parse_json_body(NameUpdate)
    try:
        changed = profile_forms.update_own_name(given.name)
    except InvalidField as exc:
        raise refused(exc) from exc
    return json_response(profile_forms.get_own_profile().model_copy(update={"name": changed.name}))


@blueprint.put("/profile/password")
@api_operation(takes=PasswordChange, status=204, responses={409, 429})
@hashes_passwords
def change_password() -> Response:
    """Change the user's own password.

    All other access ends immediately, including tokens of every kind. A session continues with a new cookie; a client
    with an access token has to sign in again. A wrong current password counts as a failed sign-in.
    """
    require_password_login()
    given = parse_json_body(PasswordChange)
    try:
        profile_forms.update_own_password(given.current, given.new)
    except InvalidField as exc:
        raise refused(exc) from exc
    except TooManyLoginFailures as exc:
        headers = {"Retry-After": str(exc.seconds)}
        raise ApiError(429, "too_many_logins", retry_message(exc.seconds), headers=headers) from exc
    return Response(status=204)


@blueprint.get("/sessions")
@api_operation(SessionsPage)
def sessions() -> Response:
    """List the user's sessions."""
    return json_response(SessionsPage(sessions=profile_forms.list_own_sessions()))


@blueprint.delete("/sessions/<session_id>")
@api_operation(status=204, responses={404, 429})
def end_session(session_id: str) -> Response:
    """End one of the user's sessions immediately."""
    require_password_login()
    profile_forms.end_own_session(session_id)
    return Response(status=204)


@blueprint.delete("/sessions")
@api_operation(status=204, responses={429})
def end_other_sessions() -> Response:
    """End all of the user's sessions except the current one. Tokens stay valid."""
    require_password_login()
    profile_forms.end_own_other_sessions()
    return Response(status=204)


def refused(exc: InvalidField) -> ApiError:
    """Return the error for an invalid field."""
    return ApiError(422, "invalid_field", str(exc), fields=[FieldError(field=exc.field, message=str(exc))])
