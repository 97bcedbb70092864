"""The tree in real Chromium: one stop for the tab key, arrows within, and what it says to those who do not see it."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.conftest import fill_in, log_in
from tests.browser.test_live_page import base_url as base_url
from tests.browser.test_live_page import page as page
from tests.support.harness import Stage
from tests.support.rollout_makers import hierarchy
from tests.support.waiting import eventually


@pytest.fixture
def release(stage: Stage) -> str:
    tree = hierarchy(clusters=3, apps=3)
    return stage.start("tree", {"get_hierarchy": tree, "get_release_state": tree})


@pytest.fixture
def other(chromium: Browser, base_url: str) -> Iterator[Page]:
    """Another person's browser."""
    context = chromium.new_context(base_url=base_url)
    page = context.new_page()
    yield page
    context.close()


def set_states(stage: Stage, release: str, states: dict[str, str]) -> None:
    """Let these apps of the first cluster change their states."""
    tree = hierarchy(clusters=3, apps=3)
    for app in tree["waves"][0]["clusters"][0]["bundle"]["apps"]:
        app["state"] = states.get(app["id"], app["state"])
    stage.tell(release, {"get_hierarchy": tree})


def row(page: Page, entity_id: str) -> Locator:
    return page.locator(f'.tree .row[data-entity-id="{entity_id}"]')


def walk(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def walk_to_first_app(page: Page) -> Locator:
    """By keyboard alone, from the tree's one stop to the first app of the first cluster."""
    expect(row(page, "wave:one")).to_have_attribute("tabindex", "0")
    row(page, "wave:one").focus()
    walk(page, "ArrowRight", "ArrowRight")
    expect(row(page, "bundle:b0")).to_be_visible()
    walk(page, "ArrowRight", "ArrowRight")
    return row(page, "app:a0-0")


def test_the_keyboard_alone_leads_down_to_an_app_and_selects_it(page: Page, release: str):
    page.goto(f"/releases/{release}")
    app = walk_to_first_app(page)
    expect(app).to_be_focused()
    walk(page, "End")
    expect(row(page, "cluster:c2")).to_be_focused()
    walk(page, "Home", "*")
    expect(row(page, "wave:one")).to_be_focused()
    walk(page, "ArrowDown", "ArrowDown")
    # What is typed is one word if it comes quickly: it is one message to the browser's driver.
    page.keyboard.type("a0-2")
    expect(row(page, "app:a0-2")).to_be_focused()
    walk(page, "ArrowLeft", "ArrowLeft")
    expect(row(page, "bundle:b0")).to_have_attribute("aria-expanded", "false")
    walk(page, "Space", "ArrowDown")
    expect(app).to_be_focused()
    walk(page, "Enter")
    page.wait_for_url(re.compile("[?&]selected=app:a0-0(&|$)"))
    expect(app).to_be_focused()


def test_the_tab_key_first_leads_to_the_first_row_and_an_asterisk_opens_all_beside_a_row(page: Page, release: str):
    page.goto(f"/releases/{release}")
    expect(row(page, "wave:one")).to_have_attribute("tabindex", "0")
    page.get_by_role("link", name="Download NDJSON").focus()
    walk(page, "Tab")
    expect(row(page, "wave:one")).to_be_focused()
    expect(page.locator('.tree [tabindex="0"]')).to_have_count(1)
    walk(page, "ArrowRight", "*")
    expect(page.locator(".row.app")).to_have_count(9)
    for number in range(3):
        expect(row(page, f"cluster:c{number}")).to_have_attribute("aria-expanded", "true")
    walk(page, "End")
    expect(row(page, "app:a2-2")).to_be_focused()
    walk(page, "ArrowLeft", "ArrowLeft", "ArrowLeft", "ArrowLeft", "ArrowRight", "Enter")
    page.wait_for_url(re.compile("[?&]selected=cluster:c2(&|$)"))


def test_the_tab_key_stops_at_the_tree_once(page: Page, release: str):
    page.goto(f"/releases/{release}")
    walk_to_first_app(page)
    stops = page.locator('.tree [tabindex="0"], .tree a:not([tabindex="-1"]), .tree summary:not([tabindex])')
    expect(stops.filter(visible=True)).to_have_count(1)
    walk(page, "Tab")
    assert page.evaluate("document.activeElement.closest('.tree')") is None


def test_each_row_says_where_it_stands_and_still_does_after_a_change(page: Page, stage: Stage, release: str):
    page.goto(f"/releases/{release}")
    app = walk_to_first_app(page)
    said = {"role": "treeitem", "aria-level": "4", "aria-posinset": "1", "aria-setsize": "3", "aria-selected": "false"}
    for name, value in said.items():
        expect(app).to_have_attribute(name, value)
    set_states(stage, release, {"app:a0-0": "failed", "app:a0-1": "deployed"})
    expect(app).to_have_attribute("data-state", "failed")
    expect(app).to_be_focused()
    for name, value in said.items():
        expect(app).to_have_attribute(name, value)
    expect(row(page, "cluster:c0")).to_have_attribute("aria-expanded", "true")
    expect(row(page, "cluster:c1")).to_have_attribute("aria-expanded", "false")
    expect(row(page, "cluster:c1")).to_have_attribute("aria-level", "2")
    expect(page.locator("ul.tree")).to_have_attribute("role", "tree")
    expect(page.locator('.tree .row:not(a):not([role="treeitem"])')).to_have_count(0)


def test_rows_that_come_and_go_are_counted_anew_and_the_focus_stays_near(page: Page, stage: Stage, release: str):
    page.goto(f"/releases/{release}")
    walk_to_first_app(page)
    walk(page, "ArrowDown", "ArrowDown")
    expect(row(page, "app:a0-2")).to_be_focused()
    tree = hierarchy(clusters=3, apps=2)
    stage.tell(release, {"get_hierarchy": tree})
    expect(row(page, "app:a0-2")).to_have_count(0)
    expect(row(page, "app:a0-1")).to_have_attribute("aria-setsize", "2")
    expect(row(page, "bundle:b0")).to_be_focused()
    expect(page.locator('.tree [tabindex="0"]')).to_have_count(1)


def test_what_changed_is_told_in_bulk_the_worst_first_and_nothing_at_first(page: Page, stage: Stage, release: str):
    page.goto(f"/releases/{release}")
    told = page.locator("#told")
    expect(told).to_have_attribute("aria-live", "polite")
    expect(page.locator("#pulse")).to_have_text("Live")
    expect(told).to_be_empty()
    set_states(stage, release, {"app:a0-0": "failed", "app:a0-1": "deployed", "app:a0-2": "failed"})
    expect(told).to_have_text("2 apps failed in cluster c0; 1 app done in cluster c0.")


def test_messages_are_two_seconds_apart(page: Page, stage: Stage, release: str):
    page.goto(f"/releases/{release}")
    expect(row(page, "cluster:c0")).to_be_visible()
    page.evaluate("""() => {
      window.toldAt = [];
      new MutationObserver(() => window.toldAt.push(performance.now()))
        .observe(document.getElementById("told"), { childList: true });
    }""")
    told = page.locator("#told")
    set_states(stage, release, {"app:a0-0": "deployed"})
    expect(told).to_have_text("1 app done in cluster c0.")
    set_states(stage, release, {"app:a0-0": "deployed", "app:a0-1": "failed"})
    expect(told).to_have_text("1 app failed in cluster c0.")
    first, second = page.evaluate("window.toldAt")
    assert second - first >= 1_990


def test_the_address_shows_another_person_what_is_open_and_what_was_closed(
    page: Page, other: Page, stage: Stage, release: str
):
    set_states(stage, release, {"app:a0-0": "failed"})
    page.goto(f"/releases/{release}")
    expect(row(page, "app:a0-0")).to_have_attribute("data-state", "failed")
    expect(row(page, "cluster:c0")).to_have_attribute("aria-expanded", "true")
    assert page.url.endswith(f"/releases/{release}"), "what is open by itself need not be named"
    row(page, "cluster:c0").click()
    row(page, "cluster:c2").click()
    page.wait_for_url(f"**/releases/{release}?open=cluster:c2&shut=cluster:c0")
    other.goto(page.url)
    fill_in(other)
    other.wait_for_url(page.url)
    expect(row(other, "app:a2-0")).to_be_visible()
    expect(row(other, "cluster:c0")).to_have_attribute("aria-expanded", "false")
    row(page, "wave:one").click()
    page.wait_for_url("**&shut=wave:one&shut=cluster:c0")
    other.goto(page.url)
    expect(row(other, "wave:one")).to_have_attribute("aria-expanded", "false")
    row(other, "wave:one").click()
    expect(row(other, "cluster:c1")).to_be_visible()


def test_a_filtered_tree_stays_filtered_and_current(page: Page, stage: Stage, release: str):
    page.goto(f"/releases/{release}")
    page.get_by_role("searchbox").fill("a0")
    page.get_by_label("State of a row").select_option("failed")
    page.get_by_role("button", name="Apply").click()
    page.wait_for_url("**q=a0&phase=failed*")
    expect(page.get_by_role("heading", name="No results")).to_be_visible()
    set_states(stage, release, {"app:a0-1": "failed"})
    expect(row(page, "app:a0-1")).to_be_visible(timeout=15_000)
    expect(page.locator(".tree-count")).to_contain_text("1 of 16 rows matches")
    expect(page.locator(".tree .row.app")).to_have_count(1)
    expect(page.locator(".tree .row.cluster")).to_have_count(1)
    expect(row(page, "app:a0-1")).to_have_attribute("aria-setsize", "1")
    page.get_by_role("link", name="Show all").click()
    expect(page.locator(".tree .row.cluster")).to_have_count(3)


def test_without_javascript_it_is_filtered_opened_and_closed(
    chromium: Browser, base_url: str, stage: Stage, release: str
):
    set_states(stage, release, {"app:a0-1": "failed"})
    eventually(lambda: stage.json(f"/releases/{release}")["progress"]["failed"])
    context = chromium.new_context(base_url=base_url, java_script_enabled=False)
    page = context.new_page()
    log_in(page)
    page.goto(f"/releases/{release}")
    expect(page.locator("[role=treeitem]")).to_have_count(0)
    page.get_by_role("link", name="Expand all").click()
    expect(page.locator(".row.app")).to_have_count(9)
    page.get_by_role("link", name="Expand to failures").click()
    expect(page.locator(".row.app")).to_have_count(3)
    page.get_by_role("link", name="Collapse all").click()
    expect(page.locator(".row.wave")).to_be_visible()
    expect(page.locator(".row.cluster")).to_have_count(0)
    page.get_by_role("searchbox").fill("A2-1")
    page.keyboard.press("Enter")
    expect(page.locator(".row.app")).to_have_count(1)
    expect(row(page, "app:a2-1")).to_be_visible()
    context.close()


def test_opening_and_closing_a_whole_tree_stands_in_the_address_with_what_differs(page: Page, release: str):
    page.goto(f"/releases/{release}")
    page.get_by_role("link", name="Expand all").click()
    expect(page.locator(".row.app")).to_have_count(9)
    row(page, "cluster:c1").click()
    page.wait_for_url(f"**/releases/{release}?open=all&shut=cluster:c1")
    with page.expect_response(lambda answer: "hx-request" in answer.request.headers):
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("#live.htmx-request")).to_have_count(0)
    row(page, "cluster:c2").click()
    page.wait_for_url(f"**/releases/{release}?open=all&shut=cluster:c1&shut=cluster:c2")
    page.reload()
    expect(page.locator(".row.app")).to_have_count(3)
