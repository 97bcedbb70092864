"""Where a login leads in real Chromium: whatever trick an address plays, to a page of this site."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser.conftest import over_http
from tests.support.harness import EMAIL, PASSWORD, dashboard_for, shut
from tests.support.redirect_tricks import TRICKS

# What can be sent at all: not half of a character.
SENT = sorted({trick for trick in TRICKS if trick and trick.encode("utf-8", "ignore").decode() == trick})
# Sends the form with each target as it is, then asks for the form with it as one who is in; where each of them led.
FOLLOW = """async ([targets, username, password]) => {
  const led = [];
  for (const next of targets) {
    const body = new URLSearchParams({ username, password, next });
    for (const asked of [["/login", { method: "POST", body }], [`/login?${new URLSearchParams({ next })}`]])
      led.push((await fetch(...asked)).url);
  }
  return led;
}"""
# The hardest to tell from a path, for a browser that goes there as people do.
HARDEST = ("//example.org", "/\\example.org", "/\t/example.org", "http:example.org", "/.//example.org")


class Visit:
    """A browser at a dashboard that needs no Temporal to let somebody in, and which hosts it has asked."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.context, self.url = context, url
        self.hosts: set[str] = set()
        context.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))
        self.page: Page = context.new_page()

    def log_in(self, target: str) -> str:
        """Sign in as a person does, with this target in the address; the address it leads to, from the path on."""
        self.context.clear_cookies()
        self.page.goto(f"/login?next={quote(target, safe='')}")
        self.page.get_by_label("E-mail").fill(EMAIL)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.keyboard.press("Enter")
        self.page.wait_for_url(lambda there: urlsplit(there).path != "/login")
        return self.page.url.removeprefix(self.url)


@pytest.fixture
def visit(chromium: Browser, tmp_path: Path) -> Iterator[Visit]:
    app = dashboard_for("127.0.0.1:1", tmp_path, "WorkflowType = 'x'")
    with over_http(app) as url:
        context = chromium.new_context(base_url=url)
        yield Visit(context, url)
        context.close()
    shut(app)


def test_no_trick_leads_a_browser_to_another_site(visit: Visit):
    visit.page.goto("/login")
    led = visit.page.evaluate(FOLLOW, [SENT, EMAIL, PASSWORD])
    assert len(led) == 2 * len(SENT) > 100
    assert set(led) == {f"{visit.url}/releases"}
    assert visit.hosts == {urlsplit(visit.url).netloc}


def test_nor_one_in_which_somebody_logs_in_by_hand(visit: Visit):
    assert set(HARDEST) <= set(SENT)
    assert {visit.log_in(trick) for trick in HARDEST} == {"/releases"}
    assert visit.hosts == {urlsplit(visit.url).netloc}


def test_a_path_of_this_site_is_where_a_browser_is_led(visit: Visit):
    assert visit.log_in("/settings") == "/settings"
    assert visit.log_in("/releases?q=//example.org") == "/releases?q=//example.org"
    assert visit.log_in("/@example.org") == "/@example.org"
    assert visit.hosts == {urlsplit(visit.url).netloc}
