"""Profile and users in real Chromium: they work without JavaScript, and are fit to be read in every state."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from dashboard.database.models import Role
from dashboard.web.services import services
from tests.browser.conftest import as_admin, over_http
from tests.browser.test_widths import OUTSIDE, WIDTHS
from tests.support.axe import LOOKS, violations
from tests.support.harness import EMAIL, PASSWORD, Stage

LONG = "w" * 60


@pytest.fixture
def base_url(stage: Stage) -> Iterator[str]:
    with over_http(stage.app) as url:
        yield url


@pytest.fixture
def without_script(chromium: Browser, base_url: str, stage: Stage) -> Iterator[Page]:
    context = chromium.new_context(base_url=base_url, java_script_enabled=False)
    page = context.new_page()
    as_admin(page, stage)
    yield page
    context.close()


@pytest.fixture
def page(chromium: Browser, base_url: str, stage: Stage) -> Iterator[Page]:
    context = chromium.new_context(base_url=base_url)
    page = context.new_page()
    as_admin(page, stage)
    yield page
    context.close()


def change_password(page: Page, current: str, new: str) -> None:
    page.goto("/profile")
    page.get_by_label("Current password", exact=True).fill(current)
    page.get_by_label("New password", exact=True).fill(new)
    page.get_by_label("Repeat new password").fill(new)
    page.get_by_role("button", name="Change password").click()


def add(page: Page, email: str) -> None:
    page.goto("/users")
    page.get_by_text("Add a user").click()
    page.get_by_label("E-mail address", exact=True).fill(email)
    page.get_by_label("Role").select_option("operator")
    page.get_by_role("button", name="Add", exact=True).click()


def faults(page: Page, where: str) -> list[str]:
    """What is wrong with the page as it stands, at every width and in both themes."""
    found = violations(page, where, LOOKS)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        if page.evaluate("document.scrollingElement.scrollWidth > innerWidth") or page.evaluate(OUTSIDE):
            found.append(f"{where} at {width}")
    return found


def test_a_password_is_changed_without_javascript_and_the_browser_goes_on(without_script: Page):
    page = without_script
    change_password(page, "wrong horse battery", PASSWORD[::-1])
    expect(page.get_by_text("The current password is wrong.")).to_be_visible()
    expect(page.get_by_label("Current password", exact=True)).to_be_focused()
    change_password(page, PASSWORD, PASSWORD[::-1])

    expect(page.get_by_role("status").get_by_text("Password changed")).to_be_visible()
    page.goto("/profile")
    expect(page.get_by_role("heading", name="Profile")).to_be_visible()
    expect(page.get_by_text("this browser", exact=True)).to_have_count(1)


def test_a_user_is_added_disabled_and_reset_without_javascript(without_script: Page, stage: Stage):
    page, accounts = without_script, services(stage.app).accounts
    add(page, "new@example.com")
    first = page.get_by_label("Password", exact=True).input_value()
    assert accounts.authenticate("new@example.com", first).role is Role.operator
    page.get_by_role("button", name="Disable").click()
    expect(page.get_by_role("button", name="Enable")).to_be_visible()
    assert accounts.authenticate("new@example.com", first) is None
    page.get_by_role("button", name="Enable").click()
    expect(page.get_by_role("button", name="Disable")).to_be_visible()
    page.get_by_role("button", name="Reset password").click()
    second = page.get_by_label("Password", exact=True).input_value()

    assert first != second
    assert accounts.authenticate("new@example.com", second)
    page.get_by_role("link", name="Users", exact=True).first.click()
    page.get_by_label("Search users").fill(EMAIL)
    page.keyboard.press("Enter")
    expect(page.get_by_role("row")).to_have_count(2)
    page.get_by_role("link", name=EMAIL).click()
    page.get_by_role("button", name="Disable").click()
    expect(page.get_by_role("alert")).to_contain_text("is the last active admin")


def test_nothing_is_wrong_with_profile_and_users_in_any_state(page: Page, stage: Stage):
    sessions, accounts = services(stage.app).sessions, services(stage.app).accounts
    sessions.start(accounts.known(EMAIL), device=LONG, address="2001:db8:ffff:ffff:ffff:ffff:ffff:ffff")
    accounts.add(f"{LONG}@{LONG}.example.com", PASSWORD, name="W" * 100)
    change_password(page, "wrong horse battery", PASSWORD[::-1])
    found = faults(page, "a password refused")
    change_password(page, PASSWORD, PASSWORD[::-1])
    found += faults(page, "a password changed")
    add(page, "new@example.com")
    found += faults(page, "a user with a new password")
    add(page, "new@example.com")
    found += faults(page, "a user refused")
    page.goto("/users")
    page.get_by_role("link", name=LONG).click()
    found += faults(page, "a user of a long name")
    page.get_by_role("button", name="Disable").click()
    expect(page.get_by_role("button", name="Enable")).to_be_visible()
    found += faults(page, "a user who is disabled")
    for path in ("/users", "/users?q=nowhere", "/users?page=9", "/profile"):
        page.goto(path)
        found += faults(page, path)

    assert found == []
