"""The users, for admins: the pages on which they are found, added and changed."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response as BaseResponse

from dashboard.accounts.audit import Event
from dashboard.accounts.models import Role, User
from dashboard.accounts.passwords import PasswordRefused, check_password_policy, drawn_password
from dashboard.accounts.people import LastAdmin, NotAdmin, Person, UserChanged, UserGone
from dashboard.accounts.store import EmailTaken, UserRefused, normal_email, normal_name
from dashboard.pages.users import PAGE_SIZE, UserItem, UserPage, UsersPage
from dashboard.web.audit import record
from dashboard.web.errors import Refused, answer, invalid_parameter
from dashboard.web.hashing import hashes_passwords
from dashboard.web.narrowed import LONGEST_TEXT
from dashboard.web.operations import described
from dashboard.web.parameters import Text, WholeNumber
from dashboard.web.rights import ADMINS_ONLY
from dashboard.web.services import services

TEXT = Text("q", "Users with this text in their e-mail address or name.", LONGEST_TEXT)
PAGE = WholeNumber("page", "Page number.", 1, 10_000)
SIZE = WholeNumber("page_size", "Number of users per page.", PAGE_SIZE, 200)
OF_THE_LIST = (TEXT, PAGE, SIZE)
NOT_HERE = "Change your own password on your profile."

blueprint = Blueprint("users", __name__)


class OwnPassword(Exception):
    """Nobody changes their own password here: for that, one has to know the present one."""

    def __init__(self) -> None:
        super().__init__(NOT_HERE)


@blueprint.get("/users")
@described(query=OF_THE_LIST)
def users() -> Response:
    """List users."""
    return _list()


@blueprint.post("/users")
@described(query=OF_THE_LIST)
@hashes_passwords
def add() -> Response:
    """Add a user and show a generated password once, or show the form again with its errors."""
    typed = {name: request.form.get(name, "") for name in ("email", "name", "role", "password")}
    given = typed.pop("password")
    try:
        user, password = add_user(typed["email"], typed["name"], typed["role"], given or None)
    except EmailTaken as exc:
        return _list(409, wrong={"email": str(exc)}, typed=typed)
    except UserRefused as exc:
        return _list(422, wrong={exc.field: str(exc)}, typed=typed)
    except PasswordRefused as exc:
        return _list(422, wrong={"password": str(exc)}, typed=typed)
    return _one(user.id, 201, added=True, password=password)


@blueprint.get("/users/<user_id>")
def user(user_id: str) -> Response:
    """Show a user."""
    return _one(user_id)


@blueprint.post("/users/<user_id>")
@hashes_passwords
def change(user_id: str) -> Response | BaseResponse:
    """Do one thing to a user: what `do` says. Where it cannot be done, the page says why."""
    form, version = request.form, request.form.get("version") or None
    wanted: dict[str, dict[str, Any]] = {
        "save": {"name": form.get("name", ""), "role": form.get("role", "")},
        "disable": {"disabled": True},
        "enable": {"disabled": False},
    }
    try:
        match form.get("do", ""):
            case "save" | "disable" | "enable" as do:
                change_user(user_id, version, wanted[do])
            case "end":
                end_all(user_id, version)
            case "reset":
                return _one(user_id, password=reset_password(user_id, version)[1])
            case _:
                raise invalid_parameter("do", "must be save, disable, enable, end or reset")
    except UserRefused as exc:
        return _one(user_id, 422, wrong={exc.field: str(exc)}, typed=wanted["save"])
    except (LastAdmin, UserChanged, OwnPassword) as exc:
        return _one(user_id, 409, error=str(exc))
    return redirect(url_for("users.user", user_id=user_id), 303)


@blueprint.app_errorhandler(UserGone)
def gone(exc: UserGone) -> Response:
    """A user who is not there."""
    return answer(Refused(404, "user_not_found", str(exc)))


@blueprint.app_errorhandler(NotAdmin)
def no_admin(_exc: NotAdmin) -> Response:
    """Somebody who was an admin when they came, and is none any more."""
    return answer(Refused(403, "admin_needed", ADMINS_ONLY))


def add_user(email: str, name: str | None, role: str, password: str | None) -> tuple[User, str | None]:
    """Add a user; returns them, and the password if it was made here, which nobody is told again.

    Raises NotAdmin, EmailTaken, UserRefused or PasswordRefused.
    """
    known, accounts = _role(role), services().accounts
    # They are as long as a request may be until they are looked at.
    email, name = normal_email(email), normal_name(name)
    hashed, made = _password(password, email, name)
    with accounts.together():
        added = services().people.add(current_user.user, email, hashed, name=name, role=known)
        record(Event.user_added, subject=added.email, name=added.name, role=added.role.value)
    return added, made


def change_user(user_id: str, version: str | None, wanted: Mapping[str, Any]) -> User:
    """Let the user's `name`, `role` or `disabled` be as given. Raises what `People.change` does."""
    values = {**wanted, **({"role": _role(wanted["role"])} if "role" in wanted else {})}
    with services().accounts.together():
        before, after = services().people.change(current_user.user, user_id, version, **values)
        _record_change(before, after)
    return after


def end_all(user_id: str, version: str | None) -> None:
    """End the sessions and tokens of a user. Raises NotAdmin, UserGone or UserChanged."""
    with services().accounts.together():
        user = services().people.known(current_user.user, user_id, version)
        services().accounts.end_all(user.email)
        record(Event.session_ended, subject=user.email, which="all, with tokens")


def reset_password(user_id: str, version: str | None, password: str | None = None) -> tuple[User, str | None]:
    """Give a user another password; returns them, and the password if it was made here.

    Raises OwnPassword, NotAdmin, UserGone, UserChanged or PasswordRefused.
    """
    if user_id == current_user.id:
        raise OwnPassword
    accounts, owner = services().accounts, services().people.one(user_id).user
    hashed, made = _password(password, owner.email, owner.name)
    with accounts.together():
        user = services().people.known(current_user.user, user_id, version)
        changed = accounts.set_password(user.email, hashed)
        record(Event.password_reset, subject=user.email)
    return changed, made


def users_page() -> UsersPage:
    """The page of users that the request asks for."""
    text, number, size = TEXT.read(), PAGE.read(), SIZE.read()
    found, total = services().people.page(text, number, size)
    return UsersPage(items=tuple(map(item, found)), total=total, page=number, page_size=size, q=text)


def item(person: Person) -> UserItem:
    """A user as pages and JSON say them."""
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
        record(Event.name_changed, subject=after.email, before=before.name, after=after.name)
    if after.role != before.role:
        record(Event.role_changed, subject=after.email, before=before.role.value, after=after.role.value)
    if after.enabled != before.enabled:
        record(Event.user_enabled if after.enabled else Event.user_disabled, subject=after.email)


def _password(given: str | None, email: str, name: str | None) -> tuple[Any, str | None]:
    """The password hashed, and as it is where it was made here. Raises PasswordRefused."""
    if given is not None:
        check_password_policy(given, email=email, name=name)
        return services().accounts.hashed(given), None
    made = drawn_password()
    return services().accounts.hashed(made), made


def _role(text: str) -> Role:
    if text not in set(Role):
        raise UserRefused(f"The role must be one of {', '.join(Role)}.", "role")
    return Role(text)


def _list(status: int = 200, **said: Any) -> Response:  # noqa: ANN401  fields of the page
    page = users_page().model_copy(update=said)
    return make_response(render_template(page.template, page=page), status)


def _one(user_id: str, status: int = 200, **said: Any) -> Response:  # noqa: ANN401  fields of the page
    page = UserPage(user=item(services().people.one(user_id)), own=user_id == current_user.id, **said)
    return make_response(render_template(page.template, page=page), status)
