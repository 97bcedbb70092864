"""Lists and counts releases by visibility queries. Search text is data: what the language cannot carry is not sent.

The order is the store's own, as SQL stores refuse ORDER BY: those that run first, the newest start first, then those
that have ended, the latest end first.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from temporalio.client import Client

from dashboard.domain.entities import Execution, Status
from dashboard.domain.filters import PREFIX, REACH, MalformedFilter, ReleaseFilter, Slice, is_whole
from dashboard.temporal.budget import Budget
from dashboard.temporal.executions import decode_execution, decode_status


@dataclass(frozen=True, slots=True)
class Rows:
    """The runs of one page, and the store's token for the next one.

    `counts` says how many runs of each status the filter finds without its phases.
    """

    runs: tuple[Execution, ...]
    counts: Mapping[Status, int]
    next: bytes | None = None


class Visibility:
    """Asks for the releases of one deployment, which are those that its own query finds."""

    def __init__(self, release_query: str) -> None:
        self._query = release_query

    async def page(self, client: Client, asked: Slice, counts: Mapping[Status, int] | None, budget: Budget) -> Rows:
        """One list call, and one count call at the same time unless the counts are known."""
        now = datetime.now(UTC)
        if sayable(asked.filter.q) != asked.filter.q:
            return await self._sifted(client, asked, now, budget)
        listing = self._list(client, asked, now, budget)
        if counts is not None:
            return _counted(await listing, counts, asked)
        return _counted(*await asyncio.gather(listing, self._count(client, asked.filter, now, budget)), asked)

    async def _list(self, client: Client, asked: Slice, now: datetime, budget: Budget) -> Rows:
        """By number, the pages before it are asked for with it and left out here; by cursor, the page alone."""
        skipped = 0 if asked.cursor else asked.offset
        found = client.list_workflows(
            list_query(self._query, asked.filter, now),
            page_size=skipped + asked.page_size,
            next_page_token=asked.cursor.token if asked.cursor else None,
            rpc_timeout=budget.left,
        )
        await found.fetch_next_page()
        runs = tuple(decode_execution(run) for run in (found.current_page or ())[skipped:])
        return Rows(runs, {}, found.next_page_token or None)

    async def _count(self, client: Client, wanted: ReleaseFilter, now: datetime, budget: Budget) -> dict[Status, int]:
        counts = await count_by_status(client, count_query(self._query, wanted, now), budget)
        counts.pop(Status.CONTINUED_AS_NEW, None)
        return counts

    async def _sifted(self, client: Client, asked: Slice, now: datetime, budget: Budget) -> Rows:
        """The same answer for a text that the language cannot carry: from all that begin as far as it can."""
        narrowed = replace(asked.filter, q=sayable(asked.filter.q), phases=())
        rows = await self._list(client, Slice(REACH, filter=narrowed), now, budget)
        if rows.next:
            raise MalformedFilter(
                "q", f"over {REACH:,} ids begin like that: Temporal cannot look for quotation marks and backslashes"
            )
        found = [run for run in rows.runs if asked.filter.matches(run.workflow_id)]
        shown = [run for run in found if not asked.filter.phases or run.status in asked.filter.statuses]
        page = shown[asked.offset : asked.offset + asked.page_size]
        return Rows(tuple(page), Counter(run.status for run in found))


async def count_by_status(client: Client, query: str, budget: Budget) -> Counter[Status]:
    """How many runs of each status a query with GROUP BY ExecutionStatus finds, in one call."""
    answer = await client.count_workflows(query, rpc_timeout=budget.left)
    counts: Counter[Status] = Counter()
    for group in answer.groups:
        counts[decode_status(str(group.group_values[0]))] += group.count
    return counts


def list_query(release_query: str, wanted: ReleaseFilter, now: datetime) -> str:
    """The visibility query for the releases that a filter finds. The deployment's own query stays one condition."""
    if wanted.phases:
        status = f"ExecutionStatus IN ({', '.join(_status_literal(status) for status in wanted.statuses)})"
    else:
        # One release, one row: of runs that continue one another, the last stands for all.
        status = f"ExecutionStatus != {_status_literal(Status.CONTINUED_AS_NEW)}"
    return " AND ".join([*_conditions(release_query, wanted, now), status])


def count_query(release_query: str, wanted: ReleaseFilter, now: datetime) -> str:
    """The query that counts by status what a filter finds, whatever its phases."""
    return f"{' AND '.join(_conditions(release_query, wanted, now))} GROUP BY ExecutionStatus".lstrip()


def _conditions(release_query: str, wanted: ReleaseFilter, now: datetime) -> list[str]:
    conditions = [f"({release_query})"] if release_query else []
    if wanted.q:
        conditions.append(_begins_with(wanted.q))
    if wanted.since:
        conditions.append(f"StartTime >= {time_literal(wanted.since.at(now))}")
    if wanted.until:
        conditions.append(f"StartTime < {time_literal(wanted.until.at(now))}")
    return conditions


def literal(text: str) -> str:
    """A string of the visibility language. The backslash first: it escapes the quotes, which doubled would end it."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def sayable(text: str) -> str:
    """As much of a text, from its beginning, as the language carries unchanged.

    The server reads a literal and writes it again before it compares: quotation marks and backslashes come out with a
    backslash before them, and single quotes at either end are lost.
    """
    end = min((at for at in (text.find('"'), text.find("\\")) if at >= 0), default=len(text))
    return "" if text.startswith("'") else text[:end].rstrip("'")


def _begins_with(text: str) -> str:
    if is_whole(text):
        return f"WorkflowId STARTS_WITH {literal(text)}"
    plain = f"WorkflowId STARTS_WITH {literal(text)} AND WorkflowId NOT STARTS_WITH {literal(PREFIX)}"
    return f"(WorkflowId STARTS_WITH {literal(PREFIX + text)} OR ({plain}))"


def _status_literal(status: Status) -> str:
    return literal("".join(word.capitalize() for word in status.split("_")))


def time_literal(moment: datetime) -> str:
    """A time of the visibility language."""
    return literal(moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"))


def _counted(rows: Rows, counts: Mapping[Status, int], asked: Slice) -> Rows:
    """The rows with their counts; where they are the whole list, they count better than a count that may be older."""
    if asked.offset or rows.next:
        return replace(rows, counts=counts)
    sought = asked.filter.statuses or tuple(Status)
    others = {status: count for status, count in counts.items() if status not in sought}
    return replace(rows, counts=others | Counter(run.status for run in rows.runs))
