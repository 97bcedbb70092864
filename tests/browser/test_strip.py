"""Strips in real Chromium: rows of the list get theirs by themselves, and a cell leads to its cluster."""

import re

from playwright.sync_api import Page, expect

from tests.browser.test_live_page import base_url, page, release
from tests.support.harness import Stage
from tests.support.rollout_makers import hierarchy

__all__ = ["base_url", "page", "release"]


def test_a_row_of_the_list_gets_its_strip_and_keeps_it_while_the_row_changes(page: Page, stage: Stage, release: str):
    stage.listed("live")
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto("/releases")
    row = page.locator(f'[data-entity-id="{release}"]')
    expect(row.get_by_role("img", name="one: in progress, 0 of 3 clusters done")).to_be_visible()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/strip/small" in request.url else None)
    tree = hierarchy(clusters=3, apps=3)
    tree["waves"][0]["clusters"][0]["state"] = "deployed"
    tree["state"] = "verifying"
    stage.tell(release, {"get_hierarchy": tree, "get_release_state": tree})
    expect(row).to_have_attribute("data-state", "verifying", timeout=30_000)
    expect(row.locator("svg.small-strip")).to_have_count(1)
    expect(row.get_by_role("img", name="one: in progress, 1 of 3 clusters done")).to_be_visible(timeout=15_000)
    assert len(asked) <= 2, "the row said something new once"


def test_a_cell_says_what_it_is_and_opens_its_cluster_in_the_tree(page: Page, release: str):
    page.goto(f"/releases/{release}")
    cell = page.get_by_role("link", name="c1: in progress, 0 of 3 apps done")
    address = page.url
    page.evaluate("window.stayed = true")
    cell.hover()
    assert "0 of 3 apps done" in cell.evaluate("cell => getComputedStyle(cell, '::after').content")
    cell.click()
    expect(page.locator('details[data-lazy="cluster:c1"]')).to_have_attribute("open", "")
    expect(page.locator('[data-entity-id="app:ac1-0"], [data-entity-id="app:a1-0"]').first).to_be_visible()
    assert page.evaluate("window.stayed"), "the tree was here already"
    # A link to this shows it, too.
    expect(page).to_have_url(re.compile(rf"^{re.escape(address)}\?open=cluster:c1(#|$)"))


def test_arrow_keys_walk_the_cells_and_enter_leads_on(page: Page, release: str):
    page.goto(f"/releases/{release}/strip")
    page.get_by_role("link", name="c0:").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("link", name="c1:")).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**open=cluster:c1#*")
    expect(page.locator('details[data-lazy="cluster:c1"]')).to_have_attribute("open", "")
