"""Single sign-on in real Chromium: by the button to the provider's page, and back to where somebody wanted to go."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, Request, expect

from dashboard.web.services import services
from tests.browser.conftest import over_http
from tests.browser.test_widths import OUTSIDE, WIDTHS
from tests.support.axe import LOOKS, violations
from tests.support.harness import dashboard_for, shut
from tests.support.oidc_provider import OpenIdProvider, provided
from tests.support.replaced_services import replace_deployment

BACK = "/login/oidc/callback"


@pytest.fixture
def provider() -> Iterator[OpenIdProvider]:
    # To a browser, another site than 127.0.0.1.
    with provided(host="localhost") as provider:
        provider.asks_for_consent = True
        yield provider


@pytest.fixture
def app(provider: OpenIdProvider, tmp_path: Path) -> Iterator[Flask]:
    """A dashboard that needs no Temporal to let somebody in."""
    app = dashboard_for("127.0.0.1:1", tmp_path, "WorkflowType = 'x'", more=provider.settings())
    yield app
    services(app).sign_on.provider.close()
    shut(app)


@pytest.fixture
def page(app: Flask, chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    with over_http(app) as url:
        context = chromium.new_context(base_url=url, java_script_enabled=getattr(request, "param", True))
        yield context.new_page()
        context.close()


@pytest.mark.parametrize("page", [True, False], indirect=True, ids=["with JavaScript", "without"])
def test_the_button_leads_over_the_providers_page_to_where_somebody_wanted_to_go(page: Page):
    sites = []

    def note(request: Request) -> None:
        if BACK in request.url:
            sites.append(request.all_headers()["sec-fetch-site"])

    page.on("request", note)
    page.goto("/settings")
    page.get_by_role("link", name="Sign in with Example").click()
    expect(page).to_have_title("Provider")
    page.get_by_role("button", name="Continue").click()

    page.wait_for_url("**/settings")
    expect(page.get_by_role("banner")).to_contain_text("Rita")
    assert sites == ["cross-site"]


def test_who_comes_by_keyboard_begins_at_the_button(page: Page):
    page.goto("/login")
    expect(page.get_by_role("link", name="Sign in with Example")).to_be_focused()
    page.keyboard.press("Enter")

    expect(page).to_have_title("Provider")


def test_what_went_wrong_stands_on_the_login_page_which_leads_on(page: Page, provider: OpenIdProvider):
    provider.claims = {"nonce": "another"}
    page.goto("/login?next=/settings")
    page.get_by_role("link", name="Sign in with Example").click()
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("alert")).to_contain_text("could not be verified")
    expect(page.get_by_role("alert")).to_be_focused()
    found = violations(page, "a login refused", LOOKS)
    provider.claims = {}
    page.get_by_role("link", name="Sign in with Example").click()
    page.get_by_role("button", name="Continue").click()

    page.wait_for_url("**/settings")
    assert found == []


def test_the_login_page_is_without_faults_and_no_wider_than_its_window(page: Page, app: Flask):
    wide, found = [], []
    for name, password in (("W" * 40, True), ("Example", False)):
        replace_deployment(app, sign_on=name, password_login=password)
        page.goto("/login")
        found += violations(page, f"/login with {name}", LOOKS)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            if page.evaluate("document.scrollingElement.scrollWidth > innerWidth") or page.evaluate(OUTSIDE):
                wide.append((name, width))

    assert (found, wide) == ([], [])
