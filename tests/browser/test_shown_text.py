"""In real Chromium what follows a text of a rollout is where it should be, and what is copied is the text itself."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page
from pydantic import SecretStr

from dashboard.app import create_app
from dashboard.auth.accounts import Accounts
from dashboard.concurrency.loop_thread import LoopThread
from dashboard.domain.display import display_isolated
from dashboard.live.service import LiveReleases
from dashboard.settings.model import Settings
from dashboard.web.url_ids import escape_id
from tests.browser.conftest import log_in, over_http
from tests.support.fake_source import FakeSource
from tests.support.harness import CHEAP, EMAIL, PASSWORD, shut
from tests.support.prepared_databases import make_ready
from tests.unit.domain.test_display import INVISIBLE, TURNING, WRITTEN
from tests.web.web.test_escaping import APP, HEBREW, RELEASE, told

# Where each character of a text is, from the left: pixels.
PLACES = """(selector) => {
  const walk = document.createTreeWalker(document.querySelector(selector), NodeFilter.SHOW_TEXT);
  const places = [];
  for (let node = walk.nextNode(); node; node = walk.nextNode()) {
    for (let at = 0; at < node.length; at += 1) {
      const range = document.createRange();
      range.setStart(node, at);
      range.setEnd(node, at + 1);
      const [box] = range.getClientRects();
      if (box?.width) places.push([node.data[at], box.left, box.top]);
    }
  }
  return places;
}"""
COPY = """(selector) => {
  getSelection().selectAllChildren(document.querySelector(selector));
  const event = new ClipboardEvent("copy", { clipboardData: new DataTransfer(), bubbles: true, cancelable: true });
  document.querySelector(selector).dispatchEvent(event);
  return event.clipboardData.getData("text/plain");
}"""
VISIBLE = """async (texts) => {
  const main = document.querySelector("script[src*='js/main.js']").src;
  const { visible, original } = await import(main.replace("main.js", "text.js"));
  return texts.map((text) => [visible(text), original(visible(text))]);
}"""


@pytest.fixture
def page(chromium: Browser, tmp_path: Path) -> Iterator[Page]:
    settings = Settings(data_dir=tmp_path, secret_key=SecretStr("k" * 32))
    make_ready(settings)
    accounts = Accounts(settings.accounts_url, CHEAP)
    accounts.prepare()
    accounts.ensure(EMAIL, PASSWORD, name="Rita")
    source: Any = FakeSource()
    source.answer = told()
    live = LiveReleases(source, LoopThread(), timeout=5, max_age=60)
    app = create_app(settings, accounts=accounts, releases=live)
    with over_http(app) as url:
        context = chromium.new_context(base_url=url)
        page = context.new_page()
        log_in(page)
        yield page
        context.close()
    shut(app)


def read(places: list[tuple[str, float, float]], text: str) -> str:
    """What stands in the place of a text, line by line from the left to the right."""
    at = "".join(character for character, *_ in places).index(text)
    return "".join(character for character, *_ in sorted(places[at : at + len(text)], key=lambda one: (one[2], one[1])))


def test_what_follows_a_text_of_a_rollout_stands_where_it_should(page: Page):
    page.goto(f"/releases/{escape_id(RELEASE)}/entities/{escape_id(APP)}")
    places = page.evaluate(PLACES, "h1")
    for text in ("4.1", "U+202E", "U+2066", "failed"):
        assert read(places, text) == text
    ((_, first, _), *_, (_, last, _)) = [one for one in places if one[0] in HEBREW]
    assert first > last, "letters from right to left keep their order"
    name = page.evaluate(PLACES, "h1 > bdi")
    version = page.evaluate(PLACES, "h1 .ver")
    assert all((top, left) < (version[0][2], version[0][1]) for _, left, top in name), (
        "the version comes after the name"
    )
    assert "‹U+202E›" in page.title()


def test_whoever_copies_an_id_gets_the_id_itself(page: Page):
    page.goto(f"/releases/{escape_id(RELEASE)}")
    assert "‹U+202E›" in page.locator(".ids code").first.inner_text()
    assert page.evaluate(COPY, ".ids code") == RELEASE


def test_scripts_show_texts_as_templates_do(page: Page):
    page.goto("/releases")
    texts = [f"pay{one}ments 5" for one in TURNING + INVISIBLE.replace("\ud800", "")]
    texts += [*WRITTEN, HEBREW, "a‹U+200B›b"]
    found = page.evaluate(VISIBLE, texts)
    assert [shown for shown, _ in found] == list(map(display_isolated, texts))
    assert [again for _, again in found] == texts
