"""A wall screen in real Chromium: it takes turns, shows what changes, and says when it cannot know."""

import re
import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from werkzeug.serving import BaseWSGIServer, make_server

from dashboard.web.services import services
from tests.browser.test_live_page import OFTEN
from tests.support.harness import EMAIL, Stage
from tests.support.rollout_makers import hierarchy
from tests.support.waiting import eventually

WALL = {"width": 1920, "height": 1080}


class Site:
    """The stage's dashboard over HTTP, which can go away and come back at the same port."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.port = 0
        self.come()

    def come(self) -> None:
        self._server: BaseWSGIServer = make_server("127.0.0.1", self.port, self._stage.app, threaded=True)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def go(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def site(stage: Stage) -> Iterator[Site]:
    site = Site(stage)
    yield site
    site.go()


@pytest.fixture
def token(stage: Stage) -> str:
    accounts = services(stage.app).accounts
    return str(accounts.kiosk_links.add(accounts.known(EMAIL), "Kitchen"))


@pytest.fixture
def screen(chromium: Browser, site: Site) -> Iterator[Page]:
    """A screen on which nobody has logged in."""
    context = chromium.new_context(base_url=f"http://127.0.0.1:{site.port}", viewport=WALL, reduced_motion="reduce")
    context.add_init_script(OFTEN)
    page = context.new_page()
    mistakes: list[str] = []
    page.on("pageerror", lambda error: mistakes.append(str(error)))
    yield page
    context.close()
    assert mistakes == []


def start(stage: Stage, name: str, state: str = "deploying") -> str:
    tree = hierarchy(clusters=3, apps=3, state=state)
    return stage.start(name, {"get_hierarchy": tree, "get_release_state": tree})


def test_it_takes_turns_without_loading_the_page_again(screen: Page, stage: Stage, token: str):
    names = {start(stage, name) for name in ("one", "two")}
    stage.listed("one", "two")
    screen.goto(f"/kiosk/open/{token}?every=5")
    assert screen.url.endswith("/kiosk?every=5"), "the token has left the address"
    screen.evaluate("window.stayed = true")
    seen = set()

    def both_were_shown() -> bool:
        shown = screen.locator("article.slide")
        seen.add((shown.get_attribute("data-entity-id"), screen.locator(".of").inner_text()))
        screen.wait_for_timeout(200)
        return {release for release, _ in seen} == names and len({place for _, place in seen}) == len(names)

    eventually(both_were_shown)
    assert {place for _, place in seen} == {"1 of 2", "2 of 2"}
    assert screen.evaluate("window.stayed")
    assert screen.locator("a, button, input, select, summary, [tabindex]").count() == 0, "nothing is to be operated"


def test_what_changes_shows_while_a_release_stands_there_and_its_end_too(screen: Page, stage: Stage, token: str):
    release = start(stage, "live")
    stage.listed("live")
    screen.goto(f"/kiosk/open/{token}")
    cell = screen.locator('[data-entity-id="cluster:c0"]')
    expect(cell).to_have_attribute("data-phase", "running")
    tree = hierarchy(clusters=3, apps=3)
    tree["waves"][0]["clusters"][0]["state"] = "deployed"
    stage.tell(release, {"get_hierarchy": tree})
    expect(cell).to_have_attribute("data-phase", "succeeded")
    stage.end(release, "well")
    expect(screen.get_by_role("heading", name="No releases in progress")).to_be_visible(timeout=20_000)
    expect(screen.locator(".ends")).to_contain_text("live")


def test_revoking_its_link_ends_it_and_another_link_brings_it_back(screen: Page, stage: Stage, token: str):
    start(stage, "live")
    stage.listed("live")
    screen.goto(f"/kiosk/open/{token}")
    expect(screen.locator("article.slide")).to_be_visible()
    accounts = services(stage.app).accounts
    maker = accounts.known(EMAIL)
    (link,) = accounts.kiosk_links.of(maker)
    assert accounts.kiosk_links.revoke(maker, link.id)
    said = screen.get_by_role("heading", name="This screen link is no longer valid")
    expect(said).to_be_visible(timeout=10_000)
    expect(screen.locator("article.slide")).to_have_count(0)
    assert float(said.evaluate("heading => parseFloat(getComputedStyle(heading).fontSize)")) > 80
    other = screen.context.new_page()
    other.goto(f"/kiosk/open/{accounts.kiosk_links.add(maker, 'Again')}")
    other.close()
    expect(screen.locator("article.slide")).to_be_visible(timeout=15_000)


def test_a_server_that_is_away_is_said_at_once_and_what_was_known_is_not_shown_as_current(
    screen: Page, stage: Stage, site: Site, token: str
):
    start(stage, "live")
    stage.listed("live")
    screen.goto(f"/kiosk/open/{token}")
    slide = screen.locator("article.slide")
    expect(slide).to_have_css("filter", "none")
    site.go()
    lost = screen.locator("#pulse")
    expect(lost).to_have_text(re.compile("Disconnected since"))
    assert "No contact" in lost.evaluate("element => getComputedStyle(element, '::before').content")
    assert float(lost.evaluate("element => parseFloat(getComputedStyle(element).fontSize)")) > 40
    expect(slide).not_to_have_css("filter", "none")
    site.come()
    expect(lost).not_to_have_class(re.compile("lost"))
    expect(slide).to_have_css("filter", "none")


def test_without_a_script_it_takes_turns_too(chromium: Browser, site: Site, stage: Stage, token: str):
    for name in ("one", "two"):
        start(stage, name)
    stage.listed("one", "two")
    context = chromium.new_context(base_url=f"http://127.0.0.1:{site.port}", java_script_enabled=False)
    page = context.new_page()
    page.goto(f"/kiosk/open/{token}?every=5")
    first = page.locator("article.slide").get_attribute("data-entity-id")
    expect(page.locator("article.slide")).not_to_have_attribute("data-entity-id", str(first))
    assert "show=" in page.url
    context.close()
