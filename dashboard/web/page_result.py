"""What a view answers: something that is watched, as it is known now, and how to make a page of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any

from dashboard.live.snapshot_store import Snapshot
from dashboard.live.topic import Topic
from dashboard.web.export.table import Table
from dashboard.web.page_model import Page

Moments = Mapping[str, datetime]


def _no_moments(_snapshot: Snapshot[Any]) -> Moments:
    return {}


def moments_of(snapshot: Snapshot[Any], more: Callable[[Snapshot[Any]], Moments]) -> Moments:
    """Every moment by name, `as_of` first, of a snapshot."""
    return {"as_of": snapshot.as_of, **more(snapshot)}


@dataclass(frozen=True, slots=True)
class PageResult:
    """A snapshot of `what`, and how to make the page of it, which is done only if nobody had it made yet.

    `more_moments` gives the values of the page's moments, other than `as_of`, from a snapshot of the same content.
    `unfolded` makes the page with every row shown, where what a viewer has opened makes a difference. `since` is set
    where the page says something else as time goes by, of the same snapshot: what changed since then. `personal` says
    that it depends on who asks what is shown at this address: such a page hears no news, which are for all; it asks.
    `table` makes the table of it, where it has one. `paged` says that there are pages of it beside this one.
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
        """Every moment by name, `as_of` first."""
        return moments_of(self.snapshot, self.more_moments)

    def memoized(self) -> "PageResult":
        """The same, which makes the page at most once."""
        return replace(self, make=cache(self.make))

    def without_viewer_state(self) -> "PageResult":
        """The same without regard to what a viewer has opened, which makes the page at most once."""
        return replace(self, make=cache(self.unfolded or self.make), unfolded=None)
