"""Texts for people use standard words: none of the phrases below, one word for one thing, and no raw states."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask import Flask

from dashboard.app import create_app
from dashboard.auth.accounts import Accounts
from dashboard.database.models import User
from dashboard.settings.model import Settings
from tests.support.api_document import reference
from tests.web.conftest import PASSWORD, accounts, open_accounts, settings, user

__all__ = ["accounts", "open_accounts", "settings", "user"]

ROOT = Path(__file__).parent.parent

# Each phrase, with a sentence that must be found by it.
PHRASES = {
    r"(some|no)body": "A link for somebody who waits; nobody has to log in.",
    r"who(m)?ever": "Whoever has the link sees what runs.",
    r"anew": "Load the page again to ask anew.",
    r"seldom(er)?": "It is asked for seldomer.",
    r"any ?more": "You have no such token (any more).",
    r"(is|are) told": "It is told this once.",
    r"lets? (the )?(\w+ )?(in|out)": "Nothing lets the user in.",
    r"log(s|ged|ging)?[ -](in|on|out|off)": "Log in again.",
    r"log(in|out)s?": "Too many logins have failed.",
    r"at once": "All of them end at once.",
    r"once more": "The new one once more",
    r"meanwhile": "Your account has changed meanwhile.",
    r"under way": "No wave is under way.",
    r"as it came": "One text as it came.",
    r"what has ended": "What runs, then what has ended.",
    r"(how|where) \w+ stands?": "Nobody told how it stands.",
    r"stands? (there|here|beside)": "What has ended stands here until you make the next.",
    r"its last word|last said": "its last word was failed",
    r"gives? back": "They give back what they took.",
    r"looks? after": "Ask whoever looks after the dashboard.",
    r"characters that can be printed": "A name takes 1 to 60 characters that can be printed.",
    r"(name|token|password|request|zone|phase|page) takes": "A password takes 12 to 128 characters.",
    r"cannot be used$": "That cannot be used",
    r"not the latest|not current": "Not the latest.",
    r"not known": "Which waves it has is not known.",
    r"tells? (of|how)": "Other fields that the rollout tells of.",
    r"being (re)?tried|tried again": "It is being tried again.",
    r"its own code": "The workflow's own code fails: its own code.",
    r"must be one of yours|ask one of yours": "Only an admin may do this. Ask one of yours.",
    r"(be|is|was|were|execution) canceled|cancelation": "The execution was canceled.",
}
FOUND = re.compile("|".join(rf"\b(?:{phrase})\b" for phrase in PHRASES), re.IGNORECASE)
# Words of a page's address, of events and of the library that keeps sessions, which are no texts.
_NO_TEXT = re.compile(r"https?://\S+|/[\w/.-]+|\b\w+_\w+\b|, logout,|\b[Ff]lask-[Ll]ogin\b|`[^`\n]*`")
_JINJA = re.compile(r"\{#.*?#\}|\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_READ_ALOUD = ("title", "placeholder", "aria-label", "alt", "data-label")
# States as rollouts write them: a tooltip has the exact word, the page plain ones.
_RAW = re.compile(
    r"\b(in_progress|awaiting_approval|timed_out|rolling_(back|out)|not_started|on_hold)\b", re.IGNORECASE
)


def phrases_in(text: str) -> list[str]:
    return [found.group() for found in FOUND.finditer(_NO_TEXT.sub(" ", text))]


def texts_of(page: BeautifulSoup) -> Iterator[str]:
    """What people read on a page or have read to them; code is quoted and not ours."""
    for element in page.find_all(["script", "style", "code", "pre"]):
        element.decompose()
    for element in page.find_all(True):
        yield from (str(element[name]) for name in _READ_ALOUD if element.has_attr(name))
    yield from page.stripped_strings


def literals_of(path: Path) -> Iterator[str]:
    """The string literals of a module that are neither docstrings nor single words."""
    tree = ast.parse(path.read_text())
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Constant) and id(node) not in docstrings else None
        if isinstance(text, str) and " " in text.strip():
            yield text


def descriptions_in(document: Any) -> Iterator[str]:
    if isinstance(document, dict):
        yield from (text for key in ("summary", "description") if isinstance(text := document.get(key), str))
        for key, value in document.items():
            if key not in {"example", "examples"}:
                yield from descriptions_in(value)
    elif isinstance(document, list):
        for value in document:
            yield from descriptions_in(value)


def comments_of(path: Path) -> Iterator[str]:
    """The docstrings of a module, and the lines of its comments."""
    source = path.read_text()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""
    yield from (line for line in source.splitlines() if line.lstrip().startswith("#"))


@pytest.mark.parametrize(("phrase", "sentence"), PHRASES.items())
def test_each_phrase_is_found(phrase: str, sentence: str):
    assert re.search(rf"\b(?:{phrase})\b", sentence, re.IGNORECASE)
    assert phrases_in(sentence)


def test_templates_use_the_standard_words():
    found = {}
    for path in [*(ROOT / "templates").rglob("*.html"), *(ROOT / "dashboard").rglob("*.html")]:
        page = BeautifulSoup(_JINJA.sub(" ", path.read_text()), "html.parser")
        if phrases := [phrase for text in texts_of(page) for phrase in phrases_in(text)]:
            found[str(path.relative_to(ROOT))] = phrases
    assert found == {}


def test_the_texts_of_the_code_use_the_standard_words():
    found = {}
    for path in {*(ROOT / "dashboard").rglob("*.py")} - {*(ROOT / "dashboard" / "settings").glob("*.py")}:
        if phrases := [phrase for text in literals_of(path) for phrase in phrases_in(text)]:
            found[str(path.relative_to(ROOT))] = phrases
    assert found == {}


def test_docstrings_and_comments_use_the_standard_words():
    found = {}
    for path in {*(ROOT / "dashboard").rglob("*.py")} - {*(ROOT / "dashboard" / "settings").rglob("*.py")}:
        if phrases := [phrase for text in comments_of(path) for phrase in phrases_in(text)]:
            found[str(path.relative_to(ROOT))] = phrases
    assert found == {}


def test_pagers_say_previous_and_next():
    words = {"prev": {"Previous", "First page"}, "next": {"Next"}}
    links = 0
    for path in (ROOT / "templates").rglob("*.html"):
        for rel, word in re.findall(r'rel="(prev|next)"[^>]*>([^<]*)<', _JINJA.sub("", path.read_text())):
            links += 1
            assert word in words[rel], path
    assert links


@pytest.fixture
def guide(settings: Settings, accounts: Accounts) -> Flask:
    return create_app(settings.model_copy(update={"styleguide": True}), accounts=accounts)


@pytest.mark.web
def test_the_reference_of_the_api_uses_the_standard_words():
    texts = list(descriptions_in(reference().document))
    assert len(texts) > 500
    assert {text: phrases for text in texts if (phrases := phrases_in(text))} == {}


@pytest.mark.web
def test_no_page_shows_a_raw_state(guide: Flask, user: User):
    """Look at every part of every page in every state, as the style guide has them."""
    browser = guide.test_client()
    assert browser.post("/login", data={"username": user.email, "password": PASSWORD}).status_code == 303
    shown = BeautifulSoup(browser.get("/styleguide").text, "html.parser").select(".shown")
    assert len(shown) > 100
    raw = {text for part in shown for text in part.stripped_strings if _RAW.search(text)}
    assert raw == set()
