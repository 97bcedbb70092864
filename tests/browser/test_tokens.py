"""The page of tokens in real Chromium: made, shown once and revoked without JavaScript, and fit to be read."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import log_in, over_http
from tests.browser.test_widths import OUTSIDE, WIDTHS
from tests.support.axe import LOOKS, violations
from tests.support.harness import Stage


@pytest.fixture
def base_url(stage: Stage) -> Iterator[str]:
    with over_http(stage.app) as url:
        yield url


@pytest.fixture
def without_script(chromium: Browser, base_url: str) -> Iterator[Page]:
    context = chromium.new_context(base_url=base_url, java_script_enabled=False)
    page = context.new_page()
    log_in(page)
    yield page
    context.close()


@pytest.fixture
def page(chromium: Browser, base_url: str) -> Iterator[Page]:
    context = chromium.new_context(base_url=base_url)
    page = context.new_page()
    log_in(page)
    yield page
    context.close()


def make(page: Page, name: str) -> str:
    page.goto("/tokens")
    page.get_by_label("New token").fill(name)
    page.get_by_label("Access").select_option("read and write")
    page.get_by_role("button", name="Create token").click()
    return page.get_by_label("Token", exact=True).input_value()


def test_a_token_is_made_shown_once_and_revoked_without_javascript(without_script: Page, stage: Stage):
    page = without_script
    token = make(page, "Deploy job")
    expect(page.get_by_text("it is not shown again")).to_be_visible()
    bearer = {"Authorization": f"Bearer {token}"}
    assert stage.app.test_client().get("/api/auth/me", headers=bearer).status_code == 200
    page.goto("/tokens")
    assert token not in page.content()
    page.get_by_role("button", name="Revoke the token Deploy job").click()

    expect(page.get_by_text("revoked, or your password has changed since")).to_be_visible()
    assert stage.app.test_client().get("/api/auth/me", headers=bearer).status_code == 401


def test_a_page_with_tokens_is_without_faults_and_no_wider_than_its_window(page: Page):
    make(page, "W" * 60)
    page.goto("/tokens")
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("revoked, or your password has changed since")).to_be_visible()
    make(page, "W" * 60)
    make(page, "Another one")
    found = violations(page, "/tokens with one just made", LOOKS)
    wide = []
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        if page.evaluate("document.scrollingElement.scrollWidth > innerWidth") or page.evaluate(OUTSIDE):
            wide.append(width)

    assert (found, wide) == ([], [])
