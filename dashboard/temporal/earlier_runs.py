"""Runs that another stands for: a failed attempt that was tried again, what a schedule began anew, what was reset.

They are no releases of their own. A list has them all the same, and so has a count: which they are is known of those
that were seen.
"""

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime

from cachetools import TTLCache

from dashboard.domain.entities import Execution, Status
from dashboard.domain.filters import ReleaseFilter, Slice
from dashboard.temporal.budget import Budget
from dashboard.temporal.client import Client
from dashboard.temporal.history import Endings
from dashboard.temporal.visibility import Rows

# How many are remembered, and for how many seconds after they were seen last: a namespace keeps no run for ever.
KEEP = 20_000
REMEMBER = 86_400.0
AT_ONCE = 16

_TRIED_AGAIN = frozenset({Status.FAILED, Status.TIMED_OUT, Status.TERMINATED})


class EarlierRuns:
    """Finds and remembers which runs are followed by another. One for each namespace."""

    def __init__(self, endings: Endings) -> None:
        self._endings = endings
        self._seen: TTLCache[str, Execution] = TTLCache(KEEP, REMEMBER)

    async def among(self, client: Client, runs: Iterable[Execution], budget: Budget) -> dict[str, Execution]:
        """Those that another run stands for, by run id. The end of each is read once."""
        gate = asyncio.Semaphore(AT_ONCE)

        async def is_followed(run: Execution) -> bool:
            async with gate:
                handle = client.get_workflow_handle(run.workflow_id, run_id=run.run_id)
                ending = await self._endings.brief(handle, run, budget)
            return ending is not None and ending.followed

        asked = [run for run in runs if _may_be_followed(run)]
        followed = await asyncio.gather(*map(is_followed, asked))
        found = [run for run, is_one in zip(asked, followed, strict=True) if is_one]
        for run in found:
            self._seen[run.run_id] = run
        return {run.run_id: run for run in found}

    def counted(self, rows: Rows, asked: Slice, left_out: Collection[str]) -> tuple[Mapping[Status, int], bool]:
        """The counts of a page without the runs that another stands for, and whether they are exact.

        What is shown whole is counted by its rows. Counts of an earlier look are without them already.
        """
        whole = not (asked.offset or rows.next)
        here = Counter(run.status for run in rows.runs if run.run_id in left_out)
        known = self._matching(asked.filter, rows.left_out)
        sought = asked.filter.statuses or tuple(Status)
        counts: dict[Status, int] = {}
        for status, count in rows.counts.items():
            less = here[status] if whole and status in sought else known[status] if rows.counted_at else 0
            if count > less:
                counts[status] = count - less
        exact = (whole and not asked.filter.phases) or not known
        return counts, exact

    def _matching(self, wanted: ReleaseFilter, left_out: Mapping[str, datetime]) -> Counter[Status]:
        """How many of those that were seen a count has with it: what was not asked for, it has not."""
        now = datetime.now(UTC)
        asked = (
            run
            for run in list(self._seen.values())
            if run.workflow_id not in left_out or run.started_at > left_out[run.workflow_id]
        )
        return Counter(run.status for run in asked if _finds(wanted, run, now))


def _may_be_followed(run: Execution) -> bool:
    if run.status is Status.COMPLETED:
        # Only a schedule begins anew what ended well; each of its runs had to wait for its time.
        return run.execution_time is not None and run.execution_time > run.started_at
    return run.status in _TRIED_AGAIN


def _finds(wanted: ReleaseFilter, run: Execution, now: datetime) -> bool:
    if not wanted.matches(run.workflow_id):
        return False
    return not (
        (wanted.since and run.started_at < wanted.since.at(now))
        or (wanted.until and run.started_at >= wanted.until.at(now))
    )
