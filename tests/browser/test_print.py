"""A release on paper, and for eyes that need more contrast or colours of their own."""

from playwright.sync_api import Page, expect

from tests.browser.test_live_page import base_url, page, release

__all__ = ["base_url", "page", "release"]

STYLE = "(element, name) => getComputedStyle(element)[name]"


def test_paper_has_what_is_open_in_black_on_white_with_its_moment_and_address(page: Page, release: str, base_url: str):
    page.emulate_media(color_scheme="dark")
    page.goto(f"/releases/{release}?open=cluster:c0")
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    row, link = page.locator('[data-entity-id="app:a0-0"]'), page.locator('[data-entity-id="app:a0-0"] a.name')
    screen_text = row.evaluate(STYLE, "color")
    page.emulate_media(media="print", color_scheme="dark")
    expect(row).to_be_visible()
    expect(row.locator(".word")).to_be_visible()
    assert row.evaluate(STYLE, "color") == "rgb(0, 0, 0)" != screen_text
    assert link.evaluate(STYLE, "color") == "rgb(0, 0, 0)"
    assert page.locator("body").evaluate(STYLE, "backgroundColor") == "rgb(255, 255, 255)"
    assert row.evaluate(STYLE, "breakInside") == "avoid"
    expect(page.locator(".printed")).to_have_text(f"{base_url}/releases/{release}?open=cluster:c0")
    moment = page.locator("#as-of time")
    assert moment.evaluate("time => getComputedStyle(time, '::after').content.includes(time.dateTime)")
    for gone in (".top", ".tabs", ".tree-tools", ".skip"):
        expect(page.locator(gone)).to_be_hidden()
    assert page.pdf(format="A4").startswith(b"%PDF")


def test_who_asks_for_more_contrast_gets_stronger_lines_and_text(page: Page, release: str):
    page.goto(f"/releases/{release}")
    facts, box = page.locator(".facts").first, page.locator(".tree")
    usual = facts.evaluate(STYLE, "color"), box.evaluate(STYLE, "borderTopColor")
    page.emulate_media(contrast="more")
    assert facts.evaluate(STYLE, "color") == "rgb(44, 52, 63)" != usual[0]
    assert box.evaluate(STYLE, "borderTopColor") == "rgb(77, 87, 102)" != usual[1]


def test_with_colours_of_the_viewers_own_phases_and_what_is_chosen_can_be_told_apart(page: Page, release: str):
    page.emulate_media(forced_colors="active")
    page.goto(f"/releases/{release}")
    canvas = page.locator("body").evaluate(STYLE, "backgroundColor")
    cell = page.locator(".cell.running").first
    assert cell.evaluate(STYLE, "color") != canvas
    assert "gradient" in cell.evaluate(STYLE, "backgroundImage")
    tabs = page.locator(".tabs a")
    chosen = page.locator(".tabs a[aria-current]")
    assert chosen.evaluate(STYLE, "borderBottomColor") != canvas
    assert tabs.last.evaluate(STYLE, "borderBottomColor") == canvas
    tabs.last.focus()
    page.keyboard.press("Shift+Tab")
    focused = page.locator(":focus-visible")
    assert focused.evaluate(STYLE, "outlineStyle") == "solid"
    assert focused.evaluate(STYLE, "outlineColor") != canvas
