"""Who has looked at which release: written down by every way there is, once for each look, also where answers are given
again or are waited for."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask, request_started
from flask.testing import FlaskClient

from dashboard.accounts.audit import Event, Wanted
from dashboard.accounts.store import Accounts
from dashboard.asgi import AsgiDashboard
from dashboard.web import viewed
from tests.every_page import ANSWERS
from tests.served import Served, account
from tests.stage import EMAIL, PASSWORD, Stage
from tests.waiting import in_a_loop

OF_A_RELEASE = (
    "/releases/{}",
    "/releases/{}?selected=app:a0-0",
    "/releases/{}/hierarchy",
    "/releases/{}/strip",
    "/releases/{}/timeline",
    "/releases/{}/matrix",
    "/releases/{}/entities/app:a0-0",
    "/releases/{}/entities/app:a0-0/panel",
    "/kiosk/releases/{}",
)


@pytest.fixture
def release(stage: Stage) -> str:
    return stage.start("seen", ANSWERS)


def looks(accounts: Accounts) -> list[tuple[str | None, str | None, Any]]:
    """Who has looked at which release in which way, the first first."""
    found = accounts.audit.read(Wanted(events=(Event.release_viewed,)), 1_000)
    return [(entry.actor, entry.subject, entry.details["way"]) for entry in reversed(found)]


def looked(stage: Stage, path: str, browser: FlaskClient | None = None, **headers: str) -> list[tuple[str, str]]:
    """The looks, by release and way, that this adds to those of a process that remembers none."""
    accounts, browser = stage.app.extensions["accounts"], browser or stage.browser
    viewed.init_app(stage.app)
    before = len(looks(accounts))
    browser.get(path, headers=headers)
    return [(str(subject), way) for _, subject, way in looks(accounts)[before:]]


def test_a_look_is_written_down_whichever_way_it_is_had(stage: Stage, release: str):
    for path in OF_A_RELEASE:
        assert looked(stage, path.format(release)) == [(release, "page")], path
        assert looked(stage, "/api" + path.format(release)) == [(release, "api")], path
    other = stage.start("other", ANSWERS)
    compare = f"/compare?left={release}&right={other}"
    assert looked(stage, compare) == [(release, "page"), (other, "page")]
    assert looked(stage, f"/api{compare}") == [(release, "api"), (other, "api")]
    assert looked(stage, f"/compare?left={release}&right={release}") == [(release, "page")]
    for table in (f"/api/releases/{release}?format=csv", f"/api/releases/{release}/wait?phase=running"):
        assert looked(stage, table) == [(release, "api")], table
    for other_way in (f"/releases/{release}/matrix.csv", f"/badges/releases/{release}.svg"):
        assert looked(stage, other_way) == [(release, "page")], other_way
    token = stage.browser.post("/api/tokens", json={"name": "CI"}).get_json()["token"]
    bearer = {"Authorization": f"Bearer {token}"}
    nobody = stage.app.test_client()
    for path in (f"/api/releases/{release}", f"/badges/releases/{release}.svg"):
        assert looked(stage, path, nobody, **bearer) == [(release, "api")], path


def test_what_is_no_look_at_a_release_is_not_written_down(stage: Stage, release: str):
    stage.listed("seen")
    link = stage.app.extensions["accounts"].kiosk_links.add(stage.app.extensions["accounts"].known(EMAIL), "Kitchen")
    screen = stage.app.test_client()
    screen.set_cookie("release_dashboard_kiosk", link)
    for path in (
        *("/releases", "/problems", "/kiosk", "/entities/app:a0-0", f"/find?q={release}", f"/compare?left={release}"),
        *(f"/releases/{release}/strip/small", f"/releases/{release}?kiosk=1"),
        *("/releases/release:never", "/releases/odd", f"/releases/{release}/entities/app:never"),
        *(f"/releases/{release}?depth=9", f"/compare?left={release}&right=release:never"),
    ):
        for address in (path, f"/api{path}"):
            assert looked(stage, address) == [], address
    assert looked(stage, f"/releases/{release}", stage.app.test_client()) == []
    assert screen.get(f"/kiosk/releases/{release}").status_code == 200
    assert looked(stage, f"/kiosk/releases/{release}", screen) == []


def test_an_open_page_asks_for_news_within_its_look(stage: Stage, release: str):
    accounts, path = stage.app.extensions["accounts"], f"/releases/{release}"
    stage.ask(path)
    for _ in range(3):
        assert stage.browser.get(path, headers={"HX-Request": "true"}).status_code == 200
    assert looks(accounts) == [(EMAIL, release, "page")]
    # A script that calls itself an open page has none.
    assert looked(stage, path, **{"HX-Request": "true"}) == [(release, "page")]
    stage.ask(f"/api{path}")
    assert looked(stage, f"/api{path}", **{"HX-Request": "true"}) == [(release, "api")]


def test_nothing_is_shown_that_cannot_be_written_down(stage: Stage, release: str):
    accounts = stage.app.extensions["accounts"]
    with accounts.session() as session:
        session.connection().exec_driver_sql("ALTER TABLE audit RENAME TO audit_elsewhere")
    for path in (f"/releases/{release}", f"/badges/releases/{release}.svg"):
        answer = stage.ask(path)
        assert answer.status_code == 503
        assert "data-entity-id" not in answer.text
        assert "<svg xmlns" not in answer.text
    assert stage.json(f"/releases/{release}", 503)["error"]["code"] == "accounts_unavailable"
    with accounts.session() as session:
        session.connection().exec_driver_sql("ALTER TABLE audit_elsewhere RENAME TO audit")
    assert stage.ask(f"/releases/{release}").status_code == 200
    assert looks(accounts) == [(EMAIL, release, "page")]


class Asgi:
    """The app as the shipped server runs it, in this process, so that what reaches Flask can be counted.

    To be opened in a loop.
    """

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.reached = 0

    def open(self) -> None:
        mark = self.app.extensions["accounts"].mark
        self.dashboard = AsgiDashboard(self.app, self.app.extensions["releases"], mark, threads=2)

    def count(self, _app: Flask, **_more: object) -> None:
        self.reached += 1

    async def ask(self, path: str, cookie: str) -> int:
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request"}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"type": "http", "http_version": "1.1", "method": "GET", "path": path, "raw_path": path.encode()}
        scope |= {"query_string": b"", "headers": [(b"host", b"localhost"), (b"cookie", cookie.encode())]}
        await self.dashboard(scope, receive, send)
        return int(sent[0]["status"])


@pytest.fixture
def asgi(stage: Stage) -> Iterator[Asgi]:
    asgi = Asgi(stage.app)
    with request_started.connected_to(asgi.count, stage.app):
        yield asgi


def cookie_of(app: Flask, browser: FlaskClient) -> str:
    kept = browser.get_cookie(app.config["SESSION_COOKIE_NAME"])
    assert kept is not None
    return f"{kept.key}={kept.value}"


def test_an_answer_that_is_given_again_belongs_to_a_look_that_is_written_down(stage: Stage, release: str, asgi: Asgi):
    accounts, path = stage.app.extensions["accounts"], f"/api/releases/{release}"
    bob = accounts.add("bob@example.com", PASSWORD)
    other = stage.app.test_client()
    other.post("/login", data={"username": bob.email, "password": PASSWORD})
    cookies = [cookie_of(stage.app, browser) for browser in (stage.browser, other)]
    asgi.reached = 0

    async def ask_often() -> None:
        asgi.open()
        for cookie in cookies:
            assert {await asgi.ask(path, cookie) for _ in range(40)} == {200}

    in_a_loop(ask_often)
    assert asgi.reached < 40, "most were given again"
    assert looks(accounts) == [(EMAIL, release, "api"), (bob.email, release, "api")]


def test_at_a_server_a_look_is_one_however_often_it_is_asked_for_or_waited(served: Served, release: str):
    bearer = {"Authorization": f"Bearer {served.token()}"}
    cookie = served.login()
    status, text, _ = served.ask("GET", f"/api/releases/{release}/wait?phase=failed&timeout=2", **bearer)
    assert (status, json.loads(text)["reached"]) == (200, False)
    for _ in range(10):
        assert served.ask("GET", f"/releases/{release}", Cookie=cookie)[0] == 200
        assert served.ask("GET", f"/api/releases/{release}/hierarchy", **bearer)[0] == 200
    accounts = account(served.folder)

    seen = [look for look in looks(accounts) if look[1] == release]
    assert seen == [(EMAIL, release, "api"), (EMAIL, release, "page")]
    lines = [
        json.loads(line) for line in served.log.read_text().splitlines() if "release_viewed" in line and release in line
    ]
    assert [(line["subject"], line["way"]) for line in lines] == [(release, "api"), (release, "page")]
    accounts.close()
