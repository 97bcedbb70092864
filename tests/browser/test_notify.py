"""Notifications of a release that fails, waits or ends, in real Chromium. Only what the browser itself would show is
taken down instead, as it shows nothing without a screen."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from tests.browser.conftest import log_in
from tests.browser.test_live_page import OFTEN, base_url
from tests.browser.test_news import HIDE
from tests.support.harness import Stage
from tests.support.rollout_makers import hierarchy
from tests.support.waiting import eventually

__all__ = ["base_url"]

# In place of the browser's border to the screen: what is shown is kept where all tabs see it.
SHOWN = """window.Notification = class {
    static permission = "PERMISSION";
    static requestPermission() { return Promise.resolve(this.permission); }
    constructor(title, options) {
      const shown = JSON.parse(localStorage.getItem("shown") ?? "[]");
      localStorage.setItem("shown", JSON.stringify([...shown, { title, ...options }]));
      window.last = this;
    }
  };"""
TREE = hierarchy()
KEPT = "JSON.parse(localStorage.notify)"


@pytest.fixture
def context(chromium: Browser, base_url: str) -> Iterator[BrowserContext]:
    context = chromium.new_context(base_url=base_url, permissions=["notifications"])
    # The tabs ask every 15 seconds, by a clock that the test moves on.
    context.clock.install()
    context.add_init_script(OFTEN)
    context.add_init_script(SHOWN.replace("PERMISSION", "granted"))
    page = context.new_page()
    log_in(page)
    page.close()  # one more tab would ask, too, and be the one that tells
    yield context
    context.close()


@pytest.fixture
def release(stage: Stage) -> str:
    return stage.start("told", {"get_hierarchy": TREE, "get_release_state": TREE})


def watched(context: BrowserContext, release: str) -> Page:
    """A page of the release whose viewer has asked to be told."""
    page = context.new_page()
    page.goto(f"/releases/{release}")
    button = page.get_by_role("button", name="Notify me")
    expect(button).to_have_attribute("aria-pressed", "false")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#notify-told")).to_contain_text("You will be notified")
    return page


def later(context: BrowserContext) -> None:
    """Let so much time pass for the tabs that one of them asks."""
    context.clock.fast_forward(15_000)


def shown(page: Page) -> list[dict[str, Any]]:
    """What the browser was to show, but for the first, which confirms."""
    found: list[dict[str, Any]] = page.evaluate("JSON.parse(localStorage.getItem('shown') ?? '[]')")
    return found[1:]


def titles(page: Page) -> list[str]:
    """The same as their titles begin to differ: with the release's own part of its name."""
    return [each["title"].rpartition("-")[2] for each in shown(page)]


def becomes(stage: Stage, release: str, state: str) -> None:
    stage.tell(release, {"get_hierarchy": TREE | {"state": state}})


def test_what_fails_waits_and_ends_is_told_once_each_however_many_tabs_are_open(
    context: BrowserContext, stage: Stage, release: str
):
    page = watched(context, release)
    others = [context.new_page() for _ in range(2)]
    for other, path in zip(others, ("/releases", f"/releases/{release}/strip"), strict=True):
        other.goto(path)
    page.bring_to_front()
    for state, words in (("awaiting_approval", "waiting for approval"), ("in_progress", ""), ("failed", "failed")):
        becomes(stage, release, state)
        expect(page.locator(".head .chip")).to_contain_text(state.replace("_", " "))
        if words:
            eventually(lambda words=words: later(context) or titles(page)[-1:] == [f"told: {words}"])
        else:
            eventually(lambda: later(context) or page.evaluate(KEPT)[release]["phase"] == "running")
    stage.end(release, "registry gone")
    eventually(lambda: later(context) or page.evaluate("localStorage.notify") == "{}")
    assert titles(page) == ["told: waiting for approval", "told: failed"]
    expect(page.locator("#notify")).to_be_hidden()


def test_a_release_that_ends_is_told_by_a_tab_that_shows_something_else_and_is_hidden(
    context: BrowserContext, stage: Stage, release: str
):
    page = watched(context, release)
    page.goto("/problems")
    page.evaluate(HIDE, True)
    stage.end(release, "well")
    eventually(lambda: later(context) or shown(page))
    (told,) = shown(page)
    assert told["title"].endswith("told: succeeded")
    with context.expect_page() as tab:
        page.evaluate("last.onclick()")
    tab.value.wait_for_url(f"**/releases/{release}")


def test_an_answer_that_is_not_the_latest_tells_nothing(context: BrowserContext, stage: Stage, release: str):
    page = watched(context, release)

    def outdated(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json=answer.json() | {"stale": True})

    page.route("**/api/releases/*", outdated)
    with page.expect_response(lambda answer: "/api/releases/" in answer.url and answer.json()["phase"] == "failed"):
        becomes(stage, release, "failed")
    expect(page.locator(".head .chip")).to_contain_text("failed")
    assert shown(page) == []
    page.unroute_all(behavior="wait")
    eventually(lambda: later(context) or [each["title"][-6:] for each in shown(page)] == ["failed"])


def test_what_is_asked_for_no_longer_is_not_told(context: BrowserContext, stage: Stage, release: str):
    page = watched(context, release)
    page.reload()
    button = page.get_by_role("button", name="Notify me")
    expect(button).to_have_attribute("aria-pressed", "true")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "false")
    becomes(stage, release, "failed")
    expect(page.locator(".head .chip")).to_contain_text("failed")
    assert page.evaluate("localStorage.notify") == "{}"
    assert shown(page) == []


def test_a_refusal_is_told_in_words_and_nothing_is_remembered(chromium: Browser, base_url: str, release: str):
    context = chromium.new_context(base_url=base_url)
    context.add_init_script(SHOWN.replace("PERMISSION", "denied"))
    log_in(context.new_page())
    page = context.new_page()
    page.goto(f"/releases/{release}")
    page.get_by_role("button", name="Notify me").click()
    expect(page.locator("#notify-told")).to_have_text("Notifications from this site are blocked in this browser.")
    expect(page.get_by_role("button", name="Notify me")).to_have_attribute("aria-pressed", "false")
    assert page.evaluate("localStorage.notify ?? ''") == ""
    context.close()


def test_a_release_that_has_ended_offers_nothing(context: BrowserContext, stage: Stage, release: str):
    stage.end(release, "well")
    page = context.new_page()
    page.goto(f"/releases/{release}")
    expect(page.locator(".head .chip")).to_have_text("succeeded")
    expect(page.locator("#notify")).to_be_hidden()
