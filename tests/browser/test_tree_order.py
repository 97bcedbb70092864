"""A tree in another order, and what is open in it, in real Chromium: both are in the address, and stay right."""

from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import log_in
from tests.browser.test_live_page import base_url as base_url
from tests.browser.test_live_page import page as page
from tests.browser.test_tree import other as other
from tests.browser.test_tree import row
from tests.support.harness import Stage
from tests.support.rollout_makers import hierarchy
from tests.support.waiting import eventually

CLUSTERS = 40


@pytest.fixture
def release(stage: Stage) -> str:
    tree = told()
    return stage.start("order", {"get_hierarchy": tree, "get_release_state": tree})


def told(*failed: int) -> dict[str, Any]:
    """A release in whose clusters of these numbers an app failed."""
    tree = hierarchy(clusters=CLUSTERS, apps=1)
    for number in failed:
        tree["waves"][0]["clusters"][number]["bundle"]["apps"][0]["state"] = "failed"
    return tree


def clusters(page: Page) -> list[str]:
    """The ids of the clusters, from top to bottom."""
    ids: list[str] = page.eval_on_selector_all(".tree .row.cluster", "rows => rows.map((row) => row.dataset.entityId)")
    return ids


def top(page: Page) -> float:
    """Where in the window the row with the focus stands."""
    place: float = page.evaluate("document.activeElement.getBoundingClientRect().top")
    return place


def test_an_order_is_chosen_keeps_what_is_open_and_stands_short_in_the_address(page: Page, stage: Stage, release: str):
    page.goto(f"/releases/{release}")
    row(page, "cluster:c2").click()
    expect(row(page, "app:a2-0")).to_be_visible()
    page.wait_for_url("**?open=cluster:c2")
    page.get_by_label("Sort rows").select_option("by name")
    page.get_by_role("button", name="Apply").click()
    page.wait_for_url(f"**/releases/{release}?sort=name&open=cluster:c2")
    expect(row(page, "app:a2-0")).to_be_visible()
    assert clusters(page) == [f"cluster:c{number}" for number in range(CLUSTERS)]


def test_a_change_that_moves_rows_leaves_the_focus_and_what_the_viewer_is_at_in_their_place(
    page: Page, stage: Stage, release: str
):
    page.set_viewport_size({"width": 900, "height": 420})
    page.goto(f"/releases/{release}?sort=worst")
    first = row(page, "cluster:c0")
    expect(first).to_have_attribute("aria-posinset", "1")
    here = row(page, "cluster:c20")
    here.focus()
    page.mouse.move(0, 0)
    place = top(page)
    stage.tell(release, {"get_hierarchy": told(39, 30)})
    expect(first).to_have_attribute("aria-posinset", "3")
    assert clusters(page)[:3] == ["cluster:c30", "cluster:c39", "cluster:c0"]
    expect(here).to_be_focused()
    expect(here).to_have_attribute("tabindex", "0")
    assert top(page) == pytest.approx(place, abs=1), "but for parts of a pixel"
    stage.tell(release, {"get_hierarchy": told(20)})
    expect(here).to_have_attribute("aria-posinset", "1")
    expect(here).to_be_focused()
    assert clusters(page)[:2] == ["cluster:c20", "cluster:c0"]
    assert top(page) == pytest.approx(place, abs=1), "but for parts of a pixel"


def test_the_address_shows_another_person_which_bundles_are_closed(page: Page, other: Page, release: str):
    page.goto(f"/releases/{release}?open=cluster:c1")
    row(page, "bundle:b1").click()
    page.wait_for_url("**?open=cluster:c1&shut=bundle:b1")
    log_in(other)
    other.goto(page.url)
    expect(row(other, "bundle:b1")).to_have_attribute("aria-expanded", "false")
    row(other, "cluster:c1").click()
    other.wait_for_url("**?shut=bundle:b1")
    other.reload()
    row(other, "cluster:c1").click()
    expect(row(other, "bundle:b1")).to_have_attribute("aria-expanded", "false")
    row(other, "bundle:b1").click()
    other.wait_for_url("**?open=cluster:c1")


def test_what_is_open_on_the_page_of_an_entity_stands_in_the_address_too(page: Page, release: str):
    page.goto(f"/releases/{release}/entities/wave:one")
    row(page, "cluster:c3").click()
    page.wait_for_url("**/entities/wave:one?open=cluster:c3")
    page.reload()
    expect(row(page, "app:a3-0")).to_be_visible()


def test_without_javascript_an_order_is_chosen(chromium: Browser, base_url: str, stage: Stage, release: str):
    stage.tell(release, {"get_hierarchy": told(5)})
    eventually(lambda: stage.json(f"/releases/{release}?sort=worst")["waves"][0]["clusters"][0]["id"] == "cluster:c5")
    context = chromium.new_context(base_url=base_url, java_script_enabled=False)
    page = context.new_page()
    log_in(page)
    page.goto(f"/releases/{release}")
    page.get_by_label("Sort rows").select_option("worst first")
    page.get_by_role("button", name="Apply").click()
    page.wait_for_url("**sort=worst*")
    eventually(lambda: clusters(page)[:2] == ["cluster:c5", "cluster:c0"])
    expect(page.get_by_label("Sort rows")).to_have_value("worst")
    context.close()
