"""User management as JSON API for admins."""

from typing import Literal

from flask import Blueprint, Response
from pydantic import Field

from dashboard.auth.accounts import MAX_EMAIL_LENGTH, MAX_USER_NAME_LENGTH, EmailTaken, InvalidUser
from dashboard.auth.hash_queue import hashes_passwords
from dashboard.auth.passwords import MAX_PASSWORD_LENGTH, MIN_PASSWORD_LENGTH, InvalidPassword
from dashboard.auth.permissions import require_password_login
from dashboard.database.models import User
from dashboard.users.admin import forms as pages
from dashboard.users.admin.page import UserItem, UsersPage, UserWithPassword
from dashboard.users.admin.store import LastAdminError, UserVersionConflict
from dashboard.web.errors import ApiError, FieldError, error_response, field_conflict
from dashboard.web.json_api import RequestBody, json_response, parse_json_body
from dashboard.web.links import neighbour_links
from dashboard.web.openapi.operation import api_operation
from dashboard.web.services import services

RoleName = Literal["viewer", "operator", "admin"]
VERSION_FIELD = Field(None, description="Expected version of the user; 409 if it has changed. Null skips the check.")
NAME_FIELD = Field(
    None, max_length=MAX_USER_NAME_LENGTH, description="Display name. Null: the e-mail address is shown instead."
)
PASSWORD_FIELD = Field(
    None,
    min_length=MIN_PASSWORD_LENGTH,
    max_length=MAX_PASSWORD_LENGTH,
    description="Must not be a common password or based on the e-mail address or name. Null generates one.",
)
_ERROR_CODES = {
    LastAdminError: "last_admin",
    UserVersionConflict: "user_changed",
    pages.OwnPasswordReset: "own_password",
}

blueprint = Blueprint("users_api", __name__, url_prefix="/api")


class UserCreate(RequestBody):
    """A user to add."""

    email: str = Field(min_length=3, max_length=MAX_EMAIL_LENGTH)
    name: str | None = NAME_FIELD
    role: RoleName = "viewer"
    password: str | None = PASSWORD_FIELD


class UserUpdate(RequestBody):
    """Changes of a user. Omitted fields stay unchanged."""

    name: str | None = NAME_FIELD
    role: RoleName | None = Field(None, description="Changing the role ends the user's sessions. Null: unchanged.")
    disabled: bool | None = Field(None, description="Disabling ends the user's sessions and tokens. Null: unchanged.")
    version: str | None = VERSION_FIELD


class PasswordReset(RequestBody):
    """A new password of a user."""

    password: str | None = PASSWORD_FIELD
    version: str | None = VERSION_FIELD


@blueprint.get("/users")
@api_operation(UsersPage, query=pages.USER_LIST_PARAMETERS, responses={403})
def users() -> Response:
    """List users by e-mail address. Admins only."""
    page = pages.users_page()
    response = json_response(page)
    response.headers["Link"] = neighbour_links(page)
    return response


@blueprint.post("/users")
@api_operation(UserWithPassword, takes=UserCreate, status=201, responses={409, 429})
@hashes_passwords
def add_user() -> Response:
    """Add a user. Admins only.

    A generated password is returned only once.
    """
    require_password_login()
    given = parse_json_body(UserCreate)
    try:
        return _made(*pages.create_user(given.email, given.name, given.role, given.password), 201)
    except EmailTaken as exc:
        raise field_conflict("email", str(exc)) from exc
    except (InvalidUser, InvalidPassword) as exc:
        raise refused(exc) from exc


@blueprint.get("/users/<user_id>")
@api_operation(UserItem, responses={403, 404})
def user(user_id: str) -> Response:
    """Return a user. Admins only."""
    return json_response(pages.user_item(services().people.one(user_id)))


@blueprint.patch("/users/<user_id>")
@api_operation(UserItem, takes=UserUpdate, responses={404, 409, 429})
def change_user(user_id: str) -> Response:
    """Change the name or role of a user, or disable or enable the user. Admins only.

    The last active admin cannot be demoted or disabled: 409 (`last_admin`).
    """
    require_password_login()
    given = parse_json_body(UserUpdate)
    wanted = given.model_dump(exclude={"name", "version"}, exclude_none=True)
    if "name" in given.model_fields_set:
        wanted["name"] = given.name
    try:
        pages.update_user(user_id, given.version, wanted)
    except InvalidUser as exc:
        raise refused(exc) from exc
    return json_response(pages.user_item(services().people.one(user_id)))


@blueprint.post("/users/<user_id>/password")
@api_operation(UserWithPassword, takes=PasswordReset, responses={404, 409, 429})
@hashes_passwords
def reset_password(user_id: str) -> Response:
    """Reset the password of another user and end their sessions and tokens. Admins only.

    A generated password is returned only once.
    """
    require_password_login()
    given = parse_json_body(PasswordReset)
    try:
        return _made(*pages.reset_user_password(user_id, given.version, given.password))
    except InvalidPassword as exc:
        raise refused(exc) from exc


@blueprint.delete("/users/<user_id>/sessions")
@api_operation(status=204, responses={404, 429})
def end_all(user_id: str) -> Response:
    """End all sessions and tokens of a user immediately. Admins only."""
    require_password_login()
    pages.end_user_sessions(user_id, None)
    return Response(status=204)


@blueprint.errorhandler(LastAdminError)
@blueprint.errorhandler(UserVersionConflict)
@blueprint.errorhandler(pages.OwnPasswordReset)
def stands_against(exc: Exception) -> Response:
    """Return the error for a conflicting change."""
    return error_response(ApiError(409, _ERROR_CODES[type(exc)], str(exc)))


def refused(exc: InvalidUser | InvalidPassword) -> ApiError:
    """Return the error for an invalid field."""
    field = exc.field if isinstance(exc, InvalidUser) else "password"
    return ApiError(422, "invalid_field", str(exc), fields=[FieldError(field=field, message=str(exc))])


def _made(changed: User, password: str | None, status: int = 200) -> Response:
    person = pages.user_item(services().people.one(changed.id))
    return json_response(UserWithPassword(**person.model_dump(), password=password), status)
