"""User management pages for admins."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response as BaseResponse

from dashboard.audit.log import AuditEventType
from dashboard.audit.recorder import record_event
from dashboard.auth.accounts import EmailTaken, InvalidUser, normalize_email, normalize_user_name
from dashboard.auth.hash_queue import hashes_passwords
from dashboard.auth.passwords import InvalidPassword, check_password_policy, generate_password
from dashboard.auth.permissions import ADMINS_ONLY_MESSAGE
from dashboard.database.models import Role, User
from dashboard.users.admin.page import USERS_PAGE_SIZE, UserItem, UserPage, UsersPage
from dashboard.users.admin.store import (
    AdminRequired,
    LastAdminError,
    ManagedUser,
    UserIdNotFound,
    UserVersionConflict,
)
from dashboard.web.errors import ApiError, error_response, invalid_parameter
from dashboard.web.openapi.operation import api_operation
from dashboard.web.query_params import MAX_SEARCH_TEXT_LENGTH, IntegerParameter, TextParameter
from dashboard.web.services import services

USERS_TEXT_PARAMETER = TextParameter(
    "q", "Users with this text in their e-mail address or name.", MAX_SEARCH_TEXT_LENGTH
)
USERS_PAGE_PARAMETER = IntegerParameter("page", "Page number.", 1, 10_000)
USERS_PAGE_SIZE_PARAMETER = IntegerParameter("page_size", "Number of users per page.", USERS_PAGE_SIZE, 200)
USER_LIST_PARAMETERS = (USERS_TEXT_PARAMETER, USERS_PAGE_PARAMETER, USERS_PAGE_SIZE_PARAMETER)
USE_PROFILE_MESSAGE = "Change your own password on your profile."

blueprint = Blueprint("users", __name__)


class OwnPasswordReset(Exception):
    """Admins cannot reset their own password: that requires the current one."""

    def __init__(self) -> None:
        super().__init__(USE_PROFILE_MESSAGE)


@blueprint.get("/users")
@api_operation(query=USER_LIST_PARAMETERS)
def users() -> Response:
    """List users."""
    return _list_page()


@blueprint.post("/users")
@api_operation(query=USER_LIST_PARAMETERS)
@hashes_passwords
def add() -> Response:
    """Add a user and show a generated password once, or show the form again with its errors."""
    typed = {name: request.form.get(name, "") for name in ("email", "name", "role", "password")}
    given = typed.pop("password")
    try:
        user, password = create_user(typed["email"], typed["name"], typed["role"], given or None)
    except EmailTaken as exc:
        return _list_page(409, wrong={"email": str(exc)}, typed=typed)
    except InvalidUser as exc:
        return _list_page(422, wrong={exc.field: str(exc)}, typed=typed)
    except InvalidPassword as exc:
        return _list_page(422, wrong={"password": str(exc)}, typed=typed)
    return _user_page(user.id, 201, added=True, password=password)


@blueprint.get("/users/<user_id>")
def user(user_id: str) -> Response:
    """Show a user."""
    return _user_page(user_id)


@blueprint.post("/users/<user_id>")
@hashes_passwords
def change(user_id: str) -> Response | BaseResponse:
    """Apply the action `do` to a user, or show the page with the error."""
    form, version = request.form, request.form.get("version") or None
    wanted: dict[str, dict[str, Any]] = {
        "save": {"name": form.get("name", ""), "role": form.get("role", "")},
        "disable": {"disabled": True},
        "enable": {"disabled": False},
    }
    try:
        match form.get("do", ""):
            case "save" | "disable" | "enable" as do:
                update_user(user_id, version, wanted[do])
            case "end":
                end_user_sessions(user_id, version)
            case "reset":
                return _user_page(user_id, password=reset_user_password(user_id, version)[1])
            case _:
                raise invalid_parameter("do", "must be save, disable, enable, end or reset")
    except InvalidUser as exc:
        return _user_page(user_id, 422, wrong={exc.field: str(exc)}, typed=wanted["save"])
    except (LastAdminError, UserVersionConflict, OwnPasswordReset) as exc:
        return _user_page(user_id, 409, error=str(exc))
    return redirect(url_for("users.user", user_id=user_id), 303)


@blueprint.app_errorhandler(UserIdNotFound)
def gone(exc: UserIdNotFound) -> Response:
    """Return the error for a missing user."""
    return error_response(ApiError(404, "user_not_found", str(exc)))


@blueprint.app_errorhandler(AdminRequired)
def no_admin(_exc: AdminRequired) -> Response:
    """Return the error for a user who is no longer an admin."""
    return error_response(ApiError(403, "admin_needed", ADMINS_ONLY_MESSAGE))


def create_user(email: str, name: str | None, role: str, password: str | None) -> tuple[User, str | None]:
    """Add a user; returns the user, and the password if it was generated, which is returned only once.

    Raises AdminRequired, EmailTaken, InvalidUser or InvalidPassword.
    """
    known, accounts = _role(role), services().accounts
    # They are as long as a request may be until they are looked at.
    email, name = normalize_email(email), normalize_user_name(name)
    hashed, made = _hashed_password(password, email, name)
    with accounts.transaction():
        added = services().people.add(current_user.user, email, hashed, name=name, role=known)
        record_event(AuditEventType.user_added, subject=added.email, name=added.name, role=added.role.value)
    return added, made


def update_user(user_id: str, version: str | None, wanted: Mapping[str, Any]) -> User:
    """Change the user's `name`, `role` or `disabled`. Raises like `UserAdmin.change`."""
    values = {**wanted, **({"role": _role(wanted["role"])} if "role" in wanted else {})}
    with services().accounts.transaction():
        before, after = services().people.change(current_user.user, user_id, version, **values)
        _record_change(before, after)
    return after


def end_user_sessions(user_id: str, version: str | None) -> None:
    """End the sessions and tokens of a user. Raises AdminRequired, UserIdNotFound or UserVersionConflict."""
    with services().accounts.transaction():
        user = services().people.known(current_user.user, user_id, version)
        services().accounts.end_all(user.email)
        record_event(AuditEventType.session_ended, subject=user.email, which="all, with tokens")


def reset_user_password(user_id: str, version: str | None, password: str | None = None) -> tuple[User, str | None]:
    """Reset a user's password; returns the user, and the password if it was generated.

    Raises OwnPasswordReset, AdminRequired, UserIdNotFound, UserVersionConflict or InvalidPassword.
    """
    if user_id == current_user.id:
        raise OwnPasswordReset
    accounts, owner = services().accounts, services().people.one(user_id).user
    hashed, made = _hashed_password(password, owner.email, owner.name)
    with accounts.transaction():
        user = services().people.known(current_user.user, user_id, version)
        changed = accounts.set_password(user.email, hashed)
        record_event(AuditEventType.password_reset, subject=user.email)
    return changed, made


def users_page() -> UsersPage:
    """Return the requested page of users."""
    text, number, size = USERS_TEXT_PARAMETER.read(), USERS_PAGE_PARAMETER.read(), USERS_PAGE_SIZE_PARAMETER.read()
    found, total = services().people.page(text, number, size)
    return UsersPage(items=tuple(map(user_item, found)), total=total, page=number, page_size=size, q=text)


def user_item(person: ManagedUser) -> UserItem:
    """Return a user as shown on pages and in JSON."""
    user = person.user
    return UserItem(
        id=user.id,
        email=user.email,
        name=user.name,
        role=user.role.value,
        disabled=not user.enabled,
        created_at=user.created_at,
        disabled_at=user.disabled_at,
        seen_at=person.seen_at,
        version=person.version,
    )


def _record_change(before: User, after: User) -> None:
    if after.name != before.name:
        record_event(AuditEventType.name_changed, subject=after.email, before=before.name, after=after.name)
    if after.role != before.role:
        record_event(AuditEventType.role_changed, subject=after.email, before=before.role.value, after=after.role.value)
    if after.enabled != before.enabled:
        record_event(
            AuditEventType.user_enabled if after.enabled else AuditEventType.user_disabled, subject=after.email
        )


def _hashed_password(given: str | None, email: str, name: str | None) -> tuple[Any, str | None]:
    """Return the password hash, and the password if it was generated. Raises InvalidPassword."""
    if given is not None:
        check_password_policy(given, email=email, name=name)
        return services().accounts.hashed(given), None
    made = generate_password()
    return services().accounts.hashed(made), made


def _role(text: str) -> Role:
    if text not in set(Role):
        raise InvalidUser(f"The role must be one of {', '.join(Role)}.", "role")
    return Role(text)


def _list_page(status: int = 200, **said: Any) -> Response:  # noqa: ANN401  fields of the page
    page = users_page().model_copy(update=said)
    return make_response(render_template(page.template, page=page), status)


def _user_page(user_id: str, status: int = 200, **said: Any) -> Response:  # noqa: ANN401  fields of the page
    page = UserPage(user=user_item(services().people.one(user_id)), own=user_id == current_user.id, **said)
    return make_response(render_template(page.template, page=page), status)
