"""What a user keeps for themselves, in real Chromium: times in their zone and way, stars, the view they begin with."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.conftest import fill_in, log_in
from tests.browser.test_live_page import base_url, page
from tests.support.harness import Stage
from tests.support.rollout_makers import hierarchy
from tests.support.waiting import eventually

__all__ = ["base_url", "page"]

ANSWERS = {"get_hierarchy": hierarchy(), "get_release_state": hierarchy()}
# A moment of every page, as the element's own words and what pointing at it shows.
MOMENT = """() => {
  const time = document.querySelector(".facts time[data-show=clock]");
  return [time.dateTime, time.textContent, time.title];
}"""
ALL_TELL_THE_YEAR = "[...document.querySelectorAll('time')].every((time) => /\\d{4}/.test(time.title))"


@pytest.fixture
def release(stage: Stage) -> str:
    release = stage.start("mine", ANSWERS)
    stage.start("other", ANSWERS)
    stage.listed("mine", "other")
    return release


@pytest.fixture
def elsewhere(chromium: Browser, base_url: str) -> Iterator[Page]:
    """A second browser of the same user, in another zone."""
    context: BrowserContext = chromium.new_context(base_url=base_url, timezone_id="Asia/Tokyo", locale="de-DE")
    page = context.new_page()
    log_in(page)
    yield page
    context.close()


def set_times(page: Page, zone: str, hours: str) -> None:
    page.goto("/settings")
    page.get_by_label("Time zone").fill(zone)
    page.get_by_label(hours).check()
    with page.expect_navigation():
        page.locator("form", has=page.get_by_label("Time zone")).get_by_role("button", name="Save").click()


def written(page: Page, moment: str, zone: str, cycle: str) -> str:
    """A moment of today as Intl writes it in this zone and way."""
    return page.evaluate(
        "([moment, timeZone, hourCycle]) => new Intl.DateTimeFormat(undefined, "
        "{ timeStyle: 'medium', timeZone, hourCycle }).format(new Date(moment))",
        [moment, zone, cycle],
    )


def test_zone_and_hours_are_followed_on_every_page_also_after_a_change(page: Page, stage: Stage, release: str):
    # Whole hours away from any browser's zone, so that it is today there unless an hour is near midnight.
    for zone, hours, cycle in (("Asia/Kolkata", "24 hours", "h23"), ("Pacific/Marquesas", "12 hours", "h12")):
        set_times(page, zone, hours)
        page.goto(f"/releases/{release}")
        moment, text, title = page.evaluate(MOMENT)
        expected = written(page, moment, zone, cycle)
        assert expected == text or expected.rpartition(":")[0] in text, "with its day where that is not today"
        assert "GMT" in title
        assert ("AM" in title or "PM" in title) is (cycle == "h12")
    stage.tell(release, {"get_hierarchy": hierarchy(state="deployed")})
    expect(page.locator(".tally .succeeded dd")).to_have_text("4")
    again = page.evaluate(MOMENT)
    assert again == [moment, text, title]
    set_times(page, "", "browser default")
    page.goto(f"/releases/{release}")
    assert page.evaluate(MOMENT)[2] != title


def test_every_time_shows_all_of_it_when_pointed_at_and_those_that_are_relative_tick(
    page: Page, stage: Stage, release: str
):
    for path in ("/releases", f"/releases/{release}", f"/releases/{release}/timeline", "/settings", "/problems"):
        page.goto(path)
        assert page.locator("time").count() > 0
        eventually(lambda: page.evaluate(ALL_TELL_THE_YEAR))
    page.goto(f"/releases/{release}")
    last = page.locator(".facts time[data-show=ago]")
    shown = last.inner_text()
    expect(last).not_to_have_text(shown)
    before = last.get_attribute("datetime")
    told = hierarchy() | {"updated_at": datetime.now(UTC).isoformat()}
    stage.tell(release, {"get_hierarchy": told, "get_release_state": told})
    expect(last).not_to_have_attribute("datetime", before or "")
    # What is shown when it is pointed at goes with it.
    seconds = last.get_attribute("datetime")[17:19]
    expect(last).to_have_attribute("title", re.compile(f":{seconds} "))


def test_a_release_is_starred_in_the_list_and_on_its_page_without_leaving_either(
    page: Page, release: str, elsewhere: Page
):
    page.goto("/releases")
    row = page.locator(f'.row[data-entity-id="{release}"]')
    star = row.get_by_role("button", name="Star")
    expect(star).to_have_attribute("aria-pressed", "false")
    star.click()
    expect(star).to_have_attribute("aria-pressed", "true")
    with page.expect_response("**/releases"):
        pass
    expect(star).to_have_attribute("aria-pressed", "true")
    assert page.url.endswith("/releases")
    elsewhere.goto("/releases?starred=1")
    expect(elsewhere.locator(".row.big")).to_have_count(1)
    page.goto(f"/releases/{release}")
    button = page.get_by_role("button", name="Star")
    expect(button).to_have_attribute("aria-pressed", "true")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "false")
    expect(elsewhere.get_by_role("heading", name="No stars yet")).to_be_visible(timeout=15_000)


def test_a_star_takes_effect_while_rows_change(page: Page, stage: Stage, release: str):
    page.goto("/releases")
    row = page.locator(f'.row[data-entity-id="{release}"]')
    row.get_by_role("button", name="Star").click()
    told = {**hierarchy(), "state": "awaiting_approval"}
    stage.tell(release, {"get_release_state": told, "get_hierarchy": told})
    expect(row).to_have_attribute("data-phase", "paused", timeout=30_000)
    expect(row.get_by_role("button", name="Star")).to_have_attribute("aria-pressed", "true")


def test_a_star_that_cannot_be_kept_leads_to_why(page: Page, stage: Stage, release: str):
    stage.browser.post("/stars", data={"add": [f"release:{number}" for number in range(100)]})
    page.goto(f"/releases/{release}")
    page.get_by_role("button", name="Star").click()
    expect(page.locator("main")).to_contain_text("limit of 100 stars reached")


def test_a_saved_view_is_where_the_user_begins_in_every_browser(page: Page, release: str, elsewhere: Page):
    page.goto("/releases?phase=failed&since=7d")
    page.get_by_role("button", name="Save this view").click()
    page.get_by_label("Name of this view").fill("Broken lately")
    page.keyboard.press("Enter")
    expect(page.locator(".views a[aria-current]")).to_have_text("Broken lately")
    page.get_by_role("button", name="Edit view").click()
    page.get_by_role("button", name="Make default").click()
    expect(page.locator(".views a[aria-current]")).to_contain_text("your default")
    page.get_by_role("button", name="Menu").click()
    page.get_by_role("button", name="Sign out").click()
    fill_in(page)
    page.wait_for_url("**/releases?phase=failed&since=7d")
    elsewhere.goto("/")
    expect(elsewhere.locator(".views a[aria-current]")).to_contain_text("Broken lately")


def test_without_javascript_views_and_stars_work_and_times_stand_in_utc(chromium: Browser, base_url: str, release: str):
    context = chromium.new_context(base_url=base_url, java_script_enabled=False)
    page = context.new_page()
    log_in(page)
    page.goto("/releases?phase=running")
    page.get_by_role("button", name="Save this view").click()
    page.get_by_label("Name of this view").fill("Running")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".views a[aria-current]")).to_have_text("Running")
    expect(page.locator(f'.row[data-entity-id="{release}"] .star')).not_to_be_visible()
    page.goto(f"/releases/{release}")
    page.get_by_role("button", name="Star").click()
    expect(page.get_by_role("button", name="Star")).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".facts time").first).to_contain_text("UTC")
    context.close()


def test_the_pages_fit_the_screen_with_all_that_can_be_kept(page: Page, stage: Stage, release: str):
    for number in range(50):
        given = {"name": f"{number} {'long ' * 9}", "query": f"q={'x' * 200}{number}"}
        assert stage.browser.post("/api/views", json=given).status_code == 201
    stage.browser.post("/stars", data={"add": [f"release:{'x' * 250}{number}" for number in range(20)]})
    for path in ("/releases", "/releases?starred=1", "/settings", f"/releases/{release}", f"/releases?q={'x' * 200}1"):
        for width in (390, 1440):
            page.set_viewport_size({"width": width, "height": 800})
            page.goto(path)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
