"""A release of 12,000 entities in real Chromium: quick to the hand, and whole to those who search, tab or print it.

What is measured is how long Chromium's main thread has the core for one task, as its own trace tells. On the clock a
task takes as much longer as other processes of this machine have the cores meanwhile, which says nothing of the page.
A task that takes 200 ms of a core is one that people notice, whatever else goes on.
"""

import json
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.conftest import log_in
from tests.browser.test_news import STREAMING
from tests.integration.test_large import TOO_LARGE, WAVES, state
from tests.support.harness import Stage
from tests.support.served import Served
from tests.support.waiting import eventually

LONGEST_MS = 200.0
# What the page itself takes, it takes in every round; a cache that others have emptied is not always cold.
ROUNDS = 3
SINCE = "2026-11-22T14:02:00Z"
# A task in which the test itself asks the page something is none of the page's own.
DEVTOOLS = "DevToolsSession"
TASKS = {"RunTask", "ThreadControllerImpl::RunTask"}


def told(**states: str) -> dict[str, object]:
    """What the waves answer: 40 clusters of 23 apps each, of which these have these states."""
    but = {f"app:{name}": word for name, word in states.items()}
    return {"get_wave_hierarchy": {"wave_of": {"clusters": 40, "apps": 23, "but": but, "since": SINCE}}}


@pytest.fixture(scope="module")
def stage(temporal_address: str, task_queue: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One for all tests here: to read so many entities takes longer than most of these tests."""
    stage = Stage(temporal_address, task_queue, tmp_path_factory.mktemp("large"))
    yield stage
    stage.close()


@pytest.fixture(scope="module")
def release(stage: Stage, served: Served) -> str:
    """12,013 entities, of which the server has read all."""
    release_id = stage.start("large", TOO_LARGE | {"get_release_state": state(WAVES)} | told())
    cookie = served.login()

    def unread() -> list[str]:
        status, text, _ = served.ask("GET", f"/api/releases/{release_id}", Cookie=cookie)
        waves: list[str] = json.loads(text)["unread"] if status == 200 else WAVES
        return waves

    eventually(lambda: not unread(), 60)
    return release_id


@pytest.fixture
def page(chromium: Browser, served: Served) -> Iterator[Page]:
    context = chromium.new_context(base_url=f"http://127.0.0.1:{served.port}", viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.set_default_timeout(60_000)
    log_in(page)
    yield page
    context.close()


def longest_task(chromium: Browser, page: Page, act: Callable[[], object]) -> float:
    """How many milliseconds the longest task of the page took of a core while this was done, and after it."""
    chromium.start_tracing(page=page, categories=["toplevel", "devtools.timeline"])
    act()
    # Two frames, and what a change has left for later.
    page.evaluate(
        "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 300))))"
    )
    events = json.loads(chromium.stop_tracing())["traceEvents"]
    threads = {(event["pid"], event["tid"]) for event in events if event["args"].get("name") == "CrRendererMain"}
    ours = [event for event in events if (event["pid"], event["tid"]) in threads]
    asked = [event["ts"] for event in ours if DEVTOOLS in json.dumps(event["args"])]
    tasks = [event for event in ours if event["name"] in TASKS and not any(within(event, at) for at in asked)]
    return max(event.get("tdur", 0) for event in tasks) / 1000


def within(task: dict[str, int], at: int) -> bool:
    """Whether a moment, in microseconds, lies in a task."""
    return task["ts"] <= at <= task["ts"] + task.get("dur", 0)


def row(page: Page, entity_id: str) -> Locator:
    return page.locator(f'.tree .row[data-entity-id="{entity_id}"]')


def opened(page: Page, address: str) -> None:
    """Open a page of the release and wait until it hears of changes and names its rows."""
    page.goto(address)
    page.wait_for_function(f"() => {STREAMING}")
    page.wait_for_function("() => !document.querySelector('.tree .row:not(a):not([role=treeitem])')")


@pytest.mark.timing
@pytest.mark.parametrize(("view", "rows"), [("?open=all", 1_900), ("/hierarchy", 12_000)])
def test_no_task_is_long_when_a_change_comes_or_a_cluster_is_opened(
    chromium: Browser, page: Page, stage: Stage, release: str, view: str, rows: int
):
    opened(page, f"/releases/{release}{view}")
    eventually(lambda: page.locator(".tree .row").count() >= rows)
    app, cluster = row(page, "app:aw0-0-0"), row(page, "cluster:cw0-1")

    def becomes(word: str) -> Callable[[], None]:
        def change() -> None:
            stage.tell(release, told(**{"aw0-0-0": word}))
            expect(app).to_have_attribute("data-state", word, timeout=30_000)

        return change

    def toggled() -> None:
        expanded = cluster.get_attribute("aria-expanded")
        cluster.click()
        expect(cluster).not_to_have_attribute("aria-expanded", expanded or "")

    steps = {
        "an app is done": becomes("deployed"),
        "an app fails": becomes("failed"),
        "an app runs again": becomes("deploying"),
        "a cluster is closed": toggled,
        "a cluster is opened": toggled,
    }
    took = [{what: longest_task(chromium, page, act) for what, act in steps.items()}]
    while len(took) < ROUNDS and any(ms > LONGEST_MS for ms in took[-1].values()):
        took.append({what: longest_task(chromium, page, act) for what, act in steps.items()})
    least = {what: min(round_[what] for round_ in took) for what in steps}
    assert {what: ms for what, ms in least.items() if ms > LONGEST_MS} == {}, took


@pytest.mark.timing
def test_a_task_that_is_long_is_seen(chromium: Browser, page: Page):
    """The meter itself: what keeps the core for so long is not overlooked."""
    busy = "() => setTimeout(() => { for (let end = performance.now() + 400; performance.now() < end; ) ; })"
    assert max(longest_task(chromium, page, lambda: page.evaluate(busy)) for _ in range(5)) > 20
    assert longest_task(chromium, page, lambda: None) < LONGEST_MS


def test_what_is_out_of_sight_is_found_reached_read_and_printed_and_takes_its_room(page: Page, release: str):
    opened(page, f"/releases/{release}?open=all")
    height = page.evaluate("document.documentElement.scrollHeight")
    far = row(page, "app:aw1-38-22")
    expect(far).not_to_be_in_viewport()
    assert page.evaluate("window.find('aw1-38-22')"), "the browser's own search finds it"
    expect(far).to_be_in_viewport()
    page.evaluate("scrollTo(0, 0)")
    cluster = row(page, "cluster:cw1-39")
    cluster.evaluate("row => row.focus()")
    page.keyboard.press("ArrowUp")
    expect(far).to_be_focused()
    expect(far).to_be_in_viewport()
    page.evaluate("scrollTo(0, 0)")
    page.evaluate(f"location.hash = '#{row(page, 'app:aw1-5-3').get_attribute('id')}'")
    expect(page.locator(".row:target")).to_be_in_viewport()
    assert told_of(page, "cluster:cw1-20"), "those who do not see the page are told of every cluster"
    row(page, "cluster:cw1-20").evaluate("row => row.scrollIntoView()")
    eventually(lambda: told_of(page, "app:aw1-20-9"))
    assert page.evaluate("document.documentElement.scrollHeight") == height
    page.emulate_media(media="print")
    shown = "getComputedStyle(document.querySelector('.row.cluster + ul')).contentVisibility"
    assert page.evaluate(shown) == "visible"


def told_of(page: Page, entity_id: str) -> bool:
    """Whether a row is an item of the tree in the browser's own accessibility tree."""
    session = page.context.new_cdp_session(page)
    wanted = f"document.querySelector('.tree [data-entity-id=\"{entity_id}\"]')"
    found = session.send("Runtime.evaluate", {"expression": wanted})["result"]["objectId"]
    tree = session.send("Accessibility.getPartialAXTree", {"objectId": found, "fetchRelatives": False})
    node = tree["nodes"][0]
    return node["role"]["value"] == "treeitem" and not node["ignored"]
