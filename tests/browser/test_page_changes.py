"""An open page in real Chromium that is sent only what has changed: it becomes what a reload would show."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, Response, expect

from tests.browser.test_live_page import base_url, page
from tests.support.harness import Stage
from tests.support.rollout_makers import hierarchy
from tests.support.waiting import eventually

__all__ = ["base_url", "page"]

# What the page says, without what its script writes: times in the viewer's zone, marks of what was just changed.
SAID = """() => {
  const copy = document.getElementById("live").cloneNode(true);
  for (const time of copy.querySelectorAll("time")) time.replaceWith("");
  for (const row of copy.querySelectorAll(".changed")) row.classList.remove("changed");
  for (const element of copy.querySelectorAll("[class='']")) element.removeAttribute("class");
  for (const element of copy.querySelectorAll("[data-htmx-powered]")) element.removeAttribute("data-htmx-powered");
  copy.normalize();
  return copy.innerHTML;
}"""


def told(*states: str, error: str | None = None) -> dict[str, Any]:
    """A release of three clusters with three apps each, of which the first have these states."""
    tree = hierarchy(clusters=3, apps=3)
    apps = [app for cluster in tree["waves"][0]["clusters"] for app in cluster["bundle"]["apps"]]
    for app, state in zip(apps, states, strict=False):
        app["state"] = state
    apps[0]["error_message"] = error
    return tree


@pytest.fixture
def release(stage: Stage) -> str:
    release = stage.start("open", {"get_hierarchy": told(), "get_release_state": told()})
    # Before its worker has taken it up, a page says so, and what comes next is all there is.
    eventually(lambda: stage.json(f"/releases/{release}/hierarchy").get("waves"))
    return release


def next_answer(page: Page, stage: Stage, release: str, tree: dict[str, Any]) -> str:
    """Let the release change; gives what the open page was sent, once the page has it."""

    def is_new(response: Response) -> bool:
        return f"/releases/{release}" in response.url and response.status == 200

    with page.expect_response(is_new) as answer:
        stage.tell(release, {"get_hierarchy": tree})
    text = answer.value.text()
    page.wait_for_function("document.querySelector('.htmx-swapping') === null")
    return text


def test_what_has_changed_makes_the_open_page_what_a_reload_would_show(page: Page, stage: Stage, release: str):
    page.goto(f"/releases/{release}/hierarchy")
    for tree in (
        told("deployed"),
        told("failed", "deployed", error="no\nway <b>"),
        told("deployed", "deployed", "deployed", "odd"),
        told("deployed", "deployed", "failed", "odd", "deployed"),
    ):
        assert "<hx-partial" in next_answer(page, stage, release, tree)
        reloaded = page.context.new_page()
        reloaded.goto(f"/releases/{release}/hierarchy")
        # What came is there a moment later.
        eventually(lambda reloaded=reloaded: page.evaluate(SAID) == reloaded.evaluate(SAID))
        reloaded.close()


def test_only_the_rows_that_changed_glow_and_nothing_moves_under_the_pointer(page: Page, stage: Stage, release: str):
    page.set_viewport_size({"width": 900, "height": 420})
    page.goto(f"/releases/{release}/hierarchy")
    app = page.locator('[data-entity-id="app:a1-0"]')
    page.locator('summary[data-entity-id="cluster:c2"]').evaluate("summary => summary.parentElement.open = false")
    link = app.locator("a.name")
    link.scroll_into_view_if_needed()
    link.focus()
    app.hover()
    page.evaluate("window.marked = document.querySelector('[data-entity-id=\"app:a1-1\"]')")
    page.evaluate("getSelection().selectAllChildren(document.querySelector('[data-entity-id=\"app:a1-1\"] .ver'))")
    before = page.evaluate("scrollY"), app.bounding_box()
    tree = told("deploying", "deploying", "deploying", "deployed")
    assert "<hx-partial" in next_answer(page, stage, release, tree)
    expect(app).to_have_attribute("data-state", "deployed")
    glowing = page.locator(".row.changed")
    expect(glowing).to_have_count(1)
    expect(glowing).to_have_attribute("data-entity-id", "app:a1-0")
    assert (page.evaluate("scrollY"), app.bounding_box()) == before
    expect(link).to_be_focused()
    assert app.evaluate("row => row.matches(':hover')")
    assert page.evaluate("getSelection().toString()") == "1.0.0"
    assert page.evaluate("window.marked.isConnected"), "a row that did not change is the same element"
    expect(page.locator('details:has(> [data-entity-id="cluster:c2"])')).not_to_have_attribute("open", "")


def test_what_changed_glows_once_and_does_not_move_for_who_wants_no_motion(page: Page, stage: Stage, release: str):
    page.goto(f"/releases/{release}/hierarchy")
    app = page.locator('.row.changed[data-entity-id="app:a0-0"]')
    style = "row => [getComputedStyle(row).animationName, getComputedStyle(row).animationIterationCount]"
    next_answer(page, stage, release, told("deployed"))
    assert app.evaluate(style) == ["glow", "1"]
    page.emulate_media(reduced_motion="reduce")
    next_answer(page, stage, release, told("failed"))
    assert app.evaluate(style)[0] == "none"
    assert app.evaluate("row => getComputedStyle(row).boxShadow") != "none", "it is marked all the same"


def test_a_page_that_misses_what_has_changed_asks_for_the_whole(page: Page, stage: Stage, release: str):
    page.goto(f"/releases/{release}/hierarchy")
    page.locator('[data-entity-id="app:a0-0"]').evaluate("row => row.remove()")
    assert "<hx-partial" in next_answer(page, stage, release, told("deployed"))
    expect(page.locator('[data-entity-id="app:a0-0"]')).to_have_attribute("data-state", "deployed")


def test_the_list_moves_on_row_by_row_and_shows_new_releases_without_moving_what_is_pointed_at(
    page: Page, stage: Stage, release: str
):
    stage.listed("open")
    page.goto("/releases")
    row = page.locator(f'.row.big[data-entity-id="{release}"]')
    row.evaluate("row => { row.marked = true }")
    waiting = told() | {"state": "awaiting_approval"}
    stage.tell(release, {"get_release_state": waiting, "get_hierarchy": waiting})
    expect(row).to_have_attribute("data-phase", "paused", timeout=30_000)
    row.hover()
    before = row.bounding_box()
    other = stage.start("other", {"get_release_state": told()})
    above = page.locator(f'.row.big[data-entity-id="{other}"]')
    expect(above).to_be_attached(timeout=30_000)
    assert row.bounding_box() == before
    assert page.evaluate("document.querySelector('.row.big:hover').dataset.entityId") == release
    above.scroll_into_view_if_needed()
    assert row.evaluate("row => row.marked"), "the row is the same element"


def test_an_unchanged_page_is_never_sent_again(page: Page, release: str):
    answers: list[int] = []
    page.on(
        "response", lambda answer: answers.append(answer.status) if re.search(r"\d/releases/r", answer.url) else None
    )
    page.goto(f"/releases/{release}/hierarchy")
    # A look that is late on a busy machine is news; where there is none, nothing is sent.
    eventually(lambda: page.wait_for_timeout(200) or answers[-3:] == [304] * 3)
