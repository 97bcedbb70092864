"""The list from one page to the next, for who wants all of it: within a bound, and it says where it ended and why."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from time import monotonic
from typing import Protocol

from dashboard.domain.entities import ReleaseList
from dashboard.domain.filters import REACH, Cursor, MalformedFilter, Slice
from dashboard.domain.problems import SourceUnavailable
from dashboard.live.snapshots import Snapshot
from dashboard.pages.releases import items_of
from dashboard.pages.table import MAX_ROWS, Piece

# For how many seconds the list is walked at most.
SECONDS = 60.0

Seal = Callable[[Cursor], str]


class Pages(Protocol):
    """Where pages of the list can be had."""

    def page(self, asked: Slice) -> Snapshot[ReleaseList]:
        """One of them. Raises SourceUnavailable or MalformedFilter."""


def walked(
    releases: Pages,
    asked: Slice,
    first: Snapshot[ReleaseList],
    seal: Seal,
    clock: Callable[[], float] = monotonic,
) -> Iterator[Piece]:
    """All pages from the `first` on, which this slice gave. Needs no request: it may go on after its view is left."""
    seen, until, newest, count = first, clock() + SECONDS, dict[str, datetime](), 0
    while True:
        rows = items_of(seen.value.releases, newest)
        count += len(rows)
        after = _after(asked, seen.value)
        over = _why_over(seen.value, count, late=clock() > until) if after else ""
        yield Piece.of(seen, rows, over, next=_sealed(after, seal) if over else None)
        if after is None or over:
            return
        asked = after
        try:
            seen = releases.page(asked)
        except (SourceUnavailable, MalformedFilter) as exc:
            yield Piece.of(seen, (), f"Reading the list failed: {exc}", next=_sealed(asked, seal))
            return


def _after(asked: Slice, listing: ReleaseList) -> Slice | None:
    """The page after this one; by number where what is looked for is picked by us, so that the store has no token."""
    end = listing.offset + len(listing.releases)
    if listing.next:
        return replace(asked, cursor=Cursor(listing.next, end))
    by_number = asked.cursor is None and listing.releases and end < min(listing.total, REACH)
    return replace(asked, page=asked.page + 1) if by_number else None


def _sealed(asked: Slice | None, seal: Seal) -> str | None:
    return seal(asked.cursor) if asked and asked.cursor else None


def _why_over(listing: ReleaseList, count: int, *, late: bool) -> str:
    """Why it ends here, though there may be more; empty where it goes on."""
    left = max(listing.total - listing.offset - len(listing.releases), 0)
    rest = f"about {left:,} releases remain: add a filter, or continue with cursor"
    if count >= MAX_ROWS:
        return f"An export has at most {MAX_ROWS:,} rows; {rest}"
    if late:
        return f"The export reached its time limit of {SECONDS:.0f} seconds; {rest}"
    return ""
