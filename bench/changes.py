"""What open pages are told of changes: how soon, in how many bytes, and at what cost."""

import random
import statistics
import time
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from bench.client import Load
from bench.stand import Stand
from bench.table import Table, at_most

CHANGES = 5
# A release that has moved is looked at more often for 30 seconds. After so many it is not any more.
QUIET_AFTER = 36.0
# Seconds from one change to the next: at any moment between two looks, and not before all viewers have the last one.
PAUSES = (1.5, 3.0)
# Seconds in which a change must have come for its viewer not to be lost.
LAST = 4.0
# The first app's cluster is open, so that its row is on the page.
OPEN = "?open=cluster:eu-west-0"

numbers = count(1)
pauses = random.Random(20260105)  # noqa: S311 - the same pauses for one viewer and for many


@dataclass
class Told:
    """Changes by their marks, when each was told to Temporal, and how many viewers should have it."""

    at: dict[str, float] = field(default_factory=dict)
    viewers: dict[str, int] = field(default_factory=dict)

    def change(self, stand: Stand, release_id: str, viewers: int) -> None:
        """Let the first app of a release change."""
        mark = f"change-{next(numbers)}"
        self.at[mark] = stand.change(release_id, mark)
        self.viewers[mark] = viewers


@dataclass(frozen=True)
class Had:
    """How long after each change each viewer had it, in seconds; in how many bytes; and how many viewers were lost."""

    late: list[float]
    sizes: list[int]
    lost: int

    @classmethod
    def of(cls, told: Told, *found: dict[str, Any]) -> "Had":
        """What viewers found of what was told."""
        had = {mark: [one for each in found for one in each["changes"].get(mark, [])] for mark in told.at}
        late = [at - told.at[mark] for mark, each in had.items() for at, _ in each]
        missing = max(told.viewers[mark] - len(each) for mark, each in had.items())
        broken = sum(each["broken"] for each in found)
        return cls(sorted(late), [size for each in had.values() for _, size in each], max(missing, broken))

    def row(self, table: Table, what: str, viewers: str) -> None:
        """How soon it was there, and whether for all."""
        beside, must_be = f"{viewers}, {self.lost} lost", "p50 0.5, p95 1, 0 lost"
        if not self.late:
            table.row(what, "nobody had it", beside, "", must_be, holds=False)
            return
        p50, p95 = statistics.median(self.late), self.late[int(len(self.late) * 0.95)]
        holds = p50 < 0.5 and p95 < 1 and not self.lost
        table.row(what, f"p50 {p50:.2f} s, p95 {p95:.2f} s", beside, "", must_be, holds=holds)


def looking(stand: Stand, release_ids: list[str], viewers: int) -> Load:
    """So many viewers, who are there."""
    urls = [f"{stand.base}/releases/{release_id}{OPEN}" for release_id in release_ids]
    return Load("viewers", *urls, "--cookies", stand.cookies, "--clients", str(viewers)).ready()


def changes(stand: Stand, table: Table, thousand: str, viewers: int) -> None:
    """The rows of one release that changes while many look."""
    stand.renew()
    _, asked_by_one = _watched(stand, thousand, 1)
    had, asked = _watched(stand, thousand, viewers)
    had.row(table, "change of one app in 1,000 to the answer", f"{viewers:,} viewers of it, {CHANGES} changes")
    total, by_one = sum(asked.values()), sum(asked_by_one.values())
    what = f"calls to Temporal with {viewers:,} viewers of one release"
    table.ratio(what, f"{total} calls", f"1 viewer {by_one} calls", total / max(by_one, 1), at_most(1.2))
    viewer = stand.viewer()
    viewer.get(f"/releases/{thousand}/hierarchy", **{"HX-Request": "true"})
    size, whole = statistics.mean(had.sizes or [0]), len(viewer.body)
    beside = f"whole tree fragment {whole:,} bytes"
    table.ratio("bytes per viewer for that one change", f"{size:,.0f} bytes", beside, size / whole, at_most(1 / 20))


def _watched(stand: Stand, release_id: str, viewers: int) -> tuple[Had, dict[str, int]]:
    """What so many viewers have of some changes, and what Temporal is asked meanwhile, in the same time for all."""
    pauses.seed(1)
    there, told = looking(stand, [release_id], viewers), Told()
    before, until = stand.calls(), time.monotonic() + CHANGES * PAUSES[1] + LAST
    for _ in range(CHANGES):
        time.sleep(pauses.uniform(*PAUSES))
        told.change(stand, release_id, viewers)
    time.sleep(max(until - time.monotonic(), 0))
    asked = stand.asked(before)
    return Had.of(told, there.end()), asked
