"""axe finds nothing wrong on any page, in any state, in both themes, on a wide and on a narrow screen (WCAG 2.2 AA)."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import as_admin, log_in, over_http
from tests.support.axe import IN_SHORT, LOOKS, Looks, violations
from tests.support.every_page import ANSWERS, OWN_PAGES, VENDORED_PAGES, pages_of, rules_not_in
from tests.support.grpc_gate import gate_before
from tests.support.harness import EMAIL, Stage, dashboard_for, shut
from tests.support.page_states import start_all
from tests.support.waiting import eventually

# In the guide each part stands many times under its name, and no script makes a tree of rows that are examples.
REPEATED = frozenset({"landmark-unique", "nested-interactive", "target-size"})


def visit(page: Page, *paths: str, looks: Looks = IN_SHORT) -> list[str]:
    """What is wrong with the pages at these paths."""
    found = []
    for path in paths:
        page.goto(path)
        found += violations(page, path, looks)
    return found


@pytest.fixture
def anonymous(chromium: Browser, stage: Stage) -> Iterator[Page]:
    with over_http(stage.app) as url:
        context = chromium.new_context(base_url=url)
        yield context.new_page()
        context.close()


@pytest.fixture
def page(anonymous: Page) -> Page:
    log_in(anonymous)
    return anonymous


def test_nothing_is_wrong_with_any_page_on_a_wide_screen(page: Page, stage: Stage):
    release = stage.start("r", ANSWERS)
    stage.listed("r")
    as_admin(page, stage)
    found = visit(page, *pages_of(release), *OWN_PAGES, looks=IN_SHORT[:1])
    assert found == [], "\n".join(found)


@pytest.mark.full
def test_nothing_is_wrong_with_any_page_whatever_the_releases_do(page: Page, stage: Stage):
    ids = start_all(stage)
    as_admin(page, stage)
    release = f"/releases/{ids['mixed']}"
    paths = (*pages_of(ids["mixed"], "app:a0-3"), *OWN_PAGES)
    assert rules_not_in(stage.app, (*paths, *VENDORED_PAGES)) == [], (
        "each page has to be among those that are looked at"
    )
    found = visit(page, *paths, looks=LOOKS)
    found += visit(page, *(f"/releases/{ids[name]}" for name in ("large", "mute", "odd", "failed", "terminated")))
    found += visit(page, f"{release}/entities/app:a0-1", f"{release}/entities/cluster:c1", f"{release}?q=nowhere")
    found += visit(page, f"{release}?open=all", f"{release}?open=all&q=a0&phase=failed", "/releases?q=nowhere")
    found += visit(
        page, "/releases?page_size=3&page=2", "/compare", f"/compare?left={ids['done']}&right={ids['mixed']}"
    )
    found += opened(page, release)
    assert found == [], "\n".join(found)


def opened(page: Page, release: str) -> list[str]:
    """What is wrong with a tree in which somebody has opened a row, and with the list of keys above it."""
    page.goto(release)
    page.locator('[data-lazy="cluster:c2"] > summary').click()
    expect(page.locator('[data-lazy="cluster:c2"] .row.app').first).to_be_visible()
    page.keyboard.press("ArrowDown")
    found = violations(page, "an opened tree")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    return found + violations(page, "the list of keys")


def test_nothing_is_wrong_with_empty_pages_logins_and_errors(anonymous: Page, stage: Stage):
    found = visit(anonymous, "/login")
    anonymous.get_by_label("E-mail").fill(EMAIL)
    anonymous.get_by_label("Password").fill("wrong")
    anonymous.keyboard.press("Enter")
    expect(anonymous.get_by_role("alert")).to_be_visible()
    found += violations(anonymous, "a login refused")
    log_in(anonymous)
    found += visit(anonymous, "/releases", "/problems", "/compare")
    found += visit(anonymous, "/nowhere", f"/releases/{stage.prefix}-none", "/releases/odd", "/releases?since=never")
    assert found == [], "\n".join(found)


def test_nothing_is_wrong_with_any_part_in_the_style_guide(chromium: Browser, tmp_path):
    app = dashboard_for("127.0.0.1:1", tmp_path, "WorkflowType = 'None'", styleguide=True)
    with over_http(app) as url:
        context = chromium.new_context(base_url=url)
        page = context.new_page()
        log_in(page)
        page.goto("/styleguide")
        found = violations(page, "/styleguide", but=REPEATED)
        context.close()
    shut(app)
    assert found == [], "\n".join(found)


def test_nothing_is_wrong_with_pages_while_temporal_refuses(chromium: Browser, stage: Stage, tmp_path):
    release_id = stage.start("r", ANSWERS)
    stage.listed("r")
    paths = pages_of(release_id)[:2]
    with gate_before(stage.address, "key") as gate, ExitStack() as stack:
        given = {"TEMPORAL_API_KEY": "key", "TEMPORAL_TLS": "false"}
        app = dashboard_for(gate.address, tmp_path, f"WorkflowId STARTS_WITH '{stage.prefix}'", environment=given)
        stack.callback(shut, app)
        context = chromium.new_context(base_url=stack.enter_context(over_http(app)))
        stack.callback(context.close)
        page = context.new_page()
        log_in(page)
        page.goto(paths[1])
        gate.key = "another"
        eventually(lambda: page.reload() and page.get_by_text("Out of date").count())
        found = visit(page, *paths, f"/releases/{stage.prefix}-other")
    assert found == [], "\n".join(found)
