"""What people see while things come, or are not there yet: pages that stay where they are and recover by themselves."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from dashboard.demo.server import EmbeddedTemporal
from dashboard.server import ports
from tests.browser.conftest import log_in
from tests.browser.test_live_page import base_url, page, release
from tests.support.harness import Stage
from tests.support.served import account, serving

__all__ = ["base_url", "page", "release"]

# What the web vitals call good is 0.1.
SHIFT = 0.02
SHIFTS = """new Promise(done => new PerformanceObserver((list, me) => {
  me.disconnect();
  done(list.getEntries().reduce((sum, entry) => sum + entry.value, 0));
}).observe({type: "layout-shift", buffered: true}) || setTimeout(() => done(0), 500))"""


@pytest.fixture
def later(tmp_path: Path) -> Iterator[EmbeddedTemporal]:
    """A Temporal that is not there yet."""
    server = EmbeddedTemporal(port=ports.find_free_port(), db=tmp_path / "temporal.db", log=tmp_path / "temporal.log")
    yield server
    server.stop(seconds=0)


@pytest.mark.parametrize("width", [1440, 768, 390])
def test_nothing_moves_when_the_strips_of_the_list_come(page: Page, stage: Stage, release: str, width: int):
    stage.listed("live")
    page.set_viewport_size({"width": width, "height": 900})
    page.goto("/releases")
    expect(page.locator(f'[data-entity-id="{release}"] svg.small-strip')).to_be_visible()
    assert page.evaluate(SHIFTS) < SHIFT


def test_a_page_from_before_temporal_was_there_becomes_the_list_by_itself(
    chromium: Browser, later: EmbeddedTemporal, tmp_path: Path
):
    account(tmp_path).close()
    with serving(tmp_path, later.address) as served:
        context = chromium.new_context(base_url=f"http://127.0.0.1:{served.port}")
        page = context.new_page()
        log_in(page)
        page.goto("/releases")
        expect(page.get_by_role("heading", name="Temporal is unavailable")).to_be_visible()
        expect(page.locator(".error")).to_contain_text(later.address)
        later.start()
        later.wait()
        expect(page.get_by_role("heading", name="No releases yet")).to_be_visible(timeout=30_000)
        context.close()
