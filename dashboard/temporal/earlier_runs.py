"""Runs superseded by another run: retried attempts, earlier scheduled runs, and reset runs.

They are not releases of their own, but lists and counts include them. They are recognized by their closing event or, if
reset after their end, by their description.
"""

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from math import inf

from cachetools import LRUCache, TTLCache

from dashboard.domain.entities import Execution, Status
from dashboard.domain.filters import PageRequest, ReleaseFilter
from dashboard.temporal.client import NamespaceClient
from dashboard.temporal.deadline import Deadline
from dashboard.temporal.excluded_runs import ExcludedRuns, RunSpan
from dashboard.temporal.history import RunEndingReader
from dashboard.temporal.run_links import RESET_CHECK_INTERVAL_SECONDS, RunLinkReader
from dashboard.temporal.visibility import VisibilityPage

# How many are remembered, and for how many seconds after they were seen last: a namespace keeps no run for ever.
MAX_KNOWN_SUPERSEDED_RUNS = 20_000
SUPERSEDED_RUN_TTL_SECONDS = 86_400.0
MAX_CONCURRENT_SUPERSEDED_READS = 16
# How many runs per read are checked again for resets.
MAX_RESET_RECHECKS = 8

_TRIED_AGAIN = frozenset({Status.FAILED, Status.TIMED_OUT, Status.TERMINATED})


class SupersededRuns:
    """Finds and caches superseded runs, one instance per namespace."""

    def __init__(self, endings: RunEndingReader, links: RunLinkReader) -> None:
        self._endings = endings
        self._links = links
        self._seen: TTLCache[str, Execution] = TTLCache(MAX_KNOWN_SUPERSEDED_RUNS, SUPERSEDED_RUN_TTL_SECONDS)
        self._apart: LRUCache[str, None] = LRUCache(MAX_KNOWN_SUPERSEDED_RUNS)

    async def among(self, client: NamespaceClient, runs: Iterable[Execution], budget: Deadline) -> dict[str, Execution]:
        """Return the superseded ones by run ID. Each closing event is read once."""
        runs = list(runs)
        gate = asyncio.Semaphore(MAX_CONCURRENT_SUPERSEDED_READS)

        async def is_followed(run: Execution) -> bool:
            async with gate:
                handle = client.get_workflow_handle(run.workflow_id, run_id=run.run_id)
                ending = await self._endings.brief(handle, run, budget)
            return ending is not None and ending.followed

        asked = [run for run in runs if _may_be_followed(run)]
        followed = await asyncio.gather(*map(is_followed, asked))
        found = {run.run_id: run for run, is_one in zip(asked, followed, strict=True) if is_one}
        others = [run for run in runs if run.status.closed and run.run_id not in found]
        await self._look_for_resets(client, others, gate, budget)
        for run in others:
            if self._links.is_followed(run):
                found[run.run_id] = run
                self._apart[run.run_id] = None
        for run in found.values():
            self._seen[run.run_id] = run
        return found

    async def left_out(
        self, client: NamespaceClient, found: Mapping[str, Execution], budget: Deadline
    ) -> tuple[list[RunSpan], list[Execution]]:
        """Return what to exclude from later lists: spans of runs, and single runs.

        Schedules create consecutive runs. Other releases of the ID may precede the first one, or lie between a run that
        was reset after its end and its successor.
        """
        runs = [run for run in found.values() if run.run_id not in self._apart]
        spans = await asyncio.gather(*(self._links.span(client, run, budget) for run in runs))
        singly = [run for run in found.values() if run.run_id in self._apart]
        singly += [run for run, span in zip(runs, spans, strict=True) if span is None]
        return [span for span in spans if span], singly

    async def _look_for_resets(
        self, client: NamespaceClient, runs: list[Execution], gate: asyncio.Semaphore, budget: Deadline
    ) -> None:
        """Describe new runs, and re-describe some others, oldest first, as any may be reset."""

        async def read(run: Execution) -> None:
            async with gate:
                await self._links.read(client, run, budget)

        ages = {run.run_id: self._links.age(run) for run in runs if not self._links.is_followed(run)}
        unread = [run for run in runs if ages.get(run.run_id) == inf]
        again = sorted(
            (run for run in runs if RESET_CHECK_INTERVAL_SECONDS < ages.get(run.run_id, 0) < inf),
            key=lambda run: -ages[run.run_id],
        )
        await asyncio.gather(*map(read, [*unread, *again[:MAX_RESET_RECHECKS]]))

    def counted(
        self, rows: VisibilityPage, asked: PageRequest, left_out: Collection[str]
    ) -> tuple[Mapping[Status, int], bool]:
        """Return the counts without superseded runs, and whether they are exact.

        A complete page is counted by its rows. Earlier counts are already corrected.
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

    def _matching(self, wanted: ReleaseFilter, left_out: ExcludedRuns) -> Counter[Status]:
        """Return how many known superseded runs a count includes."""
        now = datetime.now(UTC)
        asked = (run for run in list(self._seen.values()) if not left_out.has(run))
        return Counter(run.status for run in asked if _finds(wanted, run, now))


def _may_be_followed(run: Execution) -> bool:
    if run.status is Status.COMPLETED:
        # Only a schedule starts again what ended well; each of its runs had to wait for its time.
        return run.execution_time is not None and run.execution_time > run.started_at
    return run.status in _TRIED_AGAIN


def _finds(wanted: ReleaseFilter, run: Execution, now: datetime) -> bool:
    if not wanted.matches(run.workflow_id):
        return False
    return not (
        (wanted.since and run.started_at < wanted.since.at(now))
        or (wanted.until and run.started_at >= wanted.until.at(now))
    )
