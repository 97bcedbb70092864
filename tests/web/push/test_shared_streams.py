"""What many are sent is made as nobody: of a shared stream, and of a shared page, nobody gets anything of another."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask import Flask, before_render_template, request
from flask.testing import FlaskClient
from flask_login import current_user

from dashboard.app import create_app
from dashboard.auth.accounts import Accounts
from dashboard.concurrency.loop_thread import LoopThread
from dashboard.database.models import Role
from dashboard.live.service import LiveReleases
from dashboard.server.asgi import AsgiDashboard
from dashboard.settings.model import Settings
from dashboard.views.routes import twins
from dashboard.web.services import services
from tests.support.fake_source import FakeSource
from tests.support.waiting import eventually, in_a_loop
from tests.web.conftest import PASSWORD
from tests.web.server.test_asgi import cookie

# What the first of two viewers brings that the other must not see.
MARK = "zelda"
OF_THE_FIRST = {
    "host": f"{MARK}.example",
    "user-agent": f"{MARK} on Linux",
    "accept-language": MARK,
    "x-forwarded-for": "203.0.113.77",
    "hx-current-url": f"http://{MARK}.example/",
    "referer": f"http://{MARK}.example/",
    "authorization": f"Basic {MARK}",
}
# What is drawn for one viewer, and put into what all are sent.
OF_ONE = {"shared/_header.html", "users/preferences/_views_bar.html", "users/preferences/_star.html"}


@pytest.fixture
def source() -> FakeSource:
    return FakeSource()


@pytest.fixture
def app(settings: Settings, accounts: Accounts, source: FakeSource) -> Iterator[Flask]:
    given: Any = source
    live = LiveReleases(given, LoopThread(), timeout=2.0, max_age=0.1)
    app = create_app(settings, accounts=accounts, releases=live)
    app.testing = True
    yield app
    live.close()


def somebody(app: Flask, name: str, role: Role) -> FlaskClient:
    """A browser in which a new user has logged in."""
    services(app).accounts.ensure(f"{name}@example.com", PASSWORD, name=name, role=role)
    browser = app.test_client()
    assert browser.post("/login", data={"username": f"{name}@example.com", "password": PASSWORD}).status_code == 303
    return browser


@pytest.fixture
def first(app: Flask) -> FlaskClient:
    """An admin with a star, a time zone and dark colours."""
    browser = somebody(app, MARK, Role.admin)
    assert browser.post("/stars", data={"add": ["release:r", f"release:{MARK} and a blank"]}).status_code == 303
    assert browser.put("/api/settings", json={"zone": "Pacific/Chatham", "hours": 12}).status_code == 200
    return browser


@contextmanager
def templates(app: Flask) -> Iterator[list[tuple[str, str]]]:
    """Each template that is rendered meanwhile, and who it is rendered for."""
    seen: list[tuple[str, str]] = []

    def note(_app: Flask, template: Any, **_values: Any) -> None:
        who = getattr(current_user, "email", "") or ", ".join([*request.cookies, *request.headers.keys()])
        seen.append((template.name, who.replace("Host", "") or "nobody"))

    with before_render_template.connected_to(note, app):
        yield seen


class Open:
    """An open stream: what was heard, and the way to leave."""

    def __init__(self, dashboard: AsgiDashboard, path: str, headers: list[tuple[bytes, bytes]]) -> None:
        self.heard = b""
        self._gone = asyncio.Event()
        path, _, query = path.partition("?")
        scope = {"type": "http", "http_version": "1.1", "method": "GET", "path": path, "raw_path": path.encode()}
        scope |= {"query_string": query.encode(), "headers": headers, "client": ("203.0.113.77", 1)}
        self._task = asyncio.create_task(dashboard(scope, self._receive, self._send))
        self._asked = False

    async def _receive(self) -> dict[str, Any]:
        if self._asked:
            await self._gone.wait()
            return {"type": "http.disconnect"}
        self._asked = True
        return {"type": "http.request"}

    async def _send(self, message: Any) -> None:
        assert message.get("status", 200) == 200
        self.heard += message.get("body", b"")

    async def leave(self) -> None:
        self._gone.set()
        await self._task


async def until(condition: Callable[[], object]) -> None:
    await asyncio.to_thread(eventually, condition, 60)


def stars(browser: FlaskClient, path: str) -> list[str]:
    """The releases that a page's script takes for starred."""
    form = BeautifulSoup(browser.get(path).text, "html.parser").select_one("#stars")
    assert form is not None
    return sorted(json.loads(str(form["data-ids"])))


def leaves(value: object) -> Iterator[object]:
    """All that a value is made of."""
    if isinstance(value, tuple | frozenset):
        for item in value:
            yield from leaves(item)
    elif is_dataclass(value):
        for field in fields(value):
            yield from leaves(getattr(value, field.name))
    else:
        yield value


@pytest.mark.parametrize(
    ("path", "end"),
    [
        ("/live/releases/release:r", "logout"),
        ("/live/releases/release:r/entities/wave:w1", "disabled"),
        ("/live/releases", "logout"),
    ],
)
def test_nothing_of_the_first_viewer_of_a_stream_is_sent_to_another(
    app: Flask, source: FakeSource, first: FlaskClient, path: str, end: str
):
    second = somebody(app, "rita", Role.viewer)

    async def go() -> None:
        dashboard = AsgiDashboard(app, services(app).live, services(app).accounts.change_token, threads=2)
        name, value = cookie(app, first)
        headers = [(name.encode(), value.encode()) for name, value in OF_THE_FIRST.items()]
        admins = Open(dashboard, f"{path}?{MARK}=1&open={MARK}", [*headers, (name, value + b"; theme=dark")])
        await until(lambda: b"event: version" in admins.heard)
        viewers = Open(dashboard, path, [(b"host", b"localhost"), cookie(app, second)])
        await until(lambda: b"event: version" in viewers.heard)
        (place,) = dashboard._hub._channels_open
        assert MARK not in repr(place), "both hear of one address"
        assert {type(leaf) for leaf in leaves(place)} <= {str, int, bool, type(None)}
        with templates(app) as seen:
            source.state = "verifying"
            await until(lambda: b"event: rows" in admins.heard and b"event: rows" in viewers.heard)
            if end == "logout":
                await asyncio.to_thread(lambda: first.post("/logout"))
            else:
                await asyncio.to_thread(lambda: services(app).accounts.disable(f"{MARK}@example.com"))
            told = len(viewers.heard)
            source.state = "failed"
            await until(lambda: b"event: rows" in viewers.heard[told:])
            await until(lambda: b"event: ended" in admins.heard)
        await asyncio.gather(admins.leave(), viewers.leave())
        assert {who for name, who in seen if name not in OF_ONE} == {"nobody"}
        rows = viewers.heard.decode()
        for text in (MARK, "Chatham", "203.0.113", "dark", "aria-pressed", "Sign out"):
            assert text not in rows

    in_a_loop(go)


def test_a_stream_is_of_what_was_asked(app: Flask, source: FakeSource):
    browser = somebody(app, "rita", Role.viewer)

    async def go() -> None:
        dashboard = AsgiDashboard(app, services(app).live, services(app).accounts.change_token, threads=2)
        paths = ("release:r?v2", "release:r%3Fv2", "release:r?q=w1&x", "release:r%3Fq=w1", "release:r?x=1&q=w1&q=w2")
        headers = [(b"host", b"localhost"), cookie(app, browser)]
        streams = [Open(dashboard, f"/live/releases/{path}", headers) for path in paths]
        await until(lambda: all(b"event: version" in stream.heard for stream in streams))
        assert len(dashboard._hub._channels_open) == 4, "the last asks for the same as the third"
        source.state = "verifying"
        await until(lambda: all(b"event: rows" in stream.heard for stream in streams))
        await asyncio.gather(*(stream.leave() for stream in streams))
        heard = [stream.heard.decode() for stream in streams]
        assert heard[2].count("data:") == heard[4].count("data:")
        for path, text in zip(paths, heard, strict=True):
            assert ("r?v2" in text, "r?q=w1" in text) == ("%3Fv2" in path, "%3Fq" in path), path

    in_a_loop(go)


def test_every_page_that_many_are_sent_is_made_as_nobody(app: Flask, first: FlaskClient):
    first.set_cookie("theme", "dark")
    for name, rule in twins.rules.items():
        path = rule.replace("<id:release_id>", "release:r").replace("<id:entity_id>", "wave:w1")
        path += "?left=release:r&right=release:s" if name == "compare" else ""
        with templates(app) as seen:
            for headers in ({}, {"HX-Request": "true"}):
                assert first.get(path, headers=headers).status_code == 200, path
        assert {who for template, who in seen if template not in OF_ONE} == {"nobody"}, path
        assert {who for template, who in seen if template in OF_ONE} <= {f"{MARK}@example.com"}, path


def test_of_a_shared_page_each_viewer_is_sent_their_own(app: Flask, first: FlaskClient):
    first.set_cookie("theme", "dark")
    second = somebody(app, "rita", Role.viewer)
    for path in ("/releases/release:r", "/releases", "/problems"):
        own = first.get(path, headers={"X-Forwarded-For": "203.0.113.77", "Accept-Language": MARK}).text
        others = second.get(path).text
        assert 'data-theme="dark"' in own
        assert 'data-zone="Pacific/Chatham"' in own
        assert MARK in own
        assert 'data-theme="auto"' in others
        assert MARK not in others
        assert "Chatham" not in others
        assert "Audit log" in own
        assert "Audit log" not in others
    assert stars(first, "/releases") == ["release:r", "release:zelda and a blank"]
    assert stars(first, "/releases/release:r") == ["release:r"]
    assert stars(second, "/releases") == stars(second, "/releases/release:r") == []
    assert 'aria-pressed="true"' in first.get("/releases/release:r").text
    assert 'aria-pressed="false"' in second.get("/releases/release:r").text
