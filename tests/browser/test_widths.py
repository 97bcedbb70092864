"""Every page at every width: nothing is wider than the window, and no part of a row is out of its place."""

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import as_admin
from tests.browser.test_live_page import base_url, page
from tests.support.every_page import OWN_PAGES, pages_of
from tests.support.harness import Stage
from tests.support.page_states import mixed, told
from tests.support.waiting import eventually

__all__ = ["base_url", "page"]

# 320 is 1280 at 400 %, and 720 is 1440 at 200 %.
WIDTHS = (320, 390, 720, 768, 1440, 2560)
# What can be scrolled by itself is reached all the same.
OUTSIDE = """() => {
  const scrolled = (element) => {
    for (let above = element.parentElement; above; above = above.parentElement)
      if (["auto", "scroll"].includes(getComputedStyle(above).overflowX)) return true;
    return false;
  };
  const stops = document.querySelectorAll("a[href]:not(.skip), button, input:not([type=hidden]), select, summary");
  const out = [...stops].filter((stop) => {
    const { left, right, width } = stop.getBoundingClientRect();
    return width && stop.checkVisibility() && !scrolled(stop) && (left < -1 || right > innerWidth + 1);
  });
  const parts = [...document.querySelectorAll(".row > *")].filter((part) => {
    const { right, width } = part.getBoundingClientRect();
    return width && part.checkVisibility() && right > part.parentElement.getBoundingClientRect().right;
  });
  return [...out, ...parts].map((element) => element.outerHTML.slice(0, 120));
}"""


@pytest.fixture
def addresses(stage: Stage) -> tuple[str, ...]:
    release = stage.start("with-a-name-that-is-much-longer-than-most-names-of-releases-are-2026-47", told(mixed()))
    stage.on(release, lambda handle: handle.signal("retry", "app:a0-1"))
    stage.listed(release.removeprefix(f"{stage.prefix}-"))
    eventually(lambda: stage.json(f"/releases/{release}/entities/app:a0-1")["entity"]["attempt"])
    return (*pages_of(release), f"/releases/{release}?open=all", *OWN_PAGES, "/nowhere", "/releases/release:never")


def test_no_page_is_wider_than_its_window_and_nothing_is_out_of_its_place(
    page: Page, addresses: tuple[str, ...], stage: Stage
):
    as_admin(page, stage)
    wrong = []
    for address in addresses:
        page.goto(address)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            wide = page.evaluate("document.scrollingElement.scrollWidth - innerWidth")
            if wide > 0 or (outside := page.evaluate(OUTSIDE)):
                wrong.append((width, address, wide, outside if wide <= 0 else []))
    assert wrong == []


def test_a_wide_screen_is_used_and_text_is_larger_there(page: Page, addresses: tuple[str, ...]):
    page.goto(addresses[1])
    sizes = {}
    for width in (1440, 2560):
        page.set_viewport_size({"width": width, "height": 1000})
        sizes[width] = page.evaluate(
            """() => {
              const main = document.querySelector("main").getBoundingClientRect();
              return [main.width / innerWidth, document.querySelector(".tabs a").getBoundingClientRect().height];
            }"""
        )
    assert sizes[2560][0] > 0.8
    assert sizes[2560][1] > sizes[1440][1]
