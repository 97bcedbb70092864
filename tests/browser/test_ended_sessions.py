"""Tabs that stay open after their session has ended: each learns it once, says so, and then asks nothing by itself."""

import re
from collections import Counter
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Response, expect

from dashboard.web.services import services
from tests.browser.conftest import fill_in, log_in, wait_until_led_to
from tests.browser.test_live_page import OFTEN, base_url
from tests.browser.test_notify import SHOWN
from tests.support.harness import EMAIL, PASSWORD, Stage
from tests.support.rollout_makers import hierarchy
from tests.support.waiting import eventually

__all__ = ["base_url"]

TREE = hierarchy()
# Of all who ask, the wall does so most often: every 2 seconds. A tab that asks to notify does so every 15.
LONG = 60_000


@pytest.fixture
def context(chromium: Browser, base_url: str) -> Iterator[BrowserContext]:
    context = chromium.new_context(base_url=base_url, permissions=["notifications"])
    # What would be asked in a minute is asked at once.
    context.clock.install()
    context.add_init_script(OFTEN)
    context.add_init_script(SHOWN.replace("PERMISSION", "granted"))
    page = context.new_page()
    log_in(page)
    page.close()
    yield context
    context.close()


class Heard:
    """The addresses that a browser asks for, by the status of their answers; files are left out."""

    def __init__(self, context: BrowserContext) -> None:
        self.answers: Counter[tuple[int, str]] = Counter()
        context.on("response", self._take)

    def _take(self, answer: Response) -> None:
        if "/static/" not in answer.url:
            self.answers[answer.status, answer.url.partition("?")[0]] += 1

    @property
    def refused(self) -> int:
        return sum(number for (status, _), number in self.answers.items() if status == 401)


def end_sessions(stage: Stage) -> None:
    services(stage.app).accounts.set_password(EMAIL, PASSWORD)


def asks_no_more(context: BrowserContext, heard: Heard) -> bool:
    """Whether nothing is asked in a long time, once what is under way has come."""
    before = heard.answers.total()
    context.clock.fast_forward(LONG)
    context.pages[0].wait_for_timeout(500)
    return heard.answers.total() == before


def asks_again(context: BrowserContext, heard: Heard) -> bool:
    """Whether a release that is to be told of is asked for again."""
    context.clock.fast_forward(LONG)
    context.pages[0].wait_for_timeout(500)
    return any(status == 200 and "/api/releases/" in url for status, url in heard.answers)


def test_a_wall_says_that_its_session_is_over_and_asks_nothing_until_somebody_logs_in(
    context: BrowserContext, stage: Stage
):
    release = stage.start("wall", {"get_hierarchy": TREE, "get_release_state": TREE})
    wall = context.new_page()
    wall.goto(f"/kiosk/releases/{release}?theme=dark")
    expect(wall.locator("#live h1")).to_contain_text("wall")
    heard = Heard(context)
    end_sessions(stage)
    context.clock.fast_forward(LONG)
    expect(wall.get_by_role("alert")).to_contain_text("Your session has ended")
    eventually(lambda: asks_no_more(context, heard))
    assert heard.refused == 1
    wall.get_by_role("link", name="Sign in").click()
    fill_in(wall)
    wall.wait_for_url(re.compile(rf"/kiosk/releases/.*{release.rpartition(':')[2]}\?theme=dark"))
    expect(wall.locator("#live h1")).to_contain_text("wall")


def test_a_tab_that_would_notify_asks_nothing_after_its_first_refusal_nor_on_the_login_page(
    context: BrowserContext, stage: Stage
):
    release = stage.start("told", {"get_hierarchy": TREE, "get_release_state": TREE})
    page = context.new_page()
    page.goto(f"/releases/{release}")
    page.get_by_role("button", name="Notify me").click()
    expect(page.locator("#notify-told")).to_contain_text("You will be notified")
    # A page that has no news of its own, so that nothing but the notifications asks.
    page.goto("/settings")
    heard = Heard(context)
    end_sessions(stage)
    context.clock.fast_forward(LONG)
    notice = page.locator("#over", has_text="Your session has ended")
    expect(notice).to_be_visible()
    eventually(lambda: asks_no_more(context, heard))
    assert heard.refused == 1
    notice.get_by_role("link", name="Sign in again").click()
    page.wait_for_url("**/login?next=/settings")
    eventually(lambda: asks_no_more(context, heard))
    assert heard.refused == 1
    fill_in(page)
    page.wait_for_url("**/settings")
    eventually(lambda: asks_again(context, heard))


@pytest.mark.parametrize("path", ["/releases", "/problems", "/releases?starred=1"])
def test_an_open_list_learns_it_once_and_waits_on_the_login_page(context: BrowserContext, stage: Stage, path: str):
    stage.start("listed", {"get_hierarchy": TREE, "get_release_state": TREE})
    stage.listed("listed")
    page: Page = context.new_page()
    page.goto("/releases")
    star = page.locator("button.star").first
    star.click()
    expect(star).to_have_attribute("aria-pressed", "true")
    page.goto(path)
    heard = Heard(context)
    end_sessions(stage)
    context.clock.fast_forward(LONG)
    wait_until_led_to(page, re.compile(rf"/login\?next=.*{re.escape(path[1:9])}"))
    eventually(lambda: asks_no_more(context, heard))
    assert heard.refused <= 4, heard.answers
