"""The timeline in real Chromium: what goes on grows up to now, and what changes shows."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_live_page import base_url, page
from tests.support.harness import Stage
from tests.support.rollout_makers import hierarchy

__all__ = ["base_url", "page"]

BEGAN = datetime.now(UTC) - timedelta(minutes=10)
WIDTH = "bar => parseFloat(bar.getAttribute('width'))"


def told(*states: str) -> dict[str, Any]:
    """A release of a wave of three clusters, which have these states since one minute after another."""
    tree = hierarchy(clusters=3, apps=1, state="pending")
    (wave,) = tree["waves"]
    for number, (cluster, state) in enumerate(zip(wave["clusters"], states, strict=False)):
        changed = (BEGAN + timedelta(minutes=number)).isoformat()
        app = cluster["bundle"]["apps"][0]
        for row in (cluster, cluster["bundle"], app):
            row |= {"state": state, "updated_at": changed}
    return tree


@pytest.fixture
def release(stage: Stage) -> str:
    return stage.start("timeline", {"get_hierarchy": told("deployed", "deploying"), "get_release_state": told()})


def test_what_goes_on_grows_up_to_now_and_what_is_done_does_not(page: Page, release: str):
    page.goto(f"/releases/{release}/timeline")
    running = page.locator("[data-entity-id='cluster:c1'] rect.running")
    expect(page.locator(".axis .now > span")).to_have_text("now")
    page.wait_for_function("""() => {
      const end = document.querySelector("[data-entity-id='cluster:c1'] rect").getBoundingClientRect().right;
      return Math.abs(end - document.querySelector(".grid .now").getBoundingClientRect().left) < 3;
    }""")
    width = running.evaluate(WIDTH)
    page.wait_for_function(f"({WIDTH})(document.querySelector('rect.running')) > {width}", timeout=40_000)
    assert page.locator("[data-entity-id='cluster:c0'] rect.succeeded").evaluate(WIDTH) < width


def test_on_a_narrow_screen_times_are_whole_and_no_line_goes_through_words(page: Page, release: str):
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"/releases/{release}/timeline")
    page.wait_for_selector(".timeline[data-drawn]")
    right = "element => element.getBoundingClientRect().right"
    edge = page.locator(".timeline").evaluate(right)
    times = page.locator(".axis foreignObject:not(.now) time")
    assert [text for time in times.all() if time.evaluate(right) > edge and (text := time.text_content())] == []
    name = page.locator("[data-entity-id='cluster:c2'] .name > a")
    assert name.evaluate("name => getComputedStyle(name).backgroundColor") != "rgba(0, 0, 0, 0)"


def test_what_changes_shows_on_an_open_timeline(page: Page, stage: Stage, release: str):
    page.goto(f"/releases/{release}/timeline")
    third = page.locator("[data-entity-id='cluster:c2']")
    expect(third).to_contain_text("times unknown")
    expect(third.locator("rect")).to_have_count(0)
    stage.tell(release, {"get_hierarchy": told("deployed", "deployed", "failed")})
    expect(third).to_have_attribute("data-phase", "failed")
    expect(third.locator("rect.failed")).to_be_visible()
    expect(third.locator("svg.mark.failed title")).to_contain_text("failed")
    expect(page.locator("[data-entity-id='cluster:c1'] rect.succeeded")).to_be_visible()


def test_on_a_small_screen_nothing_stands_out_at_the_side(page: Page, release: str):
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(f"/releases/{release}/timeline")
    expect(page.locator("#timeline[data-drawn]")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    name = page.locator("[data-entity-id='cluster:c0'] .name").bounding_box()
    bar = page.locator("[data-entity-id='cluster:c0'] rect").bounding_box()
    assert name
    assert bar
    assert name["y"] + name["height"] <= bar["y"]
