"""Badges: who may see one, what it says, and the page from which its link is copied."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient

from dashboard.app import create_app
from dashboard.auth.accounts import Accounts
from dashboard.concurrency.loop_thread import LoopThread
from dashboard.database.models import User
from dashboard.domain.entities import Release, Status
from dashboard.domain.phases import Phase
from dashboard.domain.problems import Problem, ProblemCode, ReleaseNotFound, SourceUnavailable
from dashboard.domain.snapshot import Snapshot, version_hash
from dashboard.domain.source import ReleaseReading
from dashboard.live.service import LiveReleases
from dashboard.settings.model import Settings
from dashboard.views.badges.page import Badge
from dashboard.views.badges.routes import RenderedBadge
from dashboard.web.design_tokens import contrast_ratio, design_tokens
from tests.support.fake_source import FakeSource
from tests.support.rollout_makers import STARTED, entity, execution
from tests.web.conftest import PASSWORD

DOWN = Problem(ProblemCode.UNAVAILABLE, "Temporal cannot be reached.")
PATH = "/badges/releases/release:r.svg"


@pytest.fixture
def source() -> FakeSource:
    return FakeSource()


@pytest.fixture
def app(settings: Settings, accounts: Accounts, source: FakeSource) -> Iterator[Flask]:
    given: Any = source
    live = LiveReleases(given, LoopThread(), timeout=1.0, max_age=0)
    app = create_app(settings, accounts=accounts, releases=live)
    app.testing = True
    yield app
    live.close()


def texts(browser: FlaskClient, release_id: str = "release:r") -> dict[str, str]:
    """What the page offers to copy."""
    page = BeautifulSoup(browser.get("/badges", query_string={"release": release_id}).text, "html.parser")
    fields = page.select("input.link")
    return {label_of(page, str(field["id"])): str(field["value"]) for field in fields}


def label_of(page: BeautifulSoup, field_id: str) -> str:
    label = page.select_one(f"label[for={field_id}]")
    assert label is not None
    return label.text


def link(browser: FlaskClient, release_id: str = "release:r") -> str:
    """The path of the badge's link."""
    url = urlsplit(texts(browser, release_id)["Image URL"])
    return f"{url.path}?{url.query}"


def said(answer: Any) -> str:
    """What a badge says, to eyes and to ears alike."""
    assert answer.mimetype == "image/svg+xml"
    drawn = ElementTree.fromstring(answer.text)
    name = "{http://www.w3.org/2000/svg}"
    shown = [text.text for text in drawn.iter(f"{name}text")]
    title = drawn.find(f"{name}title")
    assert title is not None
    assert title.text == drawn.get("aria-label") == ": ".join(map(str, shown))
    return str(title.text)


def test_who_has_the_link_sees_the_badge_and_nothing_else(app: Flask, logged_in: FlaskClient, client: FlaskClient):
    path = link(logged_in)
    answer = client.get(path)
    assert (answer.status_code, said(answer)) == (200, "r: running, 0/10 apps")
    assert "Set-Cookie" not in answer.headers
    key = path.partition("?")[2]
    assert client.get(f"/badges/releases/release:other.svg?{key}").status_code == 401
    assert client.get(f"/releases/release:r?{key}").status_code == 302
    assert client.get(f"/api/releases/release:r?{key}").status_code == 401


def test_a_session_or_a_token_opens_it_too(logged_in: FlaskClient, client: FlaskClient, bearer: dict[str, str]):
    assert logged_in.get(PATH).status_code == 200
    assert client.get(PATH, headers=bearer).status_code == 200
    for headers in ({}, {"Authorization": "Bearer made-up"}, {"Authorization": "Basic cml0YTpy"}):
        refused = client.get(PATH, headers=headers)
        assert (refused.status_code, said(refused)) == (401, "r: no access")
        assert refused.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("how", ["disabled", "another password"])
def test_a_link_ends_with_its_makers_sessions(
    how: str, logged_in: FlaskClient, client: FlaskClient, accounts: Accounts, user: User
):
    path = link(logged_in)
    assert client.get(path).status_code == 200
    if how == "disabled":
        accounts.disable(user.email)
    else:
        accounts.set_password(user.email, PASSWORD)
    refused = client.get(path)
    assert (refused.status_code, said(refused)) == (401, "r: no access")


def test_a_link_is_good_for_one_app_secret_one_user_and_one_release(
    app: Flask, logged_in: FlaskClient, client: FlaskClient, accounts: Accounts, user: User
):
    key = link(logged_in).partition("?key=")[2]
    other = accounts.add("olga@example.com", PASSWORD)
    signature = key.partition(".")[2]
    tricks = ["", ".", user.id, f"{user.id}.", key[:-1], f"{key}A", key.replace(user.id, other.id), signature]
    tricks += [f".{signature}", f"{user.id}.{signature}%ff", "é" * 40, "x" * 3_000]
    for trick in tricks:
        assert client.get(PATH, query_string={"key": trick}).status_code == 401, trick
    assert client.get(PATH, query_string={"key": f"{user.id}\0.{signature}"}).status_code == 422
    assert client.get(PATH, query_string={"key": key}).status_code == 200
    before = app.config["SECRET_KEY"]
    app.config["SECRET_KEY"] = "another secret of thirty-two chars"
    assert client.get(PATH, query_string={"key": key}).status_code == 401
    app.config["SECRET_KEY_FALLBACKS"] = [before]
    assert client.get(PATH, query_string={"key": key}).status_code == 200
    assert link(logged_in).partition("?key=")[2] != key, "it signs nothing more"


def test_a_key_that_does_not_hold_is_not_made_good_by_a_session(logged_in: FlaskClient):
    assert logged_in.get(PATH, query_string={"key": "wrong"}).status_code == 401


@pytest.mark.parametrize("release_id", ["release:a.svg", "release:a/b~c", "release:a(b)", "release:ü"])
def test_every_id_has_a_badge(logged_in: FlaskClient, client: FlaskClient, release_id: str):
    answer = client.get(link(logged_in, release_id))
    assert (answer.status_code, said(answer).partition(":")[0]) == (200, release_id.partition(":")[2])


def test_what_cannot_be_said_is_not_said(logged_in: FlaskClient, source: FakeSource):
    source.answer = ReleaseNotFound("release:r")
    missing = logged_in.get(PATH)
    assert (missing.status_code, said(missing)) == (404, "r: not found")
    source.answer = SourceUnavailable(DOWN)
    away = logged_in.get(PATH)
    assert (away.status_code, said(away), away.headers["Retry-After"]) == (503, "r: unavailable", "5")
    assert logged_in.get(f"/badges/releases/{'x' * 1001}.svg").status_code == 422


def test_a_badge_that_may_be_out_of_date_says_so_and_has_no_colour(logged_in: FlaskClient, source: FakeSource):
    current = logged_in.get(PATH)
    source.answer = SourceUnavailable(DOWN)
    stale = logged_in.get(PATH)
    assert (stale.status_code, said(stale)) == (200, "r: running, 0/10 apps, out of date")
    assert colour("running") in current.text
    assert colour("running") not in stale.text
    assert stale.headers["ETag"] != current.headers["ETag"]


def test_it_is_asked_for_each_time_and_sent_once(logged_in: FlaskClient, client: FlaskClient, source: FakeSource):
    path = link(logged_in)
    first = client.get(path)
    assert first.headers["Cache-Control"] == "no-cache"
    known = {"If-None-Match": first.headers["ETag"]}
    assert client.get(path, headers=known).status_code == 304
    source.state = "completed"
    assert said(client.get(path, headers=known)) == "r: succeeded, 0/10 apps"


def seen(state: str, name: str = "r", **fields: Any) -> Snapshot[Release]:
    root = entity("release:r", state, entity("wave:w", "completed", entity("cluster:c", "completed")), **fields)
    release = Release(execution(Status.RUNNING), root)
    return Snapshot(release, STARTED, version_hash(state))


def colour(name: str) -> str:
    return next(token.value for token in design_tokens() if token.name == name)[len("light-dark(") :].partition(",")[0]


@pytest.mark.parametrize("phase", list(Phase))
def test_each_phase_can_be_read_in_its_colours(phase: Phase):
    badge = RenderedBadge.of(Badge.of(seen("odd", phase=phase)))
    assert badge.badge.said == f"{phase.replace('_', ' ')}, 1/1 app"
    assert contrast_ratio(badge.ink, badge.paper) >= 4.5
    assert contrast_ratio(badge.card, badge.text) >= 4.5


def test_a_name_cannot_break_out_of_the_picture(app: Flask, logged_in: FlaskClient, source: FakeSource):
    name = '"/><script>alert(1)</script>\x07\ud800 & more of a name than there is room for'
    source.answer = ReleaseReading(execution(), said=replace(entity("release:r", "deploying"), name=name))
    answer = logged_in.get(PATH)
    assert said(answer).startswith('"/><script>alert(1)</script>‹U+0007›…')
    assert "<script" not in answer.text


def test_opened_by_itself_it_needs_nothing_that_the_policy_refuses(logged_in: FlaskClient):
    answer = logged_in.get(PATH)
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert not re.search(r"style|<script|href|\son\w+=", answer.text)


def test_the_page_gives_markdown_and_html_that_lead_to_the_release(logged_in: FlaskClient):
    offered = texts(logged_in, "release:a_(b)[c]<d>")
    picture = offered["Image URL"]
    assert picture.startswith("http://localhost/badges/releases/release:a_(b)%5Bc%5D%3Cd%3E.svg?key=")
    html = BeautifulSoup(offered["HTML"], "html.parser")
    assert html.a is not None
    assert html.img is not None
    assert (html.a["href"], html.img["src"], html.img["alt"]) == (
        "http://localhost/releases/release:a_(b)%5Bc%5D%3Cd%3E",
        picture,
        "release:a_(b)[c]<d>",
    )
    assert offered["Markdown"].startswith(
        r"[![release:a_(b)\[c\]\<d>](http://localhost/badges/releases/release:a_%28b%29"
    )
    assert offered["Markdown"].endswith("](http://localhost/releases/release:a_%28b%29%5Bc%5D%3Cd%3E)")


def test_the_page_shows_what_its_link_shows(logged_in: FlaskClient, client: FlaskClient):
    page = BeautifulSoup(logged_in.get("/badges?release=release:r").text, "html.parser")
    picture = page.select_one(".badges img")
    assert picture is not None
    assert picture["src"] == link(logged_in)
    assert client.get(str(picture["src"])).status_code == 200


def test_the_page_asks_which_release_and_is_kept_nowhere(logged_in: FlaskClient):
    page = logged_in.get("/badges")
    assert (page.status_code, page.headers["Cache-Control"]) == (200, "no-store")
    assert not BeautifulSoup(page.text, "html.parser").select("input.link")
    assert logged_in.get(f"/badges?release={'x' * 1001}").status_code == 422


def test_the_release_page_leads_there(logged_in: FlaskClient):
    page = BeautifulSoup(logged_in.get("/releases/release:r").text, "html.parser")
    found = page.select_one(".badge-link a")
    assert found is not None
    assert logged_in.get(str(found["href"])).status_code == 200
