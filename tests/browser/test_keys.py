"""Keys, and the choice between light and dark, in real Chromium."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_live_page import base_url, page
from tests.support.harness import Stage
from tests.support.rollout_makers import hierarchy

__all__ = ["base_url", "page"]


@pytest.fixture
def releases(stage: Stage) -> list[str]:
    """Two releases, the newest first."""
    names = ["first", "second"]
    ids = [stage.start(name, {"get_release_state": hierarchy(), "get_hierarchy": hierarchy()}) for name in names]
    stage.listed(*names)
    return ids[::-1]


def test_keys_lead_to_pages_and_rows_and_leave_what_is_typed_alone(page: Page, releases: list[str]):
    page.goto("/releases")
    page.keyboard.press("/")
    search = page.locator("input[type=search]")
    expect(search).to_be_focused()
    page.keyboard.type("g?j/")
    expect(search).to_have_value("g?j/")
    expect(page.locator("#keys")).not_to_be_visible()
    search.blur()
    for key, focused in (("j", releases[0]), ("j", releases[1]), ("j", releases[1]), ("k", releases[0])):
        page.keyboard.press(key)
        assert page.evaluate("document.activeElement.closest('.row').dataset.entityId") == focused
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/releases/{releases[0]}")
    # The second key has to follow soon: both are one message to the browser's driver.
    page.keyboard.type("gp")
    page.wait_for_url("**/problems")
    page.keyboard.type("gr")
    page.wait_for_url("**/releases")


def test_a_list_of_the_keys_opens_and_closes_by_key(page: Page):
    page.goto("/problems")
    page.keyboard.press("?")
    keys = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(keys).to_be_visible()
    page.keyboard.press("Escape")
    expect(keys).not_to_be_visible()


def test_light_or_dark_is_chosen_by_the_viewer_and_written_into_the_next_page(page: Page):
    page.emulate_media(color_scheme="light")
    page.goto("/releases")
    paper = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(paper)
    page.get_by_role("button", name="Menu").click()
    button = page.locator("#theme")
    for shown in ("System", "Light", "Dark"):
        expect(button).to_have_text(shown)
        expect(button).to_have_attribute("title", f"Colours: {shown}")
        if shown != "Dark":
            button.click()
    assert page.evaluate(paper) != light
    answer = page.goto("/problems")
    assert answer is not None
    assert 'data-theme="dark"' in answer.text()
    assert page.evaluate(paper) != light
    page.get_by_role("button", name="Menu").click()
    button.click()
    expect(button).to_have_text("System")
    assert page.evaluate(paper) == light
