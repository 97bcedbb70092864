"""No text of a rollout turns or hides anything where it is shown, whichever page shows it; as data it is itself."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup
from bs4.element import Comment, Doctype
from flask import Flask, render_template_string
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from dashboard.app import create_app
from dashboard.auth.accounts import Accounts
from dashboard.client.drawing import list_lines, log_line, tree_lines
from dashboard.client.terminal import Terminal
from dashboard.concurrency.loop_thread import LoopThread
from dashboard.database.models import Role
from dashboard.domain.entities import Entity, FailingTask, Failure, Pause
from dashboard.domain.problems import Problem, ProblemCode
from dashboard.domain.source import ReleaseReading
from dashboard.live.service import LiveReleases
from dashboard.settings.model import Settings
from dashboard.web.escaping import HtmlContext
from dashboard.web.services import services
from dashboard.web.url_ids import escape_id
from tests.support.every_page import pages_of
from tests.support.fake_source import FakeSource
from tests.support.rollout_makers import STARTED, entity, execution, retrying
from tests.unit.domain.test_display import INVISIBLE, TURNING
from tests.web.conftest import EMAIL, PASSWORD

TEMPLATES = Path(__file__).parents[3] / "templates"
SHOWN = {"title", "alt", "placeholder", "aria-label", "data-label", "data-title"}
HIDDEN = set(TURNING + INVISIBLE) - {"\ud800", "\x1b"}
HARM = "".join(sorted(HIDDEN))
# Of what can be printed, so that it may stand in an id below a release.
QUIET = "".join(character for character in HARM if character.isprintable())
HEBREW = "\u05e9\u05dc\u05d5\u05dd"
_ISOLATED = re.compile("\u2068[^\u2068\u2069]*\u2069")
RELEASE = f"release:r{HARM}"
APP = f"app:a{QUIET}"


def hostile(row: Entity, **more: object) -> Entity:
    """A row whose every text is hostile."""
    told = {"name": f"{HEBREW}{HARM}", "version": f"4.1{HARM}", "error": f"failed{HARM} 5 apps\nand{HARM}"}
    attempt = replace(
        retrying(f"pull{HARM}"), worker=f"w{HARM}", activity_type=f"T{HARM}", heartbeat=HARM, last_failure=failure()
    )
    details = {f"memo{HARM}": {f"key{HARM}": f"value{HARM}"}}
    problem = Problem(ProblemCode.MALFORMED, f"not read{HARM}", f"because{HARM}")
    return replace(row, **told, attempt=attempt, details=details, problem=problem, **more)


def failure() -> Failure:
    """A failure that says such a thing, and is caused by another."""
    return Failure(f"Type{HARM}", f"message{HARM}", (Failure(f"Cause{HARM}", f"deep{HARM}"),), by=f"rita{HARM}")


def told() -> ReleaseReading:
    """What every release says."""
    app = hostile(entity(APP, "failed"))
    bundle = hostile(entity(f"bundle:b{QUIET}", f"deploying{HARM}", app))
    cluster = hostile(entity(f"cluster:c{QUIET}", "in_progress", bundle))
    wave = hostile(entity(f"wave:w{QUIET}", f"odd{HARM}", cluster), sequence=1)
    root = hostile(entity("release:r", f"waiting{HARM}", wave))
    run = execution(
        workflow_id=RELEASE,
        workflow_type=f"Type{HARM}",
        task_queue=f"queue{HARM}",
        failing_task=FailingTask(3, failure()),
        pause=Pause(f"rita{HARM}", f"because{HARM}", STARTED),
        waiting_since=STARTED,
        closing=failure(),
    )
    return ReleaseReading(run, said=replace(root, id=RELEASE))


@pytest.fixture
def app(settings: Settings, accounts: Accounts) -> Iterator[Flask]:
    source: Any = FakeSource()
    source.answer = told()
    live = LiveReleases(source, LoopThread(), timeout=5, max_age=60)
    app = create_app(settings, accounts=accounts, releases=live)
    app.testing = True
    yield app
    live.close()


def hidden_in(answer: TestResponse) -> dict[str, str]:
    """What somebody is shown on a page with a character that hides or turns in it, by what it is in.

    Only isolates that end again, around what is written from right to left, are ours.
    """
    page = BeautifulSoup(answer.text, "html.parser")
    texts = {
        str(text): text.parent.name for text in page.find_all(string=True) if not isinstance(text, Comment | Doctype)
    }
    for tag in page.find_all(True):
        for name in SHOWN & tag.attrs.keys():
            assert "<bdi" not in tag[name]
            texts[str(tag[name])] = f"{tag.name} {name}"
    return {text: place for text, place in texts.items() if HIDDEN & set(_ISOLATED.sub("", text))}


def test_no_page_shows_a_hidden_character_and_every_script_and_address_has_the_id_itself(logged_in: FlaskClient):
    for path in pages_of(escape_id(RELEASE), escape_id(APP)):
        answer = logged_in.get(path)
        assert answer.status_code == 200, path
        assert hidden_in(answer) == {}, path
        assert "‹U+202E›" in answer.text or "‹U+3164›" in answer.text, path
        if path.startswith(("/releases/", "/kiosk/")) and not path.endswith("/panel"):
            ids = {
                tag["data-entity-id"] for tag in BeautifulSoup(answer.text, "html.parser").select("[data-entity-id]")
            }
            assert ids & {RELEASE, APP}, path
    twin = logged_in.get(f"/api/releases/{escape_id(RELEASE)}/hierarchy").get_json()
    assert twin["id"] == RELEASE, "JSON is data"
    assert twin["name"] == f"{HEBREW}{HARM}"
    page = logged_in.get(f"/releases/{escape_id(RELEASE)}").text
    assert f"<bdi>{HEBREW}‹U+" in page, "what is written from right to left turns nothing beside it"
    assert f'href="/releases/{escape_id(RELEASE)}/strip"' in page


def test_nor_does_a_page_of_what_is_kept_here(app: Flask, logged_in: FlaskClient):
    assert logged_in.put(f"/api/stars/{escape_id(RELEASE)}").status_code == 204
    assert logged_in.get(f"/releases/{escape_id(RELEASE)}").status_code == 200
    services(app).accounts.set_role(EMAIL, Role.admin)
    assert logged_in.post("/login", data={"username": EMAIL, "password": PASSWORD}).status_code == 303
    small = f"/releases/{escape_id(RELEASE)}/strip/small"
    for path in (
        "/settings",
        "/releases?starred=1",
        small,
        "/audit",
        f"/releases/{escape_id(RELEASE)}x{HARM}/entities/no",
    ):
        answer = logged_in.get(path)
        assert answer.status_code in {200, 422}, path
        assert hidden_in(answer) == {}, path
        assert path == small or "‹U+202E›" in answer.text or answer.status_code == 422, path


def test_no_file_badge_or_terminal_shows_one(logged_in: FlaskClient):
    for path in ("/api/releases?format=csv", "/api/problems?format=csv"):
        answer = logged_in.get(path)
        assert answer.status_code == 200
        text = answer.text.removeprefix("\ufeff")
        assert not HIDDEN & set(text), path
        assert "‹U+202E›" in text
    at = f"/releases/{escape_id(RELEASE)}"
    for path in (f"/api{at}/hierarchy?format=csv", f"{at}/matrix.csv"):
        answer = logged_in.get(path)
        assert answer.status_code == 200, path
        assert not HIDDEN & set(answer.text.removeprefix("\ufeff")), path
    badge = logged_in.get(f"/badges{at}.svg")
    assert badge.status_code == 200
    assert hidden_in(badge) == {}
    assert hidden_in(logged_in.get("/badges", query_string={"release": RELEASE})) == {}
    page = logged_in.get(f"/api{at}/hierarchy").get_json()
    listed = logged_in.get("/api/releases").get_json()
    terminal = Terminal(columns=300)
    for line in (*tree_lines(page, terminal), *list_lines(listed, terminal), *log_line(page)):
        assert not HIDDEN & set(_ISOLATED.sub("", line))


def test_what_asks_to_confirm_something_shows_what_its_name_hides(app: Flask, logged_in: FlaskClient):
    for name in ("Deploy\u3164job", "Deploy\ufe0fjob", "D\u0435ploy job"):
        assert logged_in.post("/tokens", data={"name": name, "scope": "read", "days": "30"}).status_code == 201
        assert logged_in.post("/screens", data={"name": name}).status_code == 201
    for path, verb in (("/tokens", "Revoke the token"), ("/screens", "Revoke the link")):
        page = BeautifulSoup(logged_in.get(path).text, "html.parser")
        names = {tag["aria-label"] for tag in page.select(f'[aria-label^="{verb}"]')}
        assert {f"{verb} Deploy‹U+3164›job", f"{verb} Deploy‹U+FE0F›job"} < names
        assert "U+0435 cyrillic small letter ie" in page.get_text()
    services(app).accounts.add("r\u0456ta@example.com", PASSWORD)
    services(app).accounts.set_role(EMAIL, Role.admin)
    assert logged_in.post("/login", data={"username": EMAIL, "password": PASSWORD}).status_code == 303
    users = BeautifulSoup(logged_in.get("/users").text, "html.parser")
    assert "U+0456 cyrillic small letter byelorussian-ukrainian i" in users.get_text()
    links = [str(link["href"]) for link in users.select("table a") if "U+0456" in link.get_text()]
    (twin,) = links
    assert "U+0456" in logged_in.get(twin).text


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("<p>{{ x }}</p>", "<p><bdi>\u05d0‹U+202E›</bdi></p>"),
        ('<p title="{{ x }}">', '<p title="\u2068\u05d0\u2069‹U+202E›">'),
        (
            '<p title="of {{ x if x else \'\' }}" data-id="{{ x }}">',
            '<p title="of \u2068\u05d0\u2069‹U+202E›" data-id="\u05d0\u202e">',
        ),
        ("<input value='{{ x ~ x }}'>", "<input value='\u05d0\u202e\u05d0\u202e'>"),
        (
            "<title>{{ x }}</title><b>{{ x }}</b>",
            "<title>\u2068\u05d0\u2069‹U+202E›</title><b><bdi>\u05d0‹U+202E›</bdi></b>",
        ),
        (
            '<a{% if x %} title="{{ x }}"{% endif %} href="/{{ x }}">',
            '<a title="\u2068\u05d0\u2069‹U+202E›" href="/\u05d0\u202e">',
        ),
        ('<option value="{{ x }}">{{ x }}', '<option value="\u05d0\u202e">\u2068\u05d0\u2069‹U+202E›'),
        ("{{ x|upper }}{{ y }}{{ 5 }}", "<bdi>\u05d0‹U+202E›</bdi>&lt;5"),
    ],
)
def test_each_expression_of_a_template_is_shown_as_its_place_takes_it(app: Flask, source: str, shown: str):
    with app.test_request_context():
        assert render_template_string(source, x="\u05d0\u202e", y="<") == shown


@pytest.mark.parametrize("path", sorted(TEMPLATES.rglob("*.*")), ids=lambda path: path.name)
def test_every_template_ends_where_text_stands(path: Path):
    place = HtmlContext()
    place.feed(re.sub(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", "", path.read_text(), flags=re.DOTALL))
    assert place.in_text, "what it takes for an attribute is none"


def test_texts_become_html_in_one_place():
    for path in (TEMPLATES.parent / "dashboard").rglob("*.py"):
        imported = re.search(r"^from markupsafe import .*\bescape\b|^import html\b", path.read_text(), re.MULTILINE)
        assert not imported or path.name == "escaping.py", path
    for path in TEMPLATES.rglob("*.html"):
        for filter_ in ("e", "escape", "forceescape", "tojson", "urlize", "xmlattr"):
            assert not re.search(rf"\|\s*{filter_}\b", path.read_text()), path
