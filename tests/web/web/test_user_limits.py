"""What one user may have: whoever has all of it is refused by every way in, and a second user notices nothing."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from dashboard.app import create_app
from dashboard.audit.log import AuditEventType, AuditQuery
from dashboard.audit.rate_limits import EVENTS_BY_RATE_LIMIT, EVENTS_LIMITED_ELSEWHERE
from dashboard.auth.accounts import Accounts
from dashboard.auth.api_tokens import TokenScope
from dashboard.concurrency.loop_thread import LoopThread
from dashboard.database.models import AuditRow, Role, SessionRow, User
from dashboard.push.hub import MAX_CHANNELS_PER_USER
from dashboard.server.asgi import AsgiDashboard
from dashboard.settings.model import Settings
from dashboard.web.services import services
from dashboard.web.user_limits import UserLimit
from tests.support.fake_source import FakeSource
from tests.support.postgres import ON_EVERY_DATABASE_IN_FULL
from tests.support.waiting import in_a_loop
from tests.web.conftest import PASSWORD
from tests.web.push.test_long_poll import Counted

# Of each thing, but for long tables, of which one user has one.
MOST = 3


class Request:
    """A request to the ASGI app, whose answer is taken until it ends or `leave` is called."""

    def __init__(
        self, dashboard: AsgiDashboard, address: str, headers: dict[str, str], *, takes_its_time: bool = False
    ) -> None:
        self._takes_its_time = takes_its_time
        self.status, self.headers, self.body = 0, {b"": b""}, b""
        self._begun, self._leaves, self._came = asyncio.Event(), asyncio.Event(), False
        path, _, query = address.partition("?")
        scope = {"type": "http", "http_version": "1.1", "method": "GET", "path": path, "raw_path": path.encode()}
        scope["query_string"] = query.encode()
        named = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        scope["headers"] = [(b"host", b"localhost"), *named]
        self._task = asyncio.create_task(dashboard(scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        if self._came:
            await self._leaves.wait()
            return {"type": "http.disconnect"}
        self._came = True
        return {"type": "http.request"}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], dict(message["headers"])
        else:
            self.body += message.get("body", b"")
            self._begun.set()
            if self._takes_its_time:
                await self._leaves.wait()

    async def begun(self) -> int:
        """The status, when some of the answer has come."""
        async with asyncio.timeout(60):
            await self._begun.wait()
        return self.status

    async def leave(self) -> None:
        """Go away."""
        self._leaves.set()
        async with asyncio.timeout(60):
            await self._task


@dataclass
class Person:
    """A user, with every way in that there is."""

    user: User
    browsers: tuple[FlaskClient, FlaskClient]
    cookies: tuple[dict[str, str], dict[str, str]]
    tokens: tuple[dict[str, str], ...]


class Place:
    """A dashboard, where one user takes all that they may, and another is beside them."""

    def __init__(self, app: Flask, accounts: Accounts, live: Counted) -> None:
        self.app = app
        self.live = live
        self.accounts = accounts
        self.one, self.other = (self.person(f"{name}@example.com") for name in ("one", "other"))
        link = app.test_client()
        link.set_cookie("release_dashboard_kiosk", accounts.kiosk_links.add(self.one.user, "Kitchen"))
        self.link = link

    def person(self, email: str) -> Person:
        user = self.accounts.add(email, PASSWORD, role=Role.admin)
        browsers = (self.log_in(user), self.log_in(user))
        name = self.app.config["SESSION_COOKIE_NAME"]
        cookies = tuple({"Cookie": f"{name}={secret_of(browser)}"} for browser in browsers)
        access, _ = services(self.app).tokens.issue(user, by_password=True)
        _, personal = services(self.app).api_tokens.add(user, "CI", TokenScope.write, 1)
        tokens = tuple({"Authorization": f"Bearer {token}"} for token in (access, personal))
        return Person(user, browsers, (cookies[0], cookies[1]), tokens)

    def log_in(self, user: User) -> FlaskClient:
        browser = self.app.test_client()
        assert browser.post("/login", data={"username": user.email, "password": PASSWORD}).status_code == 303
        return browser

    def served(self, serve: Callable[[AsgiDashboard], Awaitable[None]]) -> None:
        """Do something with the dashboard as the shipped server has it."""

        async def go() -> None:
            mark = services(self.app).accounts.change_token
            await serve(AsgiDashboard(self.app, services(self.app).live, mark, threads=4, max_waits_each=MOST))

        in_a_loop(go)


def secret_of(browser: FlaskClient) -> str:
    kept = browser.get_cookie("release_dashboard")
    assert kept is not None
    return str(kept.value)


@pytest.fixture
def place(settings: Settings, accounts: Accounts) -> Iterator[Place]:
    few = {"streams_per_user": MOST, "sessions_per_user": MOST, "changes_per_minute": MOST, "exports_per_minute": MOST}
    given: Any = FakeSource()
    live = Counted(given, LoopThread(), timeout=30, max_age=0.1)
    app = create_app(settings.model_copy(update=few), accounts=accounts, releases=live)
    yield Place(app, accounts, live)
    live.close()


def check_refused(share: UserLimit, status: int, retry_after: object, body: str, says: str) -> None:
    """That it was refused for this, with a time to come again, and that the body says what to do."""
    assert status == 429, body
    assert int(str(retry_after)) > 0
    if body.startswith("{"):
        assert json.loads(body)["error"]["code"] == f"too_many_{share}"
    assert says in body, "what to do"


def streams(place: Place) -> None:
    """Held by several sessions at several addresses; the link of a wall screen has none."""

    async def go(dashboard: AsgiDashboard) -> None:
        def ask(person: Person, session: int, query: str = "", **more: str) -> Request:
            return Request(dashboard, f"/live/releases/release:r{query}", {**person.cookies[session], **more})

        held = [ask(place.one, number % 2, f"?x={number}") for number in range(MOST)]
        assert [await each.begun() for each in held] == [200] * MOST
        for session, more in ((0, {}), (1, {}), (0, {"HX-Request": "true"})):
            refused = ask(place.one, session, **more)
            await refused.begun()
            retry_after = refused.headers[b"retry-after"].decode()
            check_refused(UserLimit.STREAMS, refused.status, retry_after, refused.body.decode(), "Close other pages")
            await refused.leave()
        theirs = ask(place.other, 0)
        assert await theirs.begun() == 200
        await held.pop().leave()
        held += [ask(place.one, 0), theirs]
        assert [await each.begun() for each in held] == [200] * len(held)
        for each in held:
            await each.leave()

    place.served(go)
    assert place.link.get("/live/kiosk").status_code == 401


def waits(place: Place) -> None:
    async def go(dashboard: AsgiDashboard) -> None:
        def ask(headers: dict[str, str], timeout: int, number: int = 0) -> Request:
            return Request(dashboard, f"/api/releases/release:{number}/wait?phase=failed&timeout={timeout}", headers)

        ways = (*place.one.tokens, place.one.cookies[0])
        held = [ask(headers, 300, number) for number, headers in enumerate(ways)]
        async with asyncio.timeout(60):
            while place.live.open < MOST:  # noqa: ASYNC110 - what is waited for comes from other threads
                await asyncio.sleep(0.01)
        for headers in ways:
            refused = ask(headers, 300)
            await refused.begun()
            retry_after = refused.headers[b"retry-after"].decode()
            check_refused(UserLimit.WAITS, refused.status, retry_after, refused.body.decode(), "without waiting")
        assert await ask(place.other.tokens[0], 1).begun() == 200
        for each in held:
            await each.leave()
        assert await ask(place.one.tokens[1], 1).begun() == 200

    place.served(go)


def tables(place: Place) -> None:
    """One that is not taken to its end keeps its turn; single pages and others' tables come."""

    async def go(dashboard: AsgiDashboard) -> None:
        def ask(
            headers: dict[str, str], path: str = "/api/releases?format=ndjson&q=r", *, slow: bool = False
        ) -> Request:
            return Request(dashboard, path, headers, takes_its_time=slow)

        first = ask(place.one.cookies[0], slow=True)
        assert await first.begun() == 200
        for headers in (place.one.cookies[1], *place.one.tokens):
            for path in ("/api/releases?format=csv", "/api/audit?format=csv"):
                refused = ask(headers, path)
                await refused.begun()
                retry_after = refused.headers[b"retry-after"].decode()
                check_refused(UserLimit.TABLES, refused.status, retry_after, refused.body.decode(), "single pages")
            assert await ask(headers, "/api/releases").begun() == 200
        theirs = ask(place.other.tokens[0])
        assert await theirs.begun() == 200
        await first.leave()
        assert await ask(place.one.tokens[0]).begun() == 200

    place.served(go)
    assert place.link.get("/api/releases?format=csv").status_code == 401


def exports(place: Place) -> None:
    path = "/releases/release:r/matrix.csv"
    ways = [(place.one.browsers[0], "", {}), (place.one.browsers[1], "", {})]
    ways += [(place.app.test_client(), "/api/releases/release:r?format=csv", way) for way in place.one.tokens]
    for browser, other, headers in ways[:MOST]:
        assert browser.get(other or path, headers=headers).status_code == 200
    for browser, other, headers in ways:
        answer = browser.get(other or path, headers=headers)
        check_refused(UserLimit.EXPORTS, answer.status_code, answer.headers["Retry-After"], answer.text, "Try again in")
    assert place.other.browsers[0].get(path).status_code == 200
    assert place.one.browsers[0].get("/releases/release:r/matrix").status_code == 200
    a_minute_later(place)
    assert place.one.browsers[0].get(path).status_code == 200


def changes(place: Place) -> None:
    """Nothing of what is refused is done; whoever logs in or out is never refused."""
    one, nobody = place.one, place.app.test_client()
    assert one.browsers[0].post("/screens", data={"name": "Hall"}).status_code == 201
    assert one.browsers[1].post("/profile/name", data={"name": "One"}).status_code == 303
    made = nobody.patch(
        f"/api/users/{place.other.user.id}", json={"name": "Other", "role": "admin"}, headers=one.tokens[0]
    )
    assert made.status_code == 200, made.text
    before = (place.accounts.kiosk_links.of(one.user), place.accounts.all())
    refused = [
        one.browsers[0].post("/screens", data={"name": "Stairs"}),
        one.browsers[1].post("/profile/name", data={"name": "Two"}, headers={"HX-Request": "true"}),
        one.browsers[1].post("/tokens", data={"name": "More", "scope": "read", "days": "7"}),
        nobody.post("/api/tokens", json={"name": "More"}, headers=one.tokens[0]),
        nobody.patch("/api/profile", json={"name": "Three"}, headers=one.tokens[1]),
        nobody.post("/api/users", json={"email": "new@example.com"}, headers=one.tokens[0]),
        nobody.delete("/api/sessions", headers=one.tokens[0]),
    ]
    for answer in refused:
        check_refused(UserLimit.CHANGES, answer.status_code, answer.headers["Retry-After"], answer.text, "Try again in")
    assert (place.accounts.kiosk_links.of(one.user), place.accounts.all()) == before
    assert place.link.post("/screens", data={"name": "Hall"}).status_code == 302
    assert place.other.browsers[0].post("/screens", data={"name": "Hall"}).status_code == 201
    third = place.log_in(one.user)
    assert third.post("/logout").status_code == 303
    a_minute_later(place)
    assert one.browsers[0].post("/screens", data={"name": "Stairs"}).status_code == 201


def sessions(place: Place) -> None:
    """The newest live, whichever way their user logs in, and nobody else's end."""
    browsers = [*place.one.browsers, *(place.log_in(place.one.user) for _ in range(MOST))]

    def are_in() -> list[bool]:
        return [browser.get("/api/auth/me").status_code == 200 for browser in browsers]

    assert are_in() == [False] * 2 + [True] * MOST
    with place.accounts.session() as session:
        assert len(session.scalars(select(SessionRow).where(SessionRow.user_id == place.one.user.id)).all()) == MOST
    assert all(browser.get("/api/auth/me").status_code == 200 for browser in place.other.browsers)
    changed = browsers[-1].post(
        "/profile/password", data=dict.fromkeys(("new", "again"), "horse battery correct") | {"current": PASSWORD}
    )
    assert changed.status_code == 200
    assert are_in() == [False] * 4 + [True]


def a_minute_later(place: Place) -> None:
    """Let all that was written down be older than it is."""
    written = place.accounts.audit.read(AuditQuery(), 100)
    with place.accounts.session() as session:
        connection = session.connection()
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        else:
            connection.exec_driver_sql("DROP TRIGGER audit_keeps_on_update")
        for entry in written:
            older = entry.at.replace(year=entry.at.year - 1)
            session.execute(update(AuditRow).where(AuditRow.id == entry.id).values(at=older))


DRIVEN: dict[UserLimit, Callable[[Place], None]] = {
    UserLimit.STREAMS: streams,
    UserLimit.WAITS: waits,
    UserLimit.TABLES: tables,
    UserLimit.EXPORTS: exports,
    UserLimit.CHANGES: changes,
    UserLimit.SESSIONS: sessions,
}


@ON_EVERY_DATABASE_IN_FULL
@pytest.mark.parametrize("share", UserLimit)
def test_one_user_who_has_all_of_a_share_is_refused_and_another_notices_nothing(place: Place, share: UserLimit):
    DRIVEN[share](place)


def test_every_event_counts_for_a_share_or_is_bounded_elsewhere():
    classes = (*EVENTS_BY_RATE_LIMIT.values(), EVENTS_LIMITED_ELSEWHERE)
    assert sorted(event for events in classes for event in events) == sorted(AuditEventType)


def test_too_much_is_refused_in_one_place():
    package = Path(__file__).parents[3] / "dashboard"
    # The bounds of logins are of addresses, too, and told on their own pages.
    refusing = {
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        if re.search(r"ApiError\(\s*429|, 429\)", path.read_text())
    }
    logins = {"auth/login_views.py", "auth/oidc/views.py", "users/profile/forms.py", "users/profile/api.py"}
    assert refusing - logins == {"web/user_limits.py"}


def test_as_many_are_given_as_is_said():
    given = Settings()
    assert (given.streams_per_user, given.sessions_per_user, given.changes_per_minute) == (50, 50, 30)
    assert given.streams_per_user > MAX_CHANNELS_PER_USER
