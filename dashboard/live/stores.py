"""Where what looks find is kept, by kind, and how often each kind is renewed while somebody looks."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dashboard.domain.causes import Problems
from dashboard.live.looks import Looks, list_weight, search_weight
from dashboard.live.seats import Seats
from dashboard.live.snapshots import Snapshot, SnapshotStore
from dashboard.live.trees import tree_weight

# A release is looked at more often, as a change is to be seen within a second: this share of it, or, when it has moved
# lately, after so many seconds.
RELEASE_SHARE = 0.8
LIVELY_AGE = 0.4
# What is broken across releases takes many trees, and a search asks many releases: each is renewed this many times less
# often.
SELDOM = 3.0
# A row of a list that nobody has open is read this many times less often, or where it has moved lately.
ROW_SHARE = 5.0
LIVELY_ROW_SHARE = 2.0


@dataclass(frozen=True, slots=True)
class Kind:
    """Where one kind of what is watched is kept, and how many seconds after a look the next one is."""

    store: SnapshotStore[Any, Any]
    every: float
    lively: float | None = None


class Stores:
    """A store for each kind, which share the seats of those who wait. `memory` is in bytes, most of it for trees."""

    def __init__(
        self,
        looks: Looks,
        find_problems: Callable[[], Snapshot[Problems]],
        *,
        max_age: float,
        memory: int,
        clock: Callable[[], float],
    ) -> None:
        seats = Seats()
        self.pages = SnapshotStore(
            looks.page, max_age=max_age, keep=memory // 16, weigh=list_weight, seats=seats, clock=clock
        )
        self.trees = SnapshotStore(
            looks.tree, max_age=max_age, keep=memory * 3 // 4, weigh=tree_weight, seats=seats, clock=clock
        )
        self.searches = SnapshotStore(
            looks.search, max_age=max_age, keep=memory // 16, weigh=search_weight, seats=seats, clock=clock
        )
        self.problems: SnapshotStore[str, Problems] = SnapshotStore(
            lambda _key, _last, _seconds: find_problems(),
            max_age=SELDOM * max_age,
            keep=1,
            seats=seats,
            clock=clock,
        )
        self.kinds = {
            "release": Kind(self.trees, RELEASE_SHARE * max_age, min(LIVELY_AGE, max_age)),
            "list": Kind(self.pages, max_age),
            "problems": Kind(self.problems, SELDOM * max_age),
            "occurrences": Kind(self.searches, SELDOM * max_age),
            "row": Kind(looks.rows, ROW_SHARE * max_age, LIVELY_ROW_SHARE * max_age),
        }
