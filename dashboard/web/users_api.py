"""The users, for admins' scripts."""

from typing import Literal

from flask import Blueprint, Response
from pydantic import Field

from dashboard.accounts.models import User
from dashboard.accounts.passwords import LONGEST, SHORTEST, PasswordRefused
from dashboard.accounts.people import LastAdmin, UserChanged
from dashboard.accounts.store import LONGEST_EMAIL, LONGEST_NAME, EmailTaken, UserRefused
from dashboard.pages.users import UserItem, UserMade, UsersPage
from dashboard.web import users as pages
from dashboard.web.errors import FieldError, Refused, answer, conflict
from dashboard.web.hashing import hashes_passwords
from dashboard.web.kept_api import Given, as_json, sent_as
from dashboard.web.links import links_beside
from dashboard.web.operations import described
from dashboard.web.rights import need_password
from dashboard.web.services import services

RoleName = Literal["viewer", "operator", "admin"]
VERSION = Field(None, description="Expected version of the user; 409 if it has changed. Null skips the check.")
NAME = Field(None, max_length=LONGEST_NAME, description="Display name. Null: the e-mail address is shown instead.")
PASSWORD = Field(
    None,
    min_length=SHORTEST,
    max_length=LONGEST,
    description="Must not be a common password or based on the e-mail address or name. Null generates one.",
)
_CODES = {LastAdmin: "last_admin", UserChanged: "user_changed", pages.OwnPassword: "own_password"}

blueprint = Blueprint("users_api", __name__, url_prefix="/api")


class GivenUser(Given):
    """A user as they are to be added."""

    email: str = Field(min_length=3, max_length=LONGEST_EMAIL)
    name: str | None = NAME
    role: RoleName = "viewer"
    password: str | None = PASSWORD


class GivenChange(Given):
    """What of a user is to be another way; what is left out stays."""

    name: str | None = NAME
    role: RoleName | None = Field(None, description="Changing the role ends the user's sessions. Null: unchanged.")
    disabled: bool | None = Field(None, description="Disabling ends the user's sessions and tokens. Null: unchanged.")
    version: str | None = VERSION


class GivenReset(Given):
    """The password that a user is to have."""

    password: str | None = PASSWORD
    version: str | None = VERSION


@blueprint.get("/users")
@described(UsersPage, query=pages.OF_THE_LIST, may={403})
def users() -> Response:
    """List users by e-mail address. Admins only."""
    page = pages.users_page()
    response = as_json(page)
    response.headers["Link"] = links_beside(page)
    return response


@blueprint.post("/users")
@described(UserMade, takes=GivenUser, status=201, may={409, 429})
@hashes_passwords
def add_user() -> Response:
    """Add a user. Admins only.

    A generated password is returned only once.
    """
    need_password()
    given = sent_as(GivenUser)
    try:
        return _made(*pages.add_user(given.email, given.name, given.role, given.password), 201)
    except EmailTaken as exc:
        raise conflict("email", str(exc)) from exc
    except (UserRefused, PasswordRefused) as exc:
        raise refused(exc) from exc


@blueprint.get("/users/<user_id>")
@described(UserItem, may={403, 404})
def user(user_id: str) -> Response:
    """Return a user. Admins only."""
    return as_json(pages.item(services().people.one(user_id)))


@blueprint.patch("/users/<user_id>")
@described(UserItem, takes=GivenChange, may={404, 409, 429})
def change_user(user_id: str) -> Response:
    """Change the name or role of a user, or disable or enable the user. Admins only.

    The last active admin cannot be demoted or disabled: 409 (`last_admin`).
    """
    need_password()
    given = sent_as(GivenChange)
    wanted = given.model_dump(exclude={"name", "version"}, exclude_none=True)
    if "name" in given.model_fields_set:
        wanted["name"] = given.name
    try:
        pages.change_user(user_id, given.version, wanted)
    except UserRefused as exc:
        raise refused(exc) from exc
    return as_json(pages.item(services().people.one(user_id)))


@blueprint.post("/users/<user_id>/password")
@described(UserMade, takes=GivenReset, may={404, 409, 429})
@hashes_passwords
def reset_password(user_id: str) -> Response:
    """Reset the password of another user and end their sessions and tokens. Admins only.

    A generated password is returned only once.
    """
    need_password()
    given = sent_as(GivenReset)
    try:
        return _made(*pages.reset_password(user_id, given.version, given.password))
    except PasswordRefused as exc:
        raise refused(exc) from exc


@blueprint.delete("/users/<user_id>/sessions")
@described(status=204, may={404, 429})
def end_all(user_id: str) -> Response:
    """End all sessions and tokens of a user immediately. Admins only."""
    need_password()
    pages.end_all(user_id, None)
    return Response(status=204)


@blueprint.errorhandler(LastAdmin)
@blueprint.errorhandler(UserChanged)
@blueprint.errorhandler(pages.OwnPassword)
def stands_against(exc: Exception) -> Response:
    """A change that something stands against."""
    return answer(Refused(409, _CODES[type(exc)], str(exc)))


def refused(exc: UserRefused | PasswordRefused) -> Refused:
    """The answer to a field that cannot be used."""
    field = exc.field if isinstance(exc, UserRefused) else "password"
    return Refused(422, "invalid_field", str(exc), fields=[FieldError(field=field, message=str(exc))])


def _made(changed: User, password: str | None, status: int = 200) -> Response:
    person = pages.item(services().people.one(changed.id))
    return as_json(UserMade(**person.model_dump(), password=password), status)
