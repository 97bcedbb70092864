"""Asks axe what is wrong with an open page, in light and dark, on a wide and on a narrow screen."""

from typing import Any, Literal

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

from tests.browser.conftest import wait_until_there

Looks = tuple[tuple[Literal["light", "dark"], int, dict[str, Any]], ...]
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
EVERYTHING = {"runOnly": {"type": "tag", "values": TAGS}, "rules": {"target-size": {"enabled": True}}}
# A theme is colours and nothing else, and a narrow screen another layout of the same elements.
SIGHT = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}
SIZE = {"runOnly": {"type": "rule", "values": ["target-size", "scrollable-region-focusable", "color-contrast"]}}
IN_SHORT: Looks = (("light", 1440, EVERYTHING), ("dark", 390, SIZE))
LOOKS: Looks = (*IN_SHORT, ("dark", 1440, SIGHT))
ASK = """([others, options]) =>
  axe.run({include: document, exclude: others}, {...options, resultTypes: ['violations'], preload: false})"""


def violations(
    page: Page,
    name: str,
    looks: Looks = IN_SHORT,
    but: frozenset[str] = frozenset(),
    others: tuple[str, ...] = (),
) -> list[str]:
    """What is wrong, one line each: the page's name, the theme and width, the rule (`but` for these), and elements.

    What stands in these `others`, by their selectors, is not looked at.
    """
    wait_until_there(page)
    page.evaluate(AXE_SCRIPT)
    # What is scrolled half under the header is not too small to be hit.
    page.evaluate("scrollTo(0, 0)")
    found = []
    for theme, width, options in looks:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        result = page.evaluate(ASK, [list(others), _without(but, options)])
        counted = [(violation["id"], _counted(violation)) for violation in result["violations"]]
        found += [f"{name} ({theme}, {width} px): {_told(rule, nodes)}" for rule, nodes in counted if nodes]
    return found


def _without(but: frozenset[str], options: dict[str, Any]) -> dict[str, Any]:
    """The same options, by which axe does not even look for these rules: some take it as long as many others."""
    only = options["runOnly"]
    values = [value for value in only["values"] if value not in but]
    rules = options.get("rules", {}) | {rule: {"enabled": False} for rule in but}
    return {"runOnly": {**only, "values": values}, "rules": rules}


def _counted(violation: dict[str, Any]) -> list[dict[str, Any]]:
    """The elements that count: the rows of a tree are native disclosures, whose roles a script changes.

    HTML's own rules for authors do not foresee that, which is what axe's best practice says; WCAG says nothing of it.
    Without the script they are disclosures, with it browsers take the roles of a tree for what they are.
    """
    tree = violation["id"] == "aria-allowed-role"
    return [node for node in violation["nodes"] if not (tree and node["html"].startswith(("<details", "<summary")))]


def _told(rule: str, nodes: list[dict[str, Any]]) -> str:
    examples = "; ".join(f"{node['target'][0]} {_why(node)}" for node in nodes[:3])
    return f"{rule} on {len(nodes)}: {examples}"


def _why(node: dict[str, Any]) -> str:
    return " ".join(node["failureSummary"].split())[:260]
