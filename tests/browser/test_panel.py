"""The panel of what is selected, in real Chromium: by mouse, by keyboard, by a colleague's link, and without script."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import log_in
from tests.browser.test_live_page import base_url as base_url
from tests.browser.test_live_page import page as page
from tests.browser.test_tree import other as other
from tests.browser.test_tree import release as release
from tests.browser.test_tree import row, set_states, walk, walk_to_first_app
from tests.support.harness import Stage
from tests.support.waiting import eventually

APP, NEXT = "app:a0-0", "app:a0-1"


def open_first_cluster(page: Page, release: str) -> None:
    page.goto(f"/releases/{release}")
    page.locator('details[data-lazy="cluster:c0"] > summary').click()
    expect(row(page, APP)).to_be_visible()
    expect(page).to_have_url(re.compile("[?&]open=cluster:c0(&|$)"))


def expect_panel_of(page: Page, entity_id: str) -> None:
    """The panel tells of this entity, whose row alone is selected."""
    expect(page.locator("#panel [data-entity-id]")).to_have_attribute("data-entity-id", entity_id)
    expect(page.locator('.tree [aria-selected="true"]')).to_have_attribute("data-entity-id", entity_id)
    expect(page).to_have_url(re.compile(f"[?&]selected={entity_id}(&|$)"))


def test_a_click_selects_the_back_key_goes_back_and_the_tree_stays_as_it_is(page: Page, release: str):
    open_first_cluster(page, release)
    page.evaluate("() => { window.same = true; }")
    row(page, APP).locator("a.name").click()
    expect_panel_of(page, APP)
    row(page, NEXT).locator("a.name").click()
    expect_panel_of(page, NEXT)
    # What is open stays in the address.
    expect(page).to_have_url(re.compile("[?&]open=cluster:c0(&|$)"))
    page.locator('#panel a[data-selects="cluster:c0"]').click()
    expect_panel_of(page, "cluster:c0")
    page.go_back()
    expect_panel_of(page, NEXT)
    page.go_back()
    expect_panel_of(page, APP)
    page.go_back()
    expect(page.locator("#panel")).to_be_hidden()
    page.go_forward()
    expect_panel_of(page, APP)
    assert page.evaluate("window.same"), "no page was loaded"


def test_the_keyboard_selects_and_closes_and_the_focus_stays_in_the_tree(page: Page, release: str):
    page.goto(f"/releases/{release}")
    app = walk_to_first_app(page)
    walk(page, "Enter")
    expect_panel_of(page, APP)
    expect(app).to_be_focused()
    walk(page, "ArrowDown", "Space")
    expect_panel_of(page, NEXT)
    expect(row(page, NEXT)).to_be_focused()
    walk(page, "ArrowUp", "ArrowUp", "Enter")
    expect_panel_of(page, "bundle:b0")
    walk(page, "Escape")
    expect(page.locator("#panel")).to_be_hidden()
    expect(row(page, "bundle:b0")).to_be_focused()
    expect(page.locator('.tree [aria-selected="true"]')).to_have_count(0)
    expect(page).not_to_have_url(re.compile("selected"))


def test_a_colleague_who_follows_the_link_sees_exactly_this(page: Page, other: Page, release: str):
    open_first_cluster(page, release)
    row(page, NEXT).locator("a.name").click()
    expect_panel_of(page, NEXT)
    log_in(other)
    other.goto(page.url)
    expect_panel_of(other, NEXT)
    expect(row(other, NEXT)).to_be_in_viewport()
    assert other.locator("#panel h2").text_content() == page.locator("#panel h2").text_content()


def test_a_change_shows_in_the_panel_by_itself_with_what_was_before(page: Page, stage: Stage, release: str):
    open_first_cluster(page, release)
    row(page, APP).locator("a.name").click()
    expect_panel_of(page, APP)
    expect(page.locator("#panel .seen .what")).to_have_count(1)
    set_states(stage, release, {APP: "failed"})
    expect(page.locator("#panel [data-entity-id]")).to_have_attribute("data-state", "failed")
    expect(page.locator("#panel .seen .what")).to_have_text([re.compile("^failed"), re.compile("^deploying")])
    expect(row(page, APP)).to_have_attribute("aria-selected", "true")
    expect(row(page, APP).locator("a.name")).to_be_focused()


def test_an_id_is_copied_and_that_is_told(page: Page, release: str):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"/releases/{release}?selected=wave:one")
    page.locator("#panel .copy").first.click()
    expect(page.locator("#told")).to_have_text("wave:one copied.")
    assert page.evaluate("navigator.clipboard.readText()") == "wave:one"


def test_where_the_clipboard_is_refused_the_id_is_marked(page: Page, release: str):
    page.add_init_script("navigator.clipboard.writeText = () => Promise.reject(new Error('refused'));")
    page.goto(f"/releases/{release}?selected=wave:one")
    page.locator("#panel .copy").first.click()
    expect(page.locator("#told")).to_have_text("wave:one marked.")
    assert page.evaluate("getSelection().toString()") == "wave:one"


@pytest.mark.parametrize("width", [1440, 900, 390])
def test_it_can_be_read_and_closed_at_any_width(page: Page, release: str, width: int):
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"/releases/{release}?selected={APP}")
    panel = page.locator("#panel")
    expect(panel.locator("h2")).to_be_in_viewport()
    expect(row(page, APP)).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    panel.locator("a.close").click()
    expect(panel).to_be_hidden()


def test_without_javascript_a_row_leads_to_its_panel_and_the_panel_out_again(
    chromium: Browser, base_url: str, stage: Stage, release: str
):
    eventually(lambda: stage.json(f"/releases/{release}")["waves"])
    context = chromium.new_context(base_url=base_url, java_script_enabled=False)
    page = context.new_page()
    log_in(page)
    page.goto(f"/releases/{release}?open=cluster:c0")
    row(page, APP).locator("a.name").click()
    expect(page.locator("#panel h2")).to_have_text("a0-0")
    expect(row(page, APP)).to_have_attribute("aria-current", "true")
    expect(page.locator(".copy").filter(visible=True)).to_have_count(0)
    page.locator("#panel a.close").click()
    expect(page.locator("#panel")).to_be_hidden()
    context.close()
