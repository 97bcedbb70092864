"""Render the parts and lines that changed between two versions of a page."""

from array import array
from collections.abc import Iterable, Iterator
from itertools import islice
from secrets import token_hex

from flask import get_template_attribute, render_template
from markupsafe import Markup

from dashboard.web.page_model import Page, PageLine

# With more changes than this an answer is no longer small, and the page is morphed in one go instead of place by place.
MAX_CHANGED_PARTS = 60


def page_fingerprint(page: Page) -> bytes:
    """Return hashes that identify this version of a page: eight bytes for the frame and for each part and line.

    The hashes are specific to this process: other processes respond with the full page.
    """
    lines = tuple(page.lines())
    # Where an id stands twice, nothing can be put in its place by its id: no version is like another.
    single = len({line.line_id for line in lines}) == len(lines) or token_hex()
    frame = hash((page.template, page.frame, single, *(line.frame for line in lines)))
    parts = (hash(_part(page, name)) for name in page.parts)
    return array("q", (frame, *parts, *(hash(line.said) for line in lines))).tobytes()


def render_changes(page: Page, old: bytes, new: bytes) -> str:
    """Return the fragments that update an open page with the old outline; empty if it needs the full page."""
    changed = tuple(islice(_changed(old, new), MAX_CHANGED_PARTS + 1))
    if len(old) != len(new) or not page.parts or 0 in changed or len(changed) > MAX_CHANGED_PARTS:
        return ""
    return Markup("\n").join(_pieces(page, changed))


def _changed(old: bytes, new: bytes) -> Iterator[int]:
    pairs = zip(memoryview(old).cast("q"), memoryview(new).cast("q"), strict=False)
    return (place for place, (before, after) in enumerate(pairs) if before != after)


def _pieces(page: Page, places: Iterable[int]) -> Iterator[Markup]:
    lines: tuple[PageLine, ...] = tuple(page.lines())
    for place in places:
        at = place - 1 - len(page.parts)
        if at < 0:
            name = page.parts[place - 1]
            yield _piece(part_id(name), "innerMorph", _part(page, name))
        else:
            draw = get_template_attribute(*page.line)
            yield _piece(lines[at].line_id, "outerMorph", draw(lines[at], page.owner).strip())


def part_id(template: str) -> str:
    """Return the HTML ID of the element for a part: `part-release-head` for `release/_head.html`."""
    return "part-" + template.removesuffix(".html").replace("/_", "-").replace("_", "-")


def _piece(target: str, swap: str, text: Markup) -> Markup:
    return Markup('<hx-partial hx-target="#{}" hx-swap="{}">{}</hx-partial>').format(target, swap, text)


def _part(page: Page, name: str) -> Markup:
    return Markup(render_template(name, page=page))  # noqa: S704 - our own template
