"""A database that says nothing holds up nobody: it is told immediately, and noticed when it is over."""

import http.client
import json
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from dashboard.audit.log import AuditEvent, AuditEventType, AuditQuery
from dashboard.auth.accounts import Accounts
from dashboard.auth.opaque_tokens import hash_secret
from dashboard.auth.recent_admissions import AuthMethod
from dashboard.database.models import User
from dashboard.database.revisions import MIGRATION_LOCK_ID as REVISIONS_LOCK
from dashboard.database.timeouts import COMMAND_TIMEOUTS, DatabaseTimeouts
from dashboard.database.unit_of_work import AccountsAway
from dashboard.settings.model import Settings
from tests.support.every_page import ANSWERS
from tests.support.harness import CHEAP, EMAIL, PASSWORD, Stage
from tests.support.postgres import MADE, ON_EVERY_DATABASE, Postgres, binaries, running
from tests.support.rollout_makers import hierarchy
from tests.support.served import Listener, Served, account, serving
from tests.support.silent_proxy import Relay
from tests.support.waiting import eventually

MANY = 40
# What a server has where nothing else is said.
DEFAULTS = {f"DATABASE_{name}_TIMEOUT": "" for name in ("CONNECT", "STATEMENT", "POOL")}
OTHERWISE = DEFAULTS | {"RELEASE_FILTER": "WorkflowType = 'ScriptedRelease'"}
AWAY = "Accounts-Away"
READ_ONLY = 'id="away" role="status">Accounts database unavailable: read-only'


@pytest.fixture(scope="module")
def own_postgres() -> Iterator[Postgres]:
    """A server that no other test asks."""
    if binaries() is None:
        pytest.skip("PostgreSQL is not installed: run `make postgres`")
    with running() as postgres:
        yield postgres


@pytest.fixture(scope="module")
def relay(own_postgres: Postgres) -> Iterator[Relay]:
    with Relay(own_postgres.port) as relay:
        yield relay


@pytest.fixture(scope="module")
def dashboard(
    own_postgres: Postgres, relay: Relay, tmp_path_factory: pytest.TempPathFactory, temporal_address: str
) -> Iterator[Served]:
    """A server with the time-outs that are its defaults."""
    accounts = Accounts(own_postgres.url(MADE), CHEAP)
    accounts.add(EMAIL, PASSWORD)
    accounts.close()
    environment = {"DATABASE_URL": own_postgres.url(MADE, relay.port), "SECRET_KEY": "k" * 32} | OTHERWISE
    with serving(tmp_path_factory.mktemp("away"), temporal_address, **environment) as served:
        yield served


def log_in(served: Served) -> int:
    given = json.dumps({"username": EMAIL, "password": PASSWORD})
    return served.ask("POST", "/api/auth/login", given, **{"Content-Type": "application/json"})[0]


@contextmanager
def frozen(postgres: Postgres, _relay: Relay) -> Iterator[None]:
    postgres.freeze()
    try:
        yield
    finally:
        postgres.resume()


@contextmanager
def silent(_postgres: Postgres, relay: Relay) -> Iterator[None]:
    relay.hush()
    try:
        yield
    finally:
        relay.speak()


@contextmanager
def killed(postgres: Postgres, _relay: Relay) -> Iterator[None]:
    postgres.kill()
    try:
        yield
    finally:
        postgres.start()


@contextmanager
def locked(postgres: Postgres, _relay: Relay) -> Iterator[None]:
    with postgres.locking("users", "sessions"):
        yield


@pytest.mark.parametrize("away", [frozen, silent, killed, locked])
def test_each_of_many_is_answered_before_the_database_is_back_and_all_is_well_after(
    own_postgres: Postgres, relay: Relay, dashboard: Served, away: Callable[..., AbstractContextManager[None]]
):
    cookie = dashboard.login()

    def status(path: str) -> int:
        return dashboard.ask("GET", path, Cookie=cookie)[0]

    with ThreadPoolExecutor(MANY) as pool:
        assert set(pool.map(status, ["/api/auth/me"] * MANY)) == {200}
        # None of the pages is remembered for who comes with another session.
        cookie = dashboard.login()
        with away(own_postgres, relay):
            assert set(pool.map(status, ["/api/auth/me", "/settings"] * (MANY // 2))) == {503}
            assert status("/health") == 200
            assert log_in(dashboard) == 503
        eventually(lambda: log_in(dashboard) == 200, 60)
        # A server that was killed may have lost what it was told last.
        cookie = dashboard.login()
        assert set(pool.map(status, ["/api/auth/me"] * MANY)) == {200}


def answer(served: Served, path: str, method: str = "GET", **headers: str) -> tuple[int, str | None, str]:
    """The status, the mark, and the text."""
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=60)
    try:
        connection.request(method, path, headers=headers)
        got = connection.getresponse()
        return got.status, got.headers[AWAY], got.read().decode()
    finally:
        connection.close()


def listed(served: Served, cookie: str) -> set[str]:
    return {
        item["id"] for item in json.loads(served.ask("GET", "/api/releases?page_size=100", Cookie=cookie)[1])["items"]
    }


def looks(accounts: Accounts, release: str) -> list[str]:
    return [entry.subject or "" for entry in accounts.audit.read(AuditQuery(subject=release), 10)]


def test_who_was_let_in_lately_goes_on_reading_and_who_was_sent_away_stays_out(
    own_postgres: Postgres, relay: Relay, dashboard: Served, stage: Stage, open_accounts: Callable[..., Accounts]
):
    accounts = open_accounts(own_postgres.url(MADE))
    seen, unseen = (stage.start(name, ANSWERS) for name in ("seen", "unseen"))
    cookie, ended = dashboard.login(), dashboard.login()
    eventually(lambda: {seen, unseen} <= listed(dashboard, ended), 60)
    assert answer(dashboard, f"/releases/{seen}", Cookie=cookie)[:2] == (200, None)
    listener = Listener(dashboard, f"/releases/{seen}", Cookie=cookie)
    assert listener.event()
    assert answer(dashboard, "/logout", "POST", Cookie=ended)[0] == 303

    relay.hush()
    try:
        for path in ("/", f"/releases/{seen}", f"/releases/{unseen}", f"/api/releases/{seen}", "/releases"):
            status, mark, text = answer(dashboard, path, Cookie=cookie)
            assert (status, mark) == (302 if path == "/" else 200, "read-only"), path
            assert (READ_ONLY in text) == path.startswith("/releases"), path
        assert answer(dashboard, f"/stars?add={seen}", "POST", Cookie=cookie)[0] == 503
        assert answer(dashboard, "/settings", Cookie=cookie)[0] == 503
        assert answer(dashboard, f"/api/releases/{seen}", Cookie=ended)[0] == 503
        assert answer(dashboard, "/logout", "POST", Cookie=cookie)[0] == log_in(dashboard) == 503
        tree = hierarchy(state="another")
        stage.tell(seen, {"get_hierarchy": tree, "get_release_state": tree})
        told = listener.event()
        assert told
        assert told[0] in {"rows", "changed"}
    finally:
        relay.speak()
        listener.close()

    eventually(lambda: answer(dashboard, f"/releases/{seen}", Cookie=cookie)[1] is None, 60)
    assert READ_ONLY not in answer(dashboard, f"/releases/{seen}", Cookie=cookie)[2]
    eventually(lambda: looks(accounts, unseen) == [unseen], 60)
    assert answer(dashboard, f"/api/releases/{seen}", Cookie=ended)[0] == 401
    assert log_in(dashboard) == 200


def test_connections_that_have_gone_silent_are_replaced(relay: Relay, dashboard: Served):
    cookie = dashboard.login()
    with ThreadPoolExecutor(MANY) as pool:
        assert set(pool.map(lambda _: answer(dashboard, "/settings", Cookie=cookie)[0], range(MANY))) == {200}
        relay.swallow()
        eventually(lambda: answer(dashboard, "/settings", Cookie=cookie)[0] == 200, 60)
        assert set(pool.map(lambda _: answer(dashboard, "/settings", Cookie=cookie)[0], range(MANY))) == {200}


def test_where_another_process_has_locked_sqlite_pages_go_on_and_changes_are_refused(
    tmp_path: Path, temporal_address: str, stage: Stage
):
    accounts = account(tmp_path)
    release = stage.start("locked", ANSWERS)
    with serving(tmp_path, temporal_address, **OTHERWISE) as served, ThreadPoolExecutor(MANY) as pool:
        cookie = served.login()
        eventually(lambda: release in listed(served, cookie), 60)
        other = sqlite3.connect(tmp_path / "data" / "accounts.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        try:
            asked = [f"/releases/{release}", "/api/auth/me"] * (MANY // 2)
            assert {status for status, *_ in pool.map(lambda path: answer(served, path, Cookie=cookie), asked)} == {200}
            assert set(pool.map(lambda _: log_in(served), range(MANY))) == {503}
            eventually(lambda: answer(served, f"/releases/{release}", Cookie=cookie)[1] == "read-only", 60)
        finally:
            other.execute("ROLLBACK")
            other.close()
        eventually(lambda: log_in(served) == 200, 60)
        eventually(lambda: looks(accounts, release) == [release], 60)
    accounts.close()


@ON_EVERY_DATABASE
def test_an_entry_postponed_after_the_database_is_back_is_written_then_and_not_after_the_next_outage(
    accounts: Accounts,
):
    assert accounts.is_writable
    assert accounts.audit.postpone(AuditEvent.from_command_line(AuditEventType.release_viewed, "late"))
    eventually(lambda: accounts.audit.read(AuditQuery(subject="late"), 2), 60)


@ON_EVERY_DATABASE
@pytest.mark.parametrize(
    "end", [Accounts.disable, Accounts.end_all, partial(Accounts.set_password, password=PASSWORD[::-1])]
)
def test_what_another_process_has_ended_lets_in_nobody_while_the_database_is_away(
    settings: Settings,
    accounts: Accounts,
    open_accounts: Callable[..., Accounts],
    app: Flask,
    logged_in: FlaskClient,
    bearer: dict[str, str],
    user: User,
    end: Callable[[Accounts, str], object],
):
    token, screen = (
        logged_in.post("/api/tokens", json={"name": "x"}).get_json()["token"],
        accounts.kiosk_links.add(user, "x"),
    )
    stranger = app.test_client()
    stranger.set_cookie("release_dashboard_kiosk", screen)
    assert stranger.get("/kiosk").status_code == 503, "Temporal is not there"
    cookie = logged_in.get_cookie("release_dashboard")
    assert cookie
    jwt = bearer["Authorization"].removeprefix("Bearer ")
    for sent in (jwt, token):
        assert stranger.get("/api/auth/me", headers={"Authorization": f"Bearer {sent}"}).status_code == 200
    ways = [
        (AuthMethod.session, cookie.value),
        (AuthMethod.user, jwt),
        (AuthMethod.api_token, token),
        (AuthMethod.screen, screen),
    ]

    def recalled() -> list[bool]:
        return [accounts.admissions.recall(way, hash_secret(secret)) is not None for way, secret in ways]

    accounts.admissions.verify()
    assert recalled() == [True] * 4
    end(open_accounts(settings.accounts_url), user.email)
    accounts.admissions.verify()
    assert recalled() == [False] * 4


@ON_EVERY_DATABASE
def test_commands_and_changes_of_the_tables_wait_longer_than_a_server(settings: Settings, accounts: Accounts):
    assert (
        DatabaseTimeouts() == DatabaseTimeouts.of(settings),
        COMMAND_TIMEOUTS.statement > DatabaseTimeouts().statement,
    ) == (True, True)
    quick = Accounts(settings.accounts_url, CHEAP, DatabaseTimeouts(statement=0.2, pool=0.2, connect=0.2))
    patient = Accounts(settings.accounts_url, CHEAP, COMMAND_TIMEOUTS)
    with ThreadPoolExecutor(1) as pool:
        with accounts.alone(REVISIONS_LOCK):
            with pytest.raises(AccountsAway), quick.alone(REVISIONS_LOCK):
                pass
            waiting: list[Future[object]] = [pool.submit(quick.upgrade), pool.submit(patient.ensure, EMAIL, PASSWORD)]
            eventually(lambda: waiting[0].running(), 60)
        assert [done.result(60) is not None for done in waiting] == [True, True]
    for one in (quick, patient):
        one.close()
