"""What a change costs in a large release beside a small one."""

import statistics
import time

from bench.changes import Had, Told, looking
from bench.stand import Stand
from bench.table import Table, at_most

ROUNDS = 6
SECONDS = 2.0
# As long as this nothing changes, to know what looking alone costs.
REST = 8.0


def sizes(stand: Stand, table: Table, thousand: str, seven: str) -> None:
    """One viewer of each, and changes in turn; a look that finds nothing new is not part of what a change costs."""
    stand.renew()
    there, told = looking(stand, [thousand, seven], 2), {thousand: Told(), seven: Told()}
    used = {thousand: 0.0, seven: 0.0}
    for release_id in used:
        told[release_id].change(stand, release_id, 1)
    time.sleep(SECONDS)
    rest = SECONDS / REST * stand.used(REST)
    for _ in range(ROUNDS):
        for release_id in used:
            told[release_id].change(stand, release_id, 1)
            used[release_id] += (stand.used(SECONDS) - rest) / ROUNDS
    found = there.end()
    small, large = (Had.of(told[release_id], found) for release_id in (thousand, seven))
    _rows(table, (used[thousand], used[seven]), small, large)


def _rows(table: Table, used: tuple[float, float], small: Had, large: Had) -> None:
    one, seven = (1000 * each for each in used)
    lost = f", {small.lost + large.lost} lost" if small.lost + large.lost else ""
    what = "change of one app in 7,000: CPU of the dashboard"
    table.ratio(what, f"{seven:.0f} ms{lost}", f"in 1,000 {one:.0f} ms", seven / max(one, 1), at_most(8))
    sent, beside = (statistics.mean(had.sizes or [0]) for had in (large, small))
    what = "the same: bytes sent to a viewer"
    table.ratio(what, f"{sent:,.0f} bytes", f"in 1,000 {beside:,.0f} bytes", sent / max(beside, 1), at_most(1.1))
