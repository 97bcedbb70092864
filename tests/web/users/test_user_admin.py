"""What admins do to users, in the store: all of it or nothing, one after another, and an admin is always left."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from structlog.testing import capture_logs

from dashboard.auth.accounts import Accounts, EmailTaken
from dashboard.auth.session_store import SessionStore
from dashboard.database.models import AuditRow, Role, User, UserRow
from dashboard.database.unit_of_work import AccountsUnavailable
from dashboard.settings.model import Settings
from dashboard.users.admin.store import (
    AdminRequired,
    LastAdminError,
    UserAdmin,
    UserIdNotFound,
    UserVersionConflict,
)
from dashboard.web.services import services
from tests.support.postgres import ON_EVERY_DATABASE_IN_FULL
from tests.web.auth.test_sessions import change as do_to_the_database

pytestmark = ON_EVERY_DATABASE_IN_FULL

PASSWORD = "correct horse battery"
ADA, INA, BOB = "ada@example.com", "ina@example.com", "bob@example.com"


@pytest.fixture
def people(accounts: Accounts) -> UserAdmin:
    return UserAdmin(accounts)


@pytest.fixture
def ada(accounts: Accounts) -> User:
    return accounts.add(ADA, PASSWORD, role=Role.admin)


@pytest.fixture
def ina(accounts: Accounts) -> User:
    return accounts.add(INA, PASSWORD, role=Role.admin)


@pytest.fixture
def bob(accounts: Accounts) -> User:
    return accounts.add(BOB, PASSWORD, name="Bob")


def admins(accounts: Accounts) -> list[str]:
    return [user.email for user in accounts.all() if user.role is Role.admin and user.enabled]


def at_once(*acts: Callable[[], object]) -> list[object]:
    """Do these at the same moment; what each returned, or raised."""
    ready = Barrier(len(acts))

    def run(act: Callable[[], object]) -> object:
        ready.wait(30)
        try:
            return act()
        except (LastAdminError, AdminRequired, UserVersionConflict, AccountsUnavailable) as exc:
            return type(exc)

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


@pytest.fixture
def two_processes(settings: Settings, open_accounts: Callable[..., Accounts], accounts: Accounts) -> list[UserAdmin]:
    """The users as two processes have them: each with an engine of its own."""
    return [UserAdmin(open_accounts(settings.accounts_url)) for _ in range(2)]


@pytest.mark.parametrize("wanted", [{"disabled": True}, {"role": Role.viewer}], ids=["disable", "demote"])
def test_two_admins_who_give_up_at_the_same_moment_are_not_both_let_go(
    two_processes: list[UserAdmin], accounts: Accounts, ada: User, ina: User, wanted: dict[str, object]
):
    one, other = two_processes
    for _ in range(10):
        now = [accounts.known(user.email) for user in (ada, ina)]
        done = at_once(
            lambda now=now: one.change(now[0], ada.id, None, **wanted),
            lambda now=now: other.change(now[1], ina.id, None, **wanted),
        )
        assert len(admins(accounts)) == 1
        assert done.count(LastAdminError) == 1
        for email in (ADA, INA):
            accounts.enable(email)
            accounts.set_role(email, Role.admin)


@pytest.mark.parametrize("wanted", [{"disabled": True}, {"role": Role.viewer}], ids=["disable", "demote"])
def test_of_two_admins_who_do_it_to_one_another_at_the_same_moment_one_is_left(
    two_processes: list[UserAdmin], accounts: Accounts, ada: User, ina: User, wanted: dict[str, object]
):
    one, other = two_processes
    for _ in range(10):
        now = [accounts.known(user.email) for user in (ada, ina)]
        done = at_once(
            lambda now=now: one.change(now[0], ina.id, None, **wanted),
            lambda now=now: other.change(now[1], ada.id, None, **wanted),
        )
        assert len(admins(accounts)) == 1
        assert done.count(AdminRequired) == 1, "who was faster has ended what the other could do"
        for email in (ADA, INA):
            accounts.enable(email)
            accounts.set_role(email, Role.admin)


def test_of_two_who_change_what_both_have_seen_one_is_told(
    two_processes: list[UserAdmin], accounts: Accounts, ada: User, ina: User, bob: User
):
    one, other = two_processes
    for number in range(10):
        seen = one.one(bob.id).version
        done = at_once(
            lambda seen=seen, name=f"A{number}": one.change(ada, bob.id, seen, name=name),
            lambda seen=seen, name=f"B{number}": other.change(ina, bob.id, seen, name=name),
        )
        assert done.count(UserVersionConflict) == 1
        assert accounts.known(BOB).name in {f"A{number}", f"B{number}"}


def test_whose_login_has_ended_meanwhile_changes_nothing(people: UserAdmin, accounts: Accounts, ada: User, bob: User):
    ended = {
        "disabled": lambda: accounts.disable(ADA),
        "enabled again": lambda: accounts.enable(ADA),
        "another password": lambda: accounts.set_password(ADA, PASSWORD),
        "another role": lambda: accounts.set_role(ADA, Role.operator),
    }
    for why, end in ended.items():
        before = accounts.known(ADA)
        end()
        with pytest.raises(AdminRequired):
            people.change(before, bob.id, None, disabled=True)
        with pytest.raises(AdminRequired):
            people.known(before, bob.id, None)
        with pytest.raises(AdminRequired):
            people.add(before, "new@example.com", accounts.hashed(PASSWORD), name=None, role=Role.admin)
        assert accounts.known(BOB) == bob, why
    assert len(accounts.all()) == 2


def test_who_is_gone_or_there_already_is_told(people: UserAdmin, accounts: Accounts, ada: User, bob: User):
    hashed = accounts.hashed(PASSWORD)
    with pytest.raises(EmailTaken):
        people.add(ada, BOB, hashed, name=None, role=Role.viewer)
    for unknown in ("nobody", "x" * 500, ""):
        with pytest.raises(UserIdNotFound):
            people.change(ada, unknown, None, name="x")
        with pytest.raises(UserIdNotFound):
            people.one(unknown)
    assert "argon2" not in repr(hashed)


def test_the_version_of_a_user_is_another_with_every_change_and_stays_when_they_are_seen(
    people: UserAdmin, accounts: Accounts, ada: User, bob: User, app: Flask
):
    versions = [people.one(bob.id).version]
    for act in (
        lambda: accounts.set_name(BOB, "Robert"),
        lambda: accounts.set_role(BOB, Role.operator),
        lambda: accounts.set_password(BOB, PASSWORD),
        lambda: accounts.disable(BOB),
        lambda: accounts.enable(BOB),
        lambda: accounts.end_all(BOB),
    ):
        act()
        versions.append(people.one(bob.id).version)
    app.test_client().post("/login", data={"username": BOB, "password": PASSWORD})

    assert len(set(versions)) == 7
    assert people.one(bob.id).seen_at
    assert people.one(bob.id).version == versions[-1]


def test_when_somebody_was_seen_is_said_of_sessions_that_last_alone(
    people: UserAdmin, accounts: Accounts, app: Flask, ada: User, bob: User
):
    sessions: SessionStore = services(app).sessions
    for _ in range(2):
        sessions.start(bob, device="x", address="127.0.0.1")
    last = max(session.seen_at for session in sessions.of(bob))
    found, total = people.page("", 1, 50)

    assert total == 2
    assert [(person.user.email, person.seen_at) for person in found] == [(ADA, None), (BOB, last)]
    accounts.set_password(BOB, PASSWORD)
    sessions.start(bob, device="of an earlier epoch", address="127.0.0.1")
    assert people.one(bob.id).seen_at is None


def test_what_is_done_together_is_done_whole_or_not_at_all(accounts: Accounts, ada: User, bob: User):
    told: list[str] = []

    def fail_in_the_end() -> None:
        with accounts.transaction():
            accounts.set_name(BOB, "Robert")
            assert accounts.known(BOB).name == "Robert"
            assert accounts.by_id(bob.id).name == "Robert", "by every way of asking"
            accounts.on_commit(lambda: told.append("failed"))
            accounts.add(ADA, accounts.hashed(PASSWORD))

    with pytest.raises(EmailTaken):
        fail_in_the_end()
    assert accounts.known(BOB).name == "Bob"
    with accounts.transaction(), accounts.transaction(), accounts.session() as session:
        row = session.scalar(select(UserRow).where(UserRow.email == BOB))
        accounts.disable(BOB)
        accounts.set_name(BOB, "Robert")
        accounts.on_commit(lambda: told.append("done"))
        assert (row.name, told) == ("Robert", [])
    assert told == ["done"]
    assert (accounts.known(BOB).enabled, accounts.known(BOB).name) == (False, "Robert")


def test_what_one_thread_does_together_is_no_part_of_what_another_does(accounts: Accounts, bob: User):
    with ThreadPoolExecutor(1) as pool, accounts.transaction():
        accounts.set_name(BOB, "Robert")
        assert pool.submit(accounts.by_id, bob.id).result(30).name == "Bob"
    assert accounts.known(BOB).name == "Robert"


CHANGES = [
    ("POST", "/profile/name", {"name": "Countess"}, None),
    ("POST", "/profile/password", {"current": PASSWORD, "new": PASSWORD[::-1], "again": PASSWORD[::-1]}, None),
    ("POST", "/profile/sessions/end-others", {}, None),
    ("DELETE", "/api/sessions/{session}", None, None),
    ("POST", "/users", {"email": "new@example.com", "role": "viewer"}, None),
    ("POST", "/users/{bob}", {"do": "disable"}, None),
    ("POST", "/users/{bob}", {"do": "save", "name": "Robert", "role": "admin"}, None),
    ("POST", "/users/{bob}", {"do": "reset"}, None),
    ("POST", "/users/{bob}", {"do": "end"}, None),
    ("PATCH", "/api/users/{bob}", None, {"disabled": True}),
]


@pytest.mark.parametrize(("method", "path", "data", "json"), CHANGES, ids=str)
def test_a_change_that_cannot_be_written_down_is_not_made(
    app: Flask,
    accounts: Accounts,
    settings: Settings,
    ada: User,
    bob: User,
    method: str,
    path: str,
    data: dict[str, str] | None,
    json: object,
):
    sessions: SessionStore = services(app).sessions
    browser = app.test_client()
    browser.post("/login", data={"username": ADA, "password": PASSWORD})
    others = [sessions.start(user, device="x", address="127.0.0.1") for user in (ada, bob)]
    found = sessions.find(others[0])
    assert found
    path = path.format(bob=bob.id, session=found[1].public_id)
    do_to_the_database(settings, "ALTER TABLE audit RENAME TO away")
    with capture_logs() as logs:
        answer = browser.open(path, method=method, data=data, json=json)
    do_to_the_database(settings, "ALTER TABLE away RENAME TO audit")

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert accounts.all() == [ada, bob]
    assert accounts.authenticate(ADA, PASSWORD)
    assert accounts.authenticate(BOB, PASSWORD)
    assert all(sessions.find(secret) for secret in others)
    assert is_written_down(accounts) == ["login_succeeded"]
    assert [entry["event"] for entry in logs] == ["accounts_unavailable"]


def is_written_down(accounts: Accounts) -> list[str]:
    with accounts.session() as session:
        return [row.event for row in session.query(AuditRow).order_by(AuditRow.id)]


@pytest.fixture
def admin(app: Flask, ada: User) -> FlaskClient:
    browser = app.test_client()
    browser.post("/login", data={"username": ADA, "password": PASSWORD})
    return browser


def test_every_change_is_written_down_with_who_did_it_to_whom(
    admin: FlaskClient, accounts: Accounts, ada: User, bob: User
):
    for do in ({"do": "save", "name": "Robert", "role": "operator"}, {"do": "disable"}, {"do": "enable"}):
        admin.post(f"/users/{bob.id}", data={"name": "", "role": "viewer"} | do)
    for done in ("end", "reset"):
        admin.post(f"/users/{bob.id}", data={"do": done})
    admin.post("/users", data={"email": "new@example.com", "role": "admin"})
    admin.post("/profile/name", data={"name": "Countess"})
    admin.post("/profile/password", data={"current": PASSWORD, "new": PASSWORD[::-1], "again": PASSWORD[::-1]})
    with accounts.session() as session:
        rows = session.query(AuditRow).order_by(AuditRow.id).all()
        said = [(row.event, row.subject) for row in rows if row.event != "login_succeeded"]
        assert {row.actor for row in rows} == {ADA}
        assert not any(PASSWORD in row.details or PASSWORD[::-1] in row.details for row in rows)
        details = {row.event: row.details for row in rows}

    assert said == [
        ("name_changed", BOB),
        ("role_changed", BOB),
        ("user_disabled", BOB),
        ("user_enabled", BOB),
        ("session_ended", BOB),
        ("password_reset", BOB),
        ("user_added", "new@example.com"),
        ("name_changed", ADA),
        ("password_changed", ADA),
    ]
    assert details["role_changed"] == '{"before": "viewer", "after": "operator"}'
