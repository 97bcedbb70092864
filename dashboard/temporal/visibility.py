"""Lists and counts releases by visibility queries. Search text is data: what the language cannot carry is not sent.

The order is the store's own, as SQL stores refuse ORDER BY: those that run first, the newest start first, then those
that have ended, the latest end first.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from cachetools import TTLCache
from temporalio.service import RPCError

from dashboard.domain.entities import Execution, Status
from dashboard.domain.filters import (
    ID_PREFIX,
    MAX_OFFSET,
    MalformedFilter,
    PageRequest,
    ReleaseFilter,
    is_full_prefix,
)
from dashboard.domain.phases import Phase
from dashboard.domain.problems import Problem
from dashboard.temporal.client import NamespaceClient
from dashboard.temporal.deadline import Deadline
from dashboard.temporal.errors import is_not_found, lacks_paused_status, source_problem
from dashboard.temporal.excluded_runs import ExcludedRuns, RunSpan
from dashboard.temporal.executions import read_description, read_executions, read_status_word

# For how many seconds an id that Temporal did not know is not asked for again, and how many such ids are remembered.
UNKNOWN_ID_TTL_SECONDS = 10.0
MAX_UNKNOWN_IDS = 2_000

NO_EXCLUDED_RUNS = ExcludedRuns()


@dataclass(frozen=True, slots=True)
class VisibilityPage:
    """The runs of one page, and the store's token for the next one.

    `counts` says how many runs of each status the filter finds without its phases. `absent` are ids that were asked for
    and not found, and why; None where there is no such execution. `listed_at` and `counted_at` say when that was (UTC),
    and `late` why these are not newer, where that was due. `left_out` are runs that were not asked for.
    """

    runs: tuple[Execution, ...]
    counts: Mapping[Status, int]
    next: bytes | None = None
    absent: Mapping[str, Problem | None] = field(default_factory=dict)
    listed_at: datetime | None = None
    counted_at: datetime | None = None
    late: Problem | None = None
    left_out: ExcludedRuns = NO_EXCLUDED_RUNS


class Visibility:
    """Asks for the releases of one deployment, which are those that its own query finds."""

    def __init__(self, release_query: str) -> None:
        self._query = release_query
        self._gone: TTLCache[str, None] = TTLCache(MAX_UNKNOWN_IDS, UNKNOWN_ID_TTL_SECONDS)
        self._left_out = NO_EXCLUDED_RUNS

    def leave_out(self, spans: Iterable[RunSpan], singly: Iterable[Execution]) -> None:
        """Ask no more for the runs of these spans, nor for those `singly`: another stands for each."""
        known = (span for span in spans if representable_prefix(span.workflow_id) == span.workflow_id)
        self._left_out = self._left_out.with_these(known, singly)

    async def page(
        self, client: NamespaceClient, asked: PageRequest, counts: Mapping[Status, int] | None, budget: Deadline
    ) -> VisibilityPage:
        """Return one list call, and one count call at the same time unless the counts are known."""
        left_out = self._left_out
        return replace(await self._page(client, asked, counts, budget), left_out=left_out)

    async def _page(
        self, client: NamespaceClient, asked: PageRequest, counts: Mapping[Status, int] | None, budget: Deadline
    ) -> VisibilityPage:
        if asked.filter.ids is not None:
            return await self._of_ids(client, asked.filter.ids, budget)
        now = datetime.now(UTC)
        if representable_prefix(asked.filter.q) != asked.filter.q:
            return await self._sifted(client, asked, now, budget)
        listing = self._list(client, asked, now, budget)
        if counts is not None:
            return _counted(await listing, counts, asked)
        return _counted(*await asyncio.gather(listing, self._count(client, asked.filter, now, budget)), asked)

    async def _of_ids(self, client: NamespaceClient, ids: Sequence[str], budget: Deadline) -> VisibilityPage:
        """Return the latest run of each of these: from one list call, and what that does not find is described.

        A list lags behind, and its language cannot carry every id; and what it does not find may be gone.
        """
        listed = await self._latest(client, [each for each in ids if representable_prefix(each) == each], budget)
        others = [each for each in ids if each not in listed]
        found = dict(
            zip(others, await asyncio.gather(*(self._run(client, each, budget) for each in others)), strict=True)
        )
        absent = {each: run for each, run in found.items() if not isinstance(run, Execution)}
        runs = [*listed.values(), *(run for run in found.values() if isinstance(run, Execution))]
        runs.sort(key=lambda run: run.started_at, reverse=True)
        return VisibilityPage(tuple(runs), Counter(run.status for run in runs), absent=absent)

    async def _run(self, client: NamespaceClient, workflow_id: str, budget: Deadline) -> Execution | Problem | None:
        """The latest run of an id that is not listed. Of one that was gone a moment ago the list tells, if it comes."""
        if workflow_id in self._gone:
            return None
        run = await describe_latest_run(client, workflow_id, budget)
        if run is None:
            self._gone[workflow_id] = None
        return run

    async def _latest(self, client: NamespaceClient, ids: Sequence[str], budget: Deadline) -> dict[str, Execution]:
        """The latest run of each of these that a list tells of. What is past its reach is not said to be missing."""
        if not ids:
            return {}
        query = f"WorkflowId IN ({', '.join(map(string_literal, ids))}) AND {_LAST_RUNS}"
        found = await client.list_executions(query, budget, page_size=MAX_OFFSET)
        latest: dict[str, Execution] = {}
        for run in sorted(read_executions(found.executions), key=lambda run: run.started_at):
            latest[run.workflow_id] = run
        return {each: latest[each] for each in ids if each in latest}

    async def _list(
        self, client: NamespaceClient, asked: PageRequest, now: datetime, budget: Deadline
    ) -> VisibilityPage:
        """By number, the pages before it are asked for with it and left out here; by cursor, the page alone."""
        try:
            return await self._found(client, asked, now, budget)
        except RPCError as exc:
            if not lacks_paused_status(exc) or Phase.PAUSED not in asked.filter.phases:
                raise
        # A server that does not know the word has paused nothing.
        others = tuple(phase for phase in asked.filter.phases if phase is not Phase.PAUSED)
        if not others:
            return VisibilityPage((), {})
        return await self._found(client, replace(asked, filter=replace(asked.filter, phases=others)), now, budget)

    async def _found(
        self, client: NamespaceClient, asked: PageRequest, now: datetime, budget: Deadline
    ) -> VisibilityPage:
        skipped = 0 if asked.cursor else asked.offset
        found = await client.list_executions(
            list_query(self._query, asked.filter, now, self._left_out),
            budget,
            page_size=skipped + asked.page_size,
            token=asked.cursor.token if asked.cursor else b"",
        )
        runs = tuple(read_executions(found.executions[skipped:]))
        return VisibilityPage(runs, {}, found.next_page_token or None)

    async def _count(
        self, client: NamespaceClient, wanted: ReleaseFilter, now: datetime, budget: Deadline
    ) -> dict[Status, int]:
        counts = await count_by_status(client, count_query(self._query, wanted, now, self._left_out), budget)
        counts.pop(Status.CONTINUED_AS_NEW, None)
        return counts

    async def _sifted(
        self, client: NamespaceClient, asked: PageRequest, now: datetime, budget: Deadline
    ) -> VisibilityPage:
        """The same answer for a text that the language cannot carry: from all that begin as far as it can."""
        narrowed = replace(asked.filter, q=representable_prefix(asked.filter.q), phases=())
        rows = await self._list(client, PageRequest(MAX_OFFSET, filter=narrowed), now, budget)
        if rows.next:
            raise MalformedFilter(
                "q",
                f"over {MAX_OFFSET:,} ids begin like that: Temporal cannot look for quotation marks and backslashes",
            )
        found = [run for run in rows.runs if asked.filter.matches(run.workflow_id)]
        shown = [run for run in found if not asked.filter.phases or run.status in asked.filter.statuses]
        page = shown[asked.offset : asked.offset + asked.page_size]
        return VisibilityPage(tuple(page), Counter(run.status for run in found))


async def describe_latest_run(
    client: NamespaceClient, workflow_id: str, budget: Deadline
) -> Execution | Problem | None:
    """Return the latest run of a workflow id; why that is unknown; or None for an id that Temporal does not know."""
    try:
        description = await client.get_workflow_handle(workflow_id).describe(budget)
    except RPCError as exc:
        return None if is_not_found(exc) else source_problem(exc)
    run = read_description(description)
    # What a list knows of a run, and no more: the rest moves on while nothing of it is shown.
    return Execution(
        run.workflow_id,
        run.run_id,
        run.workflow_type,
        run.status,
        run.started_at,
        run.closed_at,
        task_queue=run.task_queue,
    )


async def count_by_status(client: NamespaceClient, query: str, budget: Deadline) -> Counter[Status]:
    """Return how many runs of each status a query with GROUP BY ExecutionStatus finds, in one call."""
    answer = await client.count_executions(query, budget)
    counts: Counter[Status] = Counter()
    for group in answer.groups:
        counts[read_status_word(group.group_values)] += group.count
    return counts


def list_query(
    release_query: str, wanted: ReleaseFilter, now: datetime, left_out: ExcludedRuns = NO_EXCLUDED_RUNS
) -> str:
    """The visibility query for the releases that a filter finds. The deployment's own query stays one condition."""
    if wanted.phases:
        status = f"ExecutionStatus IN ({', '.join(_status_literal(status) for status in wanted.statuses)})"
    else:
        status = _LAST_RUNS
    return " AND ".join([*_conditions(release_query, wanted, now, left_out), status])


def count_query(
    release_query: str, wanted: ReleaseFilter, now: datetime, left_out: ExcludedRuns = NO_EXCLUDED_RUNS
) -> str:
    """Return the query that counts by status what a filter finds, whatever its phases."""
    return f"{' AND '.join(_conditions(release_query, wanted, now, left_out))} GROUP BY ExecutionStatus".lstrip()


def _conditions(release_query: str, wanted: ReleaseFilter, now: datetime, left_out: ExcludedRuns) -> list[str]:
    conditions = [f"({release_query})"] if release_query else []
    if wanted.q:
        conditions.append(_begins_with(wanted.q))
    if wanted.since:
        conditions.append(f"StartTime >= {time_literal(wanted.since.at(now))}")
    if wanted.ended_within is not None:
        conditions.append(f"CloseTime >= {time_literal(now - wanted.ended_within)}")
    if wanted.until:
        conditions.append(f"StartTime < {time_literal(wanted.until.at(now))}")
    conditions += [
        f"({' OR '.join(_outside(span))})" for span in left_out.spans.values() if wanted.matches(span.workflow_id)
    ]
    conditions += [
        f"RunId != {string_literal(run_id)}" for run_id, each in left_out.runs.items() if wanted.matches(each)
    ]
    return conditions


def _outside(span: RunSpan) -> list[str]:
    before = [f"StartTime < {time_literal(span.since)}"] if span.since else []
    return [f"WorkflowId != {string_literal(span.workflow_id)}", f"StartTime > {time_literal(span.until)}", *before]


def string_literal(text: str) -> str:
    """A string of the visibility language. The backslash first: it escapes the quotes, which doubled would end it."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def representable_prefix(text: str) -> str:
    """As much of a text, from its beginning, as the language carries unchanged.

    The server reads a literal and writes it again before it compares: quotation marks and backslashes come out with a
    backslash before them, and single quotes at either end are lost.
    """
    end = min((at for at in (text.find('"'), text.find("\\")) if at >= 0), default=len(text))
    return "" if text.startswith("'") else text[:end].rstrip("'")


def _begins_with(text: str) -> str:
    if is_full_prefix(text):
        return f"WorkflowId STARTS_WITH {string_literal(text)}"
    plain = f"WorkflowId STARTS_WITH {string_literal(text)} AND WorkflowId NOT STARTS_WITH {string_literal(ID_PREFIX)}"
    return f"(WorkflowId STARTS_WITH {string_literal(ID_PREFIX + text)} OR ({plain}))"


def _status_literal(status: Status) -> str:
    return string_literal("".join(word.capitalize() for word in status.split("_")))


# One release, one row: of runs that continue one another, the last stands for all.
_LAST_RUNS = f"ExecutionStatus != {_status_literal(Status.CONTINUED_AS_NEW)}"


def time_literal(moment: datetime) -> str:
    """Return a time of the visibility language."""
    return string_literal(moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"))


def _counted(rows: VisibilityPage, counts: Mapping[Status, int], asked: PageRequest) -> VisibilityPage:
    """The rows with their counts; where they are the whole list, they count better than a count that may be older."""
    if asked.offset or rows.next:
        return replace(rows, counts=counts)
    sought = asked.filter.statuses or tuple(Status)
    others = {status: count for status, count in counts.items() if status not in sought}
    return replace(rows, counts=others | Counter(run.status for run in rows.runs))
