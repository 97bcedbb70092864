"""Export the list page by page, within limits, reporting where and why it ends."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from time import monotonic
from typing import Protocol

from dashboard.domain.entities import ReleaseList
from dashboard.domain.filters import MAX_OFFSET, Cursor, MalformedFilter, PageRequest
from dashboard.domain.problems import SourceUnavailable
from dashboard.domain.snapshot import Snapshot
from dashboard.views.releases.page import release_items
from dashboard.web.export.table import MAX_TABLE_ROWS, TableChunk

# For how many seconds the list is walked at most.
MAX_EXPORT_SECONDS = 60.0

CursorSealer = Callable[[Cursor], str]


class ListReader(Protocol):
    """Where pages of the list can be had."""

    def page(self, asked: PageRequest) -> Snapshot[ReleaseList]:
        """Return one of them. Raises SourceUnavailable or MalformedFilter."""


def export_pages(
    releases: ListReader,
    asked: PageRequest,
    first: Snapshot[ReleaseList],
    seal: CursorSealer,
    clock: Callable[[], float] = monotonic,
) -> Iterator[TableChunk]:
    """Yield all pages from the `first` on. Needs no request context: it may continue after the view has returned."""
    seen, until, newest, count = first, clock() + MAX_EXPORT_SECONDS, dict[str, datetime](), 0
    while True:
        rows = release_items(seen.value.releases, newest)
        count += len(rows)
        after = _next_slice(asked, seen.value)
        over = _end_reason(seen.value, count, late=clock() > until) if after else ""
        yield TableChunk.of(seen, rows, over, next=_seal_cursor(after, seal) if over else None)
        if after is None or over:
            return
        asked = after
        try:
            seen = releases.page(asked)
        except (SourceUnavailable, MalformedFilter) as exc:
            yield TableChunk.of(seen, (), f"Reading the list failed: {exc}", next=_seal_cursor(asked, seal))
            return


def _next_slice(asked: PageRequest, listing: ReleaseList) -> PageRequest | None:
    """The page after this one; by number where what is searched for is picked by us, so that the store has no token."""
    end = listing.offset + len(listing.releases)
    if listing.next:
        return replace(asked, cursor=Cursor(listing.next, end))
    by_number = asked.cursor is None and listing.releases and end < min(listing.total, MAX_OFFSET)
    return replace(asked, page=asked.page + 1) if by_number else None


def _seal_cursor(asked: PageRequest | None, seal: CursorSealer) -> str | None:
    return seal(asked.cursor) if asked and asked.cursor else None


def _end_reason(listing: ReleaseList, count: int, *, late: bool) -> str:
    """Return why the export ends before the end of the list; empty if it continues."""
    left = max(listing.total - listing.offset - len(listing.releases), 0)
    rest = f"about {left:,} releases remain: add a filter, or continue with cursor"
    if count >= MAX_TABLE_ROWS:
        return f"An export has at most {MAX_TABLE_ROWS:,} rows; {rest}"
    if late:
        return f"The export reached its time limit of {MAX_EXPORT_SECONDS:.0f} seconds; {rest}"
    return ""
