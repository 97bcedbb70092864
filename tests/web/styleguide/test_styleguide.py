"""The style guide shows every part that there is, and only where it is asked for."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient

from dashboard.app import create_app
from dashboard.auth.accounts import Accounts
from dashboard.database.models import User
from dashboard.domain.phases import Phase
from dashboard.settings.model import Settings
from dashboard.web.design_tokens import contrast_ratio, design_tokens
from tests.web.conftest import PASSWORD

ROOT = Path(__file__).parents[3]
SHEETS = sorted((ROOT / "static" / "css").glob("*.css"))

# What cannot stand in an example, and why.
ELSEWHERE = {
    "shared/_alternate.html": "a link in the head of a page",
    "shared/_icons.html": "it is on every page, and shows nothing itself",
    "shared/live.html": "it stands around what changes by itself, and shows nothing itself",
}


@pytest.fixture
def guide(settings: Settings, accounts: Accounts) -> Flask:
    return create_app(settings.model_copy(update={"styleguide": True}), accounts=accounts)


@pytest.fixture
def drawn(guide: Flask) -> Iterator[set[str]]:
    """The names of all templates that were used, filled while pages are rendered."""
    names: set[str] = set()
    find = guide.jinja_env.get_template

    def noted(name, *given, **more):
        names.add(str(name))
        return find(name, *given, **more)

    guide.jinja_env.get_template = noted
    yield names
    guide.jinja_env.get_template = find


@pytest.fixture
def page(guide: Flask, drawn: set[str], user: User) -> BeautifulSoup:
    browser = guide.test_client()
    assert browser.post("/login", data={"username": user.email, "password": PASSWORD}).status_code == 303
    drawn.clear()
    answer = browser.get("/styleguide")
    assert answer.status_code == 200
    return BeautifulSoup(answer.text, "html.parser")


def test_it_works(page: BeautifulSoup):
    assert page.select_one("h1").get_text() == "Style guide"
    for section in page.select("section.guide"):
        assert page.find(id=section["aria-labelledby"]) is not None
    assert len(page.select("figure[data-of]")) > 40


def test_it_shows_every_partial_and_macro_that_there_is(page: BeautifulSoup, drawn: set[str]):
    folders = ROOT / "templates"
    every = {
        str(path.relative_to(folders))
        for path in folders.rglob("*.html")
        if path.name.startswith("_") or "{% macro" in path.read_text()
    }
    assert every - drawn - set(ELSEWHERE) == set(), "show it among dashboard/styleguide/examples_*.py"
    assert set(ELSEWHERE) <= every


def test_it_shows_each_phase_as_icon_word_cell_chip_and_rows(page: BeautifulSoup):
    for phase in Phase:
        assert page.select_one(f'svg.icon.{phase} use[href="#i-{phase}"]') is not None
        for shown in (".phases .cell", ".chip", "ol.list .word", ".tree .row.app .word", ".cells .cell"):
            assert page.select_one(f"{shown}.{phase}") is not None, (shown, phase)


def test_it_shows_troubles_and_gaps(page: BeautifulSoup):
    for shown in (
        ".notice.stale",
        ".notice.gap",
        ".notice.blocked",
        ".notice.held",
        ".try.hot",
        ".row.stale",
        ".error",
        ".panel .notice.stale",
        ".panel .seen .gap",
        ".panel .cause",
        ".list .row.stale .name",
        "[id^=settings-error]",
        ".wall .slide.old",
        ".wall .alarm",
    ):
        assert page.select_one(shown) is not None, shown
    said = page.get_text(" ")
    for words in ("No releases yet", "No results", "No problems", "Nothing in progress", "last reported"):
        assert words in said


def test_it_shows_what_opens_over_a_page_in_its_place(page: BeautifulSoup):
    for shown in (".palette .results a", ".keys dt", ".menu .who", ".pop [name=name]", ".pop li a"):
        assert page.select_one(f".shown {shown}") is not None, shown
    for tag in page.select(".shown .palette .results"):
        assert tag.find_parent("dialog") is None
        assert tag.find_parent(attrs={"popover": True}) is None


def test_its_examples_ask_nothing_and_no_id_stands_twice(page: BeautifulSoup):
    for shown in page.select(".shown"):
        for tag in shown.select("*"):
            assert not [name for name in tag.attrs if name.startswith("hx-")]
        for form in shown.select("form"):
            assert form.get("method") != "post", "it would change something of the viewer's"
    ids = [tag["id"] for tag in page.select("main [id]")]
    assert [name for name in ids if ids.count(name) > 1] == []


def test_where_nobody_asks_for_it_there_is_none(app: Flask, logged_in: FlaskClient):
    assert logged_in.get("/styleguide").status_code == 404
    assert "/styleguide" not in {rule.rule for rule in app.url_map.iter_rules()}


def test_it_takes_a_login(guide: Flask):
    assert guide.test_client().get("/styleguide").status_code == 302


def test_every_colour_of_text_can_be_read_on_whatever_it_stands_on():
    inks = [token for token in design_tokens() if token.light is not None]
    assert {"text", "muted", "accent", "failed", "running", "succeeded", "paused", "pending", "stopped"} == {
        token.name for token in inks
    }
    assert [token for token in inks if min(token.light, token.dark) < 4.5] == []


def test_contrast_is_reckoned_as_wcag_does():
    assert contrast_ratio("#ffffff", "#000000") == pytest.approx(21)
    assert contrast_ratio("#777777", "#ffffff") == contrast_ratio("#ffffff", "#777777") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("sheet", [sheet.name for sheet in SHEETS if sheet.name != "tokens.css"])
def test_no_sheet_but_the_tokens_names_a_colour(sheet: str):
    text = re.sub(r"/\*.*?\*/", "", (ROOT / "static" / "css" / sheet).read_text(), flags=re.DOTALL)
    values = re.findall(r":\s*([^;{}]+);", text)
    literal = re.compile(
        r"#[0-9a-f]{3,8}\b|\b(?:rgb|hsl|oklch|lab)a?\(|\b(?:white|black|red|green|blue|gray|grey)\b", re.I
    )
    assert [value for value in values if literal.search(value)] == []
