"""Who has looked at which release: written down by every way there is, once for each look, also where answers are given
again or are waited for."""

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask, request_started
from flask.testing import FlaskClient

from dashboard.audit.log import AuditEventType, AuditQuery
from dashboard.audit.viewed_releases import ViewLog
from dashboard.auth.accounts import Accounts
from dashboard.server.asgi import AsgiDashboard
from dashboard.web.services import services
from tests.support.every_page import ANSWERS
from tests.support.harness import EMAIL, PASSWORD, Stage
from tests.support.replaced_services import replace_services
from tests.support.rollout_makers import hierarchy
from tests.support.served import Served, account
from tests.support.waiting import eventually, in_a_loop

BROKEN = ANSWERS | {"get_hierarchy": hierarchy(state="failed")}
# Each page and its twin: what its address says, {} being a release, and what is written down of the way it was had.
TWINS_OF_ONE = {
    "/releases/<id:release_id>": ("/releases/{}", "/releases/{}?selected=app:a0-0", "/releases/{}?q=a0"),
    "/releases/<id:release_id>/hierarchy": ("/releases/{}/hierarchy",),
    "/releases/<id:release_id>/strip": ("/releases/{}/strip",),
    "/releases/<id:release_id>/timeline": ("/releases/{}/timeline",),
    "/releases/<id:release_id>/matrix": ("/releases/{}/matrix",),
    "/releases/<id:release_id>/entities/<id:entity_id>": ("/releases/{}/entities/app:a0-0", "/releases/{}/entities/{}"),
    "/releases/<id:release_id>/entities/<id:entity_id>/panel": ("/releases/{}/entities/app:a0-0/panel",),
    "/entities/<id:entity_id>": ("/entities/{}",),
    "/problems": ("/problems?release={}",),
    "/compare": ("/compare?left={}&right={}",),
    "/find": ("/find?q=a0&in={}",),
    "/kiosk": ("/kiosk?show={}", "/kiosk"),
    "/kiosk/releases/<id:release_id>": ("/kiosk/releases/{}",),
}
# What else shows one release, and in which way.
OTHERS_OF_ONE = {
    "/releases/<id:release_id>/strip/small": ("/releases/{}/strip/small", "page"),
    "/releases/<id:release_id>/matrix.csv": ("/releases/{}/matrix.csv", "page"),
    "/badges/releases/<id:release_id>.svg": ("/badges/releases/{}.svg", "page"),
    "/api/releases/<id:release_id>/wait": ("/api/releases/{}/wait?phase=running", "api"),
}
# What shows many beside each other, and what shows none.
OF_NONE = {"/", "/releases", "/api/releases", "/live/releases", "/badges", "/kiosk/open/<token>"}
OF_NONE |= {"/health", "/ready", "/static/<path:filename>", "/login"}
OF_NONE |= {"/settings", "/screens", "/tokens", "/profile", "/audit", "/users", "/users/<user_id>", "/docs", "/redoc"}
OF_NONE |= {"/api/settings", "/api/tokens", "/api/profile", "/api/sessions", "/api/auth/me", "/api/audit"}
OF_NONE |= {"/api/users", "/api/users/<user_id>", "/api/openapi.json"}


@pytest.fixture
def release(stage: Stage) -> str:
    return stage.start("seen", ANSWERS)


def looks(accounts: Accounts) -> list[tuple[str | None, str | None, Any]]:
    """Who has looked at which release in which way, the first first."""
    found = accounts.audit.read(AuditQuery(events=(AuditEventType.release_viewed,)), 1_000)
    return [(entry.actor, entry.subject, entry.details["way"]) for entry in reversed(found)]


def looked(
    stage: Stage, path: str, browser: FlaskClient | Callable[[], object] | None = None, **headers: str
) -> list[tuple[str, str]]:
    """The looks, by release and way, that this adds to those of a process that remembers none."""
    accounts, browser = services(stage.app).accounts, browser or stage.browser
    replace_services(stage.app, looks=ViewLog())
    before = len(looks(accounts))
    if isinstance(browser, FlaskClient):
        browser.get(path, headers=headers)
    else:
        browser()
    return [(str(subject), way) for _, subject, way in looks(accounts)[before:]]


def test_every_route_that_is_asked_for_says_whether_it_shows_one_release(stage: Stage):
    rules = {rule.rule for rule in stage.app.url_map.iter_rules() if "GET" in (rule.methods or ())}
    twins = {f"{prefix}{rule}" for rule in TWINS_OF_ONE for prefix in ("", "/api", "/live")}
    assert rules - OF_NONE == twins | OTHERS_OF_ONE.keys()


def test_a_look_is_written_down_whichever_way_it_is_had(stage: Stage, asgi: "Asgi"):
    release = stage.start("seen", BROKEN)
    stage.listed("seen")
    eventually(lambda: release in str(stage.json("/problems")))
    cookie = cookie_of(stage.app, stage.browser)
    for path in (path.replace("{}", release) for paths in TWINS_OF_ONE.values() for path in paths):
        assert looked(stage, path) == [(release, "page")], path
        assert looked(stage, f"/api{path}") == [(release, "api")], path
        # A stream without its page; the page's own belongs to the look at that.
        assert looked(stage, path, lambda path=path: asgi.hear(f"/live{path}", cookie)) == [(release, "page")], path
    for path, way in OTHERS_OF_ONE.values():
        assert looked(stage, path.replace("{}", release)) == [(release, way)], path
    table = f"/api/releases/{release}?format=csv"
    assert looked(stage, table) == [(release, "api")]
    other = stage.start("other", ANSWERS)
    compare = f"/compare?left={release}&right={other}"
    assert looked(stage, compare) == [(release, "page"), (other, "page")]
    token = stage.browser.post("/api/tokens", json={"name": "CI"}).get_json()["token"]
    bearer = {"Authorization": f"Bearer {token}"}
    nobody = stage.app.test_client()
    for path in (f"/api/releases/{release}", f"/badges/releases/{release}.svg"):
        assert looked(stage, path, nobody, **bearer) == [(release, "api")], path


def test_a_look_by_a_link_names_the_link(stage: Stage, release: str):
    stage.listed("seen")
    accounts = services(stage.app).accounts
    maker = accounts.known(EMAIL)
    screen, reader = stage.app.test_client(), stage.app.test_client()
    screen.set_cookie("release_dashboard_kiosk", accounts.kiosk_links.add(maker, "Kitchen"))
    (link,) = accounts.kiosk_links.of(maker)
    for path in ("/kiosk", f"/kiosk?show={release}", f"/kiosk/releases/{release}"):
        assert looked(stage, path, screen) == [(release, "kiosk")], path
        entry = accounts.audit.read(AuditQuery(), 1)[0]
        assert (entry.actor, entry.details) == (None, {"way": "kiosk", "link_id": link.id, "link": "Kitchen"})
    page = stage.ask(f"/badges?release={release}").text
    (key,) = set(re.findall(r"svg\?key=([\w.~-]+)", page))
    assert looked(stage, f"/badges/releases/{release}.svg?key={key}", reader) == [(release, "badge")]
    entry = accounts.audit.read(AuditQuery(), 1)[0]
    assert (entry.actor, entry.details) == (None, {"way": "badge", "link_of": EMAIL})


def test_what_is_no_look_at_a_release_is_not_written_down(stage: Stage, release: str):
    stage.listed("seen")
    for path in (
        *("/releases", "/problems", "/entities/app:a0-0", f"/find?q={release}", f"/compare?left={release}"),
        *(f"/releases/{release}?kiosk=1", "/problems?release=release:never", "/find?q=a0&in=release:never"),
        *("/releases/release:never", "/releases/odd", f"/releases/{release}/entities/app:never"),
        *("/releases/release:never/strip/small", "/kiosk?q=nowhere", "/entities/release:never"),
        *(f"/releases/{release}?depth=9", f"/compare?left={release}&right=release:never"),
    ):
        for address in (path, f"/api{path}"):
            assert looked(stage, address) == [], address
    assert looked(stage, f"/releases/{release}", stage.app.test_client()) == []


def test_an_open_page_asks_for_news_within_its_look(stage: Stage, release: str):
    accounts, path = services(stage.app).accounts, f"/releases/{release}"
    stage.ask(path)
    for _ in range(3):
        assert stage.browser.get(path, headers={"HX-Request": "true"}).status_code == 200
    assert looks(accounts) == [(EMAIL, release, "page")]
    # A script that calls itself an open page has none.
    assert looked(stage, path, **{"HX-Request": "true"}) == [(release, "page")]
    stage.ask(f"/api{path}")
    assert looked(stage, f"/api{path}", **{"HX-Request": "true"}) == [(release, "api")]


def test_nothing_is_shown_that_cannot_be_written_down(stage: Stage, release: str):
    accounts = services(stage.app).accounts
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
        mark = services(self.app).accounts.change_token
        self.dashboard = AsgiDashboard(self.app, services(self.app).live, mark, threads=2)

    def count(self, _app: Flask, **_more: object) -> None:
        self.reached += 1

    def hear(self, path: str, cookie: str) -> None:
        """Ask for a stream, and go away as soon as there is one."""

        async def hear() -> None:
            self.open()
            assert await self.ask(path, cookie, leaves=True) == 200, path

        in_a_loop(hear)

    async def ask(self, path: str, cookie: str, *, leaves: bool = False) -> int:
        sent: list[Any] = []
        begun, asked = asyncio.Event(), False

        async def receive() -> dict[str, Any]:
            nonlocal asked
            if leaves and asked:
                await begun.wait()
                return {"type": "http.disconnect"}
            asked = True
            return {"type": "http.request"}

        async def send(message: Any) -> None:
            sent.append(message)
            begun.set()

        path, _, query = path.partition("?")
        scope = {"type": "http", "http_version": "1.1", "method": "GET", "path": path, "raw_path": path.encode()}
        scope |= {"query_string": query.encode(), "headers": [(b"host", b"localhost"), (b"cookie", cookie.encode())]}
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
    accounts, path = services(stage.app).accounts, f"/api/releases/{release}"
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
