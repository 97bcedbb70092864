"""The palette in real Chromium: by keys alone, for those who do not see it, and while the dashboard is away."""

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.test_live_page import base_url, page
from tests.support.harness import Stage
from tests.support.rollout_makers import hierarchy

__all__ = ["base_url", "page"]


@pytest.fixture
def release(stage: Stage) -> str:
    """A release that has been looked at, so that its entities are known."""
    tree = hierarchy(clusters=2, apps=2)
    release_id = stage.start("shop", {"get_release_state": tree, "get_hierarchy": tree})
    stage.listed("shop")
    stage.json(f"/releases/{release_id}")
    return release_id


def field(page: Page) -> Locator:
    return page.locator("#palette").get_by_role("combobox")


def opened(page: Page, text: str = "") -> None:
    """Open the palette by its key, and type."""
    page.keyboard.press("Control+k")
    expect(field(page)).to_be_focused()
    expect(page.locator("#palette").get_by_role("option").first).to_be_visible()
    page.keyboard.type(text)


def chosen(page: Page) -> str | None:
    """The option that the field names as the active one."""
    active = field(page).get_attribute("aria-activedescendant")
    return page.evaluate("id => document.getElementById(id)?.textContent", active)


def test_an_entity_is_found_and_opened_by_keys_alone(page: Page, release: str):
    page.goto("/problems")
    opened(page, "a1-0")
    option = page.locator("#palette").get_by_role("option", name="app a1-0")
    expect(option).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/releases/{release}/entities/app:a1-0")


def test_arrows_home_and_end_choose_and_the_field_names_what_is_chosen(page: Page, release: str):
    page.goto(f"/releases/{release}")
    opened(page)
    options = page.locator("#palette").get_by_role("option").all_inner_texts()
    assert len(options) > 3
    for key, at in (
        ("ArrowDown", 1),
        ("ArrowDown", 2),
        ("ArrowUp", 1),
        ("End", -1),
        ("ArrowDown", 0),
        ("ArrowUp", -1),
        ("Home", 0),
    ):
        page.keyboard.press(key)
        assert "".join((chosen(page) or "").split()) == "".join(options[at].split()), key
    expect(page.locator("#palette").get_by_role("listbox").get_by_role("group", name="Pages")).to_be_visible()
    expect(page.locator("#palette [role=status]")).to_have_text(f"{len(options)} results")


def test_ctrl_and_enter_opens_in_a_new_tab(page: Page, release: str):
    page.goto(f"/releases/{release}")
    opened(page, "timeli")
    expect(page.locator("#palette").get_by_role("option")).to_have_count(1)
    with page.context.expect_page() as tab:
        page.keyboard.press("Control+Enter")
    tab.value.wait_for_url("**/timeline")
    assert page.url.endswith(release)
    expect(page.locator("#palette")).to_be_visible()


def test_escape_closes_it_and_gives_the_focus_back(page: Page, release: str):
    page.goto("/releases")
    for way in ("Control+k", "click"):
        page.locator("#find").focus()
        if way == "click":
            page.locator("#find").click()
        else:
            page.keyboard.press(way)
        expect(field(page)).to_be_focused()
        page.keyboard.press("Escape")
        expect(page.locator("#palette")).not_to_be_visible()
        expect(page.locator("#find")).to_be_focused()


def test_the_slash_goes_to_the_filter_of_a_page_that_has_one_and_elsewhere_opens_the_palette(page: Page, release: str):
    page.goto("/releases")
    page.keyboard.press("/")
    expect(page.locator("#main input[type=search]")).to_be_focused()
    page.goto("/settings")
    page.keyboard.press("/")
    expect(field(page)).to_be_focused()
    expect(field(page)).to_have_value("")


def test_enter_before_the_answer_leads_to_what_was_typed_not_to_what_was_there_before(page: Page, release: str):
    page.goto("/problems")
    opened(page)
    # What the palette asks is not answered.
    page.route("**/find?*", lambda route: route.request.is_navigation_request() and route.continue_())
    page.keyboard.type("a0-1")
    page.keyboard.press("Enter")
    page.wait_for_url("**/find?*q=a0-1*")
    expect(page.get_by_role("link", name="app a0-1")).to_be_visible()


def test_a_dashboard_that_is_away_is_told_in_the_palette(page: Page, release: str):
    page.goto("/problems")
    opened(page)
    page.route("**/find?*", lambda route: route.abort())
    page.keyboard.type("x")
    expect(page.locator("#palette-found")).to_have_text("The dashboard is not responding. Type again to retry.")
    page.unroute("**/find?*")
    page.keyboard.press("Backspace")
    expect(page.locator("#palette").get_by_role("option").first).to_be_visible()


def test_on_a_phone_it_takes_the_whole_width_and_the_header_one_line(page: Page, release: str):
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(f"/releases/{release}")
    header = page.locator("header.top").bounding_box()
    assert header is not None
    assert header["height"] <= 49
    page.get_by_role("link", name="Search releases and entities").click()
    box = page.locator("#palette").bounding_box()
    assert box is not None
    assert (box["x"], box["width"]) == (0, 390)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Menu").click()
    menu = page.locator("#menu")
    for name in ("Releases", "Problems", "Compare"):
        expect(menu.get_by_role("link", name=name)).to_be_visible()
    expect(menu.get_by_role("button", name="Sign out")).to_be_visible()
    page.keyboard.press("Escape")
    expect(menu).not_to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


STOPS = """() => {
  const at = document.activeElement;
  if (at === document.body) return null;
  const box = at.getBoundingClientRect(), style = getComputedStyle(at);
  return { name: at.textContent.trim().slice(0, 30) || at.name || at.id, outline: style.outlineStyle,
    width: parseFloat(style.outlineWidth), shown: box.width > 0 && box.bottom > 0 && box.top < innerHeight };
}"""


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_wherever_the_tab_key_leads_the_focus_is_in_sight_and_has_an_outline(page: Page, release: str, colours: str):
    page.emulate_media(color_scheme="dark" if colours == "dark" else "light")
    for path in ("/releases", f"/releases/{release}"):
        page.goto(path)
        expect(page.locator("#live .row").first).to_be_visible()
        stops = []
        for _ in range(60):
            page.keyboard.press("Tab")
            stop = page.evaluate(STOPS)
            if stop is None:
                break
            stops.append(stop)
        assert len(stops) > 12, path
        assert [stop for stop in stops if stop["outline"] == "none" or stop["width"] < 2 or not stop["shown"]] == []
