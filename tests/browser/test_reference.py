"""The pages of the API's reference: programs of others show it under a policy that lets nothing in from elsewhere."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from tests.browser.conftest import log_in, over_http
from tests.support.axe import violations
from tests.support.every_page import VENDORED_PAGES
from tests.support.harness import Stage

# What Redoc has no setting for: its maker's mark, which it leaves out where it cannot have it, and a font of icons.
REFUSED = ("https://cdn.redoc.ly/redoc/logo-mini", "Loading the font 'data:")


@pytest.fixture
def page(chromium: Browser, stage: Stage) -> Iterator[Page]:
    with over_http(stage.app) as url:
        context = chromium.new_context(base_url=url)
        page = context.new_page()
        log_in(page)
        # What the list still asks for is none of this.
        page.goto("about:blank")
        yield page
        context.close()


def told(page: Page) -> list[str]:
    """What the browser complains about from now on."""
    found: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            found.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: found.append(str(error)))
    return found


def test_swagger_ui_shows_it_and_asks_with_the_viewers_session(page: Page):
    complaints = told(page)
    page.goto("/docs")
    operation = page.locator("#operations-Auth-me")
    operation.locator(".opblock-summary-control").click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()
    expect(operation.locator(".live-responses-table")).to_contain_text("rita@example.com")
    assert complaints == []


def test_redoc_shows_it(page: Page):
    complaints, arrived = told(page), []
    page.on("requestfinished", lambda request: arrived.append(request.url))
    page.goto("/redoc")
    expect(page.get_by_role("heading", name="Release dashboard")).to_be_visible()
    page.get_by_role("link", name="get /api/auth/me").first.click()
    expect(page.get_by_role("heading", name="Return the current user")).to_be_visible()
    here = page.evaluate("location.origin")
    assert [url for url in arrived if not url.startswith((here, "data:", "blob:"))] == [], "nothing came from elsewhere"
    assert [text for text in complaints if not any(known in text for known in REFUSED)] == []


def test_only_styles_with_the_nonce_of_this_very_answer_may_stand_in_the_page(page: Page):
    policies = [page.request.get("/redoc").headers["content-security-policy"] for _ in range(2)]
    assert policies[0] != policies[1]
    for policy in policies:
        assert "unsafe" not in policy
        assert "style-src 'self' 'nonce-" in policy
        assert "script-src 'self';" in policy
    assert "nonce" not in page.request.get("/docs").headers["content-security-policy"]


@pytest.mark.parametrize("path", VENDORED_PAGES)
def test_it_is_light_or_dark_and_nothing_is_wrong_beside_what_others_draw(page: Page, path: str):
    painted, heading = set(), page.get_by_role("heading", name="Release dashboard")
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        page.goto(path)
        expect(heading).to_be_visible()
        painted.add(heading.evaluate("element => getComputedStyle(element).color"))
    assert len(painted) == 2
    found = violations(page, path, others=(VENDORED_PAGES[path],))
    # The page's own is told of as well, once there is another one in it.
    assert [line for line in found if "landmark-no-duplicate-main" not in line] == []


def test_the_menu_leads_there_and_one_page_to_the_other(page: Page):
    page.goto("/problems")
    page.get_by_role("button", name="Menu").click()
    page.get_by_role("link", name="API reference").click()
    page.wait_for_url("**/docs")
    page.get_by_role("link", name="Redoc").click()
    page.wait_for_url("**/redoc")
