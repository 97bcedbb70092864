"""The open page in real Chromium: what has been opened stays, what changes shows, and it works without JavaScript."""

import re
from collections.abc import Iterator
from typing import Literal

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.conftest import fill_in, log_in, over_http, wait_until_led_to
from tests.browser.test_news import asked_of
from tests.integration.test_levels import answers, start
from tests.support.harness import Stage
from tests.support.rollout_makers import hierarchy
from tests.support.waiting import eventually

THEMES: tuple[Literal["light"], Literal["dark"]] = ("light", "dark")
# The page asks three times a second, not every few: before its own scripts run, which come after the document's.
OFTEN = """document.addEventListener("readystatechange", () => {
  const live = document.getElementById("live");
  if (live) live.dataset.every = "0.3";
});"""


@pytest.fixture
def base_url(stage: Stage) -> Iterator[str]:
    """The stage's dashboard, served over HTTP on a free port."""
    with over_http(stage.app) as url:
        yield url


@pytest.fixture
def page(chromium: Browser, base_url: str) -> Iterator[Page]:
    """A page in which the user has logged in; whatever its console complains of fails the test."""
    context = chromium.new_context(base_url=base_url)
    context.add_init_script(OFTEN)
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    log_in(page)
    yield page
    context.close()
    # A request that the test itself let fail is told on the console, and is no complaint.
    assert [text for text in complaints if "Failed to load" not in text and "Failed to fetch" not in text] == []


@pytest.fixture
def release(stage: Stage) -> str:
    tree = hierarchy(clusters=3, apps=3)
    return stage.start("live", {"get_hierarchy": tree, "get_release_state": tree})


def set_state(stage: Stage, release: str, state: str, app: int = 0) -> None:
    """Let the first cluster's app change its state."""
    tree = hierarchy(clusters=3, apps=3)
    tree["waves"][0]["clusters"][0]["bundle"]["apps"][app]["state"] = state
    stage.tell(release, {"get_hierarchy": tree})


def test_a_login_leads_to_the_page_that_was_asked_for(chromium: Browser, base_url: str, release: str):
    context = chromium.new_context(base_url=base_url)
    page = context.new_page()
    page.goto(f"/releases/{release}")
    assert "/login" in page.url
    fill_in(page)
    page.wait_for_url(f"**/releases/{release}")
    expect(page.locator("h1")).to_contain_text("in progress")
    context.close()


def test_the_rows_of_a_cluster_are_loaded_when_it_is_opened(page: Page, release: str):
    page.goto(f"/releases/{release}")
    cluster = page.locator('details[data-lazy="cluster:c0"]')
    expect(cluster.locator(".row.app")).to_have_count(0)
    cluster.locator("> summary").click()
    expect(cluster.locator(".row.app")).to_have_count(3)
    expect(page.locator('details[data-lazy="cluster:c1"] .row.app')).to_have_count(0)


def test_a_change_shows_by_itself_and_keeps_what_is_open_focused_and_selected(page: Page, stage: Stage, release: str):
    page.set_viewport_size({"width": 900, "height": 420})
    page.goto(f"/releases/{release}")
    cluster = page.locator('details[data-lazy="cluster:c0"]')
    cluster.locator("> summary").click()
    app = page.locator('[data-entity-id="app:a0-0"]')
    expect(app).to_have_attribute("data-state", "deploying")
    page.locator('details[data-lazy="cluster:c2"] > summary').click()
    page.locator('details[data-lazy="cluster:c2"] > summary').click()
    link = app.locator("a.name")
    page.mouse.move(0, 0)
    link.focus()
    page.evaluate("window.scrollTo(0, 120)")
    page.evaluate("getSelection().selectAllChildren(document.querySelector('[data-entity-id=\"app:a0-1\"] .ver'))")
    place = link.bounding_box()
    set_state(stage, release, "deployed")
    expect(app).to_have_attribute("data-state", "deployed")
    expect(app).to_have_attribute("data-phase", "succeeded")
    expect(cluster).to_have_attribute("open", "")
    expect(page.locator('details[data-lazy="cluster:c2"]')).not_to_have_attribute("open", "")
    expect(link).to_be_focused()
    assert link.bounding_box() == place
    assert page.evaluate("getSelection().toString()") == "1.0.0"
    expect(page.locator("#pulse")).to_have_text("Live")


def test_what_the_viewer_closed_stays_closed_even_if_it_fails(page: Page, stage: Stage, release: str):
    set_state(stage, release, "failed")
    eventually(lambda: stage.json(f"/releases/{release}")["progress"]["failed"])
    page.goto(f"/releases/{release}")
    cluster = page.locator('details[data-lazy="cluster:c0"]')
    expect(cluster).to_have_attribute("open", "")
    cluster.locator("> summary").click()
    expect(cluster).not_to_have_attribute("open", "")
    set_state(stage, release, "failed", app=1)
    expect(page.locator(".tally .failed dd")).to_have_text("1")
    expect(page.locator(".notice.blocked")).to_contain_text("c0")
    with page.expect_response(lambda response: f"/releases/{release}" in response.url):
        pass
    expect(cluster).not_to_have_attribute("open", "")


def test_an_unchanged_page_is_answered_with_304_and_says_how_fresh_it_is(page: Page, release: str):
    page.goto(f"/releases/{release}")
    moment = page.locator("#as-of time")
    first = moment.get_attribute("datetime")
    with page.expect_response(lambda response: response.status == 304):
        pass
    expect(moment).not_to_have_attribute("datetime", first or "")


def test_an_ended_release_is_not_asked_for_again(page: Page, stage: Stage, release: str):
    page.goto(f"/releases/{release}")
    stage.end(release, "well")
    expect(page.locator("h1")).to_contain_text("succeeded")
    expect(page.locator("#pulse")).to_be_hidden()
    asked = asked_of(page)
    page.wait_for_timeout(1_000)
    assert asked == []


def test_when_the_dashboard_goes_the_page_says_since_when_it_is_not_current(page: Page, release: str):
    page.goto(f"/releases/{release}")
    expect(page.locator("#pulse")).to_have_text("Live")
    page.route("**/releases/**", lambda route: route.abort())
    expect(page.locator("#pulse")).to_have_text(re.compile("Disconnected since"))
    expect(page.locator(".tree .row").first).to_be_visible()
    page.unroute("**/releases/**")
    expect(page.locator("#pulse")).to_have_text("Live")


def test_when_the_session_ends_elsewhere_the_open_page_goes_to_the_login(page: Page, release: str):
    page.goto(f"/releases/{release}")
    page.context.clear_cookies()
    wait_until_led_to(page, re.compile(r"/login\?next=.*releases"))


def test_a_page_whose_stream_is_the_first_to_be_refused_goes_to_the_login(page: Page, release: str):
    page.add_init_script(OFTEN.replace("0.3", "3600"))
    page.route("**/live/**", lambda route: (page.context.clear_cookies(), route.continue_(headers={"Cookie": ""})))
    page.goto(f"/releases/{release}")
    wait_until_led_to(page, re.compile(r"/login\?next=.*releases"))


def test_it_works_without_javascript(chromium: Browser, base_url: str, stage: Stage, release: str):
    stage.listed("live")
    eventually(lambda: stage.json(f"/releases/{release}")["waves"])
    context: BrowserContext = chromium.new_context(base_url=base_url, java_script_enabled=False)
    page = context.new_page()
    page.goto("/")
    fill_in(page)
    page.locator(f'a.cover[href="/releases/{release}"]').click()
    wave = page.locator("details:has(> summary.wave)")
    expect(page.locator("summary.cluster").first).to_be_visible()
    wave.locator("> summary").click()
    expect(page.locator("summary.cluster").first).to_be_hidden()
    wave.locator("> summary").click()
    page.locator("summary.cluster").first.click()
    page.locator("a.more").first.click()
    expect(page.locator(".row.app")).to_have_count(3)
    context.close()


def test_the_list_renews_itself_without_touching_what_is_being_typed(page: Page, stage: Stage, release: str):
    stage.listed("live")
    page.goto("/releases?phase=running")
    search = page.get_by_role("searchbox")
    search.fill(f"{stage.prefix}-l")
    with page.expect_response(lambda response: "/releases?phase=running" in response.url):
        pass
    expect(search).to_have_value(f"{stage.prefix}-l")
    search.press("Enter")
    page.wait_for_url(re.compile(r"/releases\?phase=running&q=release%3A"))
    expect(page.locator(".row.big")).to_have_count(1)


def test_no_page_is_wider_than_the_screen_in_either_theme(page: Page, release: str, stage: Stage):
    set_state(stage, release, "failed")
    stage.listed("live")
    filtered = "/releases?phase=failed,timed_out,cancelled,terminated&since=7d&q=" + "long" * 50
    for path in (
        "/releases",
        filtered,
        f"/releases/{release}",
        f"/releases/{release}/strip",
        f"/releases/{release}/entities/cluster:c0",
        "/releases/odd",
    ):
        for width in (390, 1440):
            page.set_viewport_size({"width": width, "height": 800})
            page.goto(path)
            for theme in THEMES:
                page.emulate_media(color_scheme=theme)
                assert page.evaluate("document.documentElement.scrollWidth") <= width, (path, theme)


def test_a_problem_leads_to_its_row_with_all_above_it_open(page: Page, stage: Stage, release: str):
    set_state(stage, release, "failed", app=1)
    stage.listed("live")
    page.goto("/problems")
    row = page.locator('.row.app[data-entity-id="app:a0-1"]')
    expect(row).to_be_visible(timeout=15_000)
    row.locator("a.name").click()
    page.wait_for_url(f"**/releases/{release}?open=*")
    there = page.locator('.row:target[data-entity-id="app:a0-1"]')
    expect(there).to_be_in_viewport()


def test_a_wave_of_a_release_too_large_for_one_answer_is_read_when_it_is_opened_and_stays_open(
    page: Page, stage: Stage
):
    said = answers(["wave:a", "wave:b"], clusters=3, apps=2)
    release = start(stage, "large", said)
    page.goto(f"/releases/{release}")
    wave = page.locator('details[data-lazy="wave:a"]')
    expect(wave).not_to_have_attribute("open", "")
    wave.locator("> summary").click()
    expect(wave.locator(".row.cluster")).to_have_count(3)
    cluster = wave.locator('details[data-lazy="cluster:ca-1"]')
    cluster.locator("> summary").click()
    expect(cluster.locator('.row.app[data-state="deploying"]')).to_have_count(2)
    moved = {"state_of": {"clusters": 3, "apps": 2, "state": "deployed"}}
    stage.tell(release, {"get_app_state": moved})
    expect(cluster.locator('.row.app[data-state="deployed"]')).to_have_count(2)
    expect(wave).to_have_attribute("open", "")
    expect(cluster).to_have_attribute("open", "")
    expect(page.locator('details[data-lazy="wave:b"] .row.cluster')).to_have_count(0)
    expect(page.locator("#pulse")).to_have_text("Live")
