"""List and count releases by visibility queries, with safe handling of search text.

The order is the store's, as SQL stores reject ORDER BY: running ones by latest start, then ended ones by latest end.
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
    """The runs of a page, and the store's token for the next one.

    `counts` by status ignore the phase filter. `absent` are requested IDs that were not found, with the reason; None if
    they do not exist. `listed_at` and `counted_at` are the times (UTC), and `late` why they are not newer. `left_out`
    are excluded runs.
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
    """Lists the releases that match the deployment's query."""

    def __init__(self, release_query: str) -> None:
        self._query = release_query
        self._gone: TTLCache[str, None] = TTLCache(MAX_UNKNOWN_IDS, UNKNOWN_ID_TTL_SECONDS)
        self._left_out = NO_EXCLUDED_RUNS

    def leave_out(self, spans: Iterable[RunSpan], singly: Iterable[Execution]) -> None:
        """Exclude these spans and `singly` listed runs from now on, as they are superseded."""
        known = (span for span in spans if representable_prefix(span.workflow_id) == span.workflow_id)
        self._left_out = self._left_out.with_these(known, singly)

    async def page(
        self, client: NamespaceClient, asked: PageRequest, counts: Mapping[Status, int] | None, budget: Deadline
    ) -> VisibilityPage:
        """Read a page with one list call and, unless the counts are known, one concurrent count call."""
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
        """Return the latest run of each ID from one list call, describing those not found.

        Lists lag and do not support every ID; an ID that is not found may not exist.
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
        """Return the latest run of an unlisted ID, unless it recently did not exist."""
        if workflow_id in self._gone:
            return None
        run = await describe_latest_run(client, workflow_id, budget)
        if run is None:
            self._gone[workflow_id] = None
        return run

    async def _latest(self, client: NamespaceClient, ids: Sequence[str], budget: Deadline) -> dict[str, Execution]:
        """Return the latest listed run of each ID. IDs beyond the limit are not reported as missing."""
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
        """List a page: by number including the preceding pages, or by cursor alone."""
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
        """List for an unsupported search text, by filtering the results of its longest supported prefix."""
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
    """Describe the latest run of a workflow ID; return a problem on failure, or None if it does not exist."""
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
    """Count runs by status in one call with GROUP BY ExecutionStatus."""
    answer = await client.count_executions(query, budget)
    counts: Counter[Status] = Counter()
    for group in answer.groups:
        counts[read_status_word(group.group_values)] += group.count
    return counts


def list_query(
    release_query: str, wanted: ReleaseFilter, now: datetime, left_out: ExcludedRuns = NO_EXCLUDED_RUNS
) -> str:
    """Return the visibility query of a filter, combined with the deployment's query."""
    if wanted.phases:
        status = f"ExecutionStatus IN ({', '.join(_status_literal(status) for status in wanted.statuses)})"
    else:
        status = _LAST_RUNS
    return " AND ".join([*_conditions(release_query, wanted, now, left_out), status])


def count_query(
    release_query: str, wanted: ReleaseFilter, now: datetime, left_out: ExcludedRuns = NO_EXCLUDED_RUNS
) -> str:
    """Return the query that counts the results of a filter by status, ignoring its phases."""
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
    """Return a string literal of the visibility language, escaping backslashes first, then quotes."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def representable_prefix(text: str) -> str:
    """Return the longest prefix of a text that the language supports.

    The server re-encodes literals before comparing: quotes and backslashes get an additional backslash, and quotes at
    the ends are lost.
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


# One release, one row: the last run represents its continue-as-new chain.
_LAST_RUNS = f"ExecutionStatus != {_status_literal(Status.CONTINUED_AS_NEW)}"


def time_literal(moment: datetime) -> str:
    """Return a time literal of the visibility language."""
    return string_literal(moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"))


def _counted(rows: VisibilityPage, counts: Mapping[Status, int], asked: PageRequest) -> VisibilityPage:
    """Add counts to the rows; a complete list is counted by its rows."""
    if asked.offset or rows.next:
        return replace(rows, counts=counts)
    sought = asked.filter.statuses or tuple(Status)
    others = {status: count for status, count in counts.items() if status not in sought}
    return replace(rows, counts=others | Counter(run.status for run in rows.runs))
