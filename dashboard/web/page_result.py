"""The result of a view: a snapshot of a topic, and how to build its page."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any

from dashboard.domain.snapshot import Snapshot
from dashboard.live.topic import Topic
from dashboard.web.export.table import Table
from dashboard.web.page_model import Page

Moments = Mapping[str, datetime]


def _no_moments(_snapshot: Snapshot[Any]) -> Moments:
    return {}


def moments_of(snapshot: Snapshot[Any], more: Callable[[Snapshot[Any]], Moments]) -> Moments:
    """Return all moments of a snapshot by name, `as_of` first."""
    return {"as_of": snapshot.as_of, **more(snapshot)}


@dataclass(frozen=True, slots=True)
class PageResult:
    """A snapshot of `what`, and how to build its page, which happens only if it is not cached.

    `more_moments` returns the page's moments other than `as_of` for a snapshot of the same content. `unfolded` builds
    the page with all rows shown, if the viewer's expanded rows matter. `since` is set if the page depends on the
    current time: changes since then. `personal` pages depend on the user and have no stream. `table` builds the export,
    if there is one. `paged` results have neighbouring pages.
    """

    what: Topic
    snapshot: Snapshot[Any]
    make: Callable[[], Page]
    more_moments: Callable[[Snapshot[Any]], Moments] = _no_moments
    unfolded: Callable[[], Page] | None = None
    since: datetime | None = None
    personal: bool = False
    table: Callable[[], Table] | None = None
    paged: bool = False

    def moments(self) -> Moments:
        """Return all moments by name, `as_of` first."""
        return moments_of(self.snapshot, self.more_moments)

    def memoized(self) -> "PageResult":
        """Return a copy that builds the page at most once."""
        return replace(self, make=cache(self.make))

    def without_viewer_state(self) -> "PageResult":
        """Return a copy without the viewer's expanded rows that builds the page at most once."""
        return replace(self, make=cache(self.unfolded or self.make), unfolded=None)
