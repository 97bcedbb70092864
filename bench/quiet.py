"""Ten releases in which nothing happens for a while, and then something does."""

import time

from bench.changes import LAST, PAUSES, QUIET_AFTER, Had, Told, looking, pauses
from bench.stand import Stand
from bench.table import Table

# A moment for the pages that have just been opened.
SETTLE = 5.0
# How often each of them changes, after as long a quiet each time.
ROUNDS = 2


def quiet(stand: Stand, table: Table, release_ids: list[str], viewers: int, seconds: int) -> None:
    """The rows of quiet releases."""
    stand.renew()
    first, told = looking(stand, release_ids, len(release_ids)), Told()
    until = time.monotonic() + QUIET_AFTER
    time.sleep(SETTLE)
    _cost(stand, table, len(release_ids), seconds)
    others = looking(stand, release_ids, viewers - len(release_ids))
    for _ in range(ROUNDS):
        time.sleep(max(until - time.monotonic(), 0))
        for release_id in release_ids:
            time.sleep(pauses.uniform(*PAUSES) / 2)
            told.change(stand, release_id, viewers // len(release_ids))
        until = time.monotonic() + QUIET_AFTER
    time.sleep(LAST)
    had = Had.of(told, first.end(), others.end())
    many = f"{viewers:,} viewers of {len(release_ids)} releases"
    had.row(table, f"the same, after {QUIET_AFTER:.0f} s or more without any", many)


def _cost(stand: Stand, table: Table, releases: int, seconds: int) -> None:
    before = stand.calls()
    halves = [200 * stand.used(seconds / 2) / seconds for _ in range(2)]
    asked, share = stand.asked(before), sum(halves) / 2
    queries = asked["QueryWorkflow"]
    what = f"{releases} watched releases of 1,000, quiet for {seconds} s"
    beside = f"{asked['DescribeWorkflowExecution']} describe calls"
    table.row(f"{what}: queries", str(queries), beside, "", "0", holds=queries == 0)
    table.row(
        f"{what}: CPU",
        f"{share:.1f} %",
        f"of one core; in the last half {halves[1]:.1f} %",
        "",
        "< 5 %",
        holds=share < 5,
    )
