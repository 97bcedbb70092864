"""Limit how often lists are refreshed: by the visibility budget, and less often after timeouts."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from dashboard.concurrency.call_log import is_background_read
from dashboard.domain.child_runs import ChildListing
from dashboard.domain.entities import Execution, Runs, Status
from dashboard.domain.filters import PageRequest
from dashboard.domain.problems import Problem, ProblemCode
from dashboard.domain.source import ReleaseListing
from dashboard.temporal.backoff import Backoff
from dashboard.temporal.child_list import CHILD_LIST_PAGE_SIZE, ChildLister
from dashboard.temporal.client import NamespaceClient
from dashboard.temporal.deadline import Deadline
from dashboard.temporal.errors import CALL_ERRORS, source_problem
from dashboard.temporal.excluded_runs import RunSpan
from dashboard.temporal.runs import list_runs
from dashboard.temporal.visibility import Visibility, VisibilityPage
from dashboard.temporal.visibility_budget import VisibilityBudget, low_priority

# Seconds that a renewal of what is known already may take, and as many more for each further page.
RENEWAL_TIMEOUT_SECONDS = 0.6
# How long a list of a release's runs is used again where a run is missing, where an earlier one may have ended, and
# where nothing of it can change.
MISSING_RUN_LIST_MAX_AGE = timedelta(seconds=1)
RUN_LIST_MAX_AGE = timedelta(seconds=10)
SETTLED_RUN_LIST_MAX_AGE = timedelta(seconds=60)
# How long the newest of a list are used again for another search.
SEARCH_LIST_MAX_AGE = timedelta(seconds=2)

VISIBILITY_SLOWED = Problem(
    ProblemCode.REFUSED,
    "Temporal is rate-limiting visibility calls. Lists are updated less often until this ends.",
)
VISIBILITY_SHARED = Problem(
    ProblemCode.BEHIND,
    "Too many open lists for VISIBILITY_RPS: each is updated less often.",
)
LIST_TIMED_OUT = Problem(ProblemCode.TIMED_OUT, "Temporal did not list this in time. Retrying in a few seconds.")
CHILDREN_NOT_LISTED = Problem(ProblemCode.NOT_READ, "The child workflows have not been listed yet.")


class ListInterval:
    """Decides which lists to refresh now, one instance per namespace and event loop."""

    def __init__(self, budget: VisibilityBudget | None = None) -> None:
        self._budget = budget or VisibilityBudget()
        self._backoff = Backoff()
        self._newest: VisibilityPage | None = None

    @property
    def _slowed(self) -> Problem | None:
        """Return the notice for slower updates, if any."""
        return VISIBILITY_SLOWED if self._budget.slowed else None

    @property
    def late(self) -> Problem:
        """Return why a refresh is delayed."""
        return VISIBILITY_SLOWED if self._budget.slowed else VISIBILITY_SHARED

    async def runs(
        self, client: NamespaceClient, workflow_id: str, known: Runs | None, latest: str | None, budget: Deadline
    ) -> Runs:
        """Return the runs of a workflow ID, or the `known` ones if they cannot be refreshed now.

        `latest` is the newest known run.
        """
        key = ("runs", workflow_id)
        kept = known or Runs()
        if _fresh(kept, latest) or self._backoff.closed(key) or not self._budget.granted(key, spare=True):
            return kept
        found = await list_runs(client, workflow_id, _patient(budget))
        if found.listed_at is None:
            self._backoff.failed(key)
            return kept
        self._backoff.answered(key)
        return found

    async def children(
        self, lists: ChildLister, release: Execution, known: ChildListing | None
    ) -> ChildListing | Problem:
        """Return the executions below a release, or the `known` ones and why they are not refreshed."""
        key = ("children", release.run_id)
        if self._backoff.closed(key):
            return replace(known, late=LIST_TIMED_OUT) if known else LIST_TIMED_OUT
        if (known or is_background_read()) and not self._budget.granted(key):
            return replace(known, late=self.late) if known else CHILDREN_NOT_LISTED
        asked_at = datetime.now(UTC)
        found = await _listed(lists, release, known)
        if not isinstance(found, Problem):
            self._backoff.answered(key)
            return replace(found, listed_at=asked_at, late=self._slowed)
        if found.code is ProblemCode.TIMED_OUT:
            self._backoff.failed(key)
        return replace(known, late=found) if known else found

    async def page(
        self,
        client: NamespaceClient,
        visibility: Visibility,
        asked: PageRequest,
        counts: Mapping[Status, int] | None,
        budget: Deadline,
        last: ReleaseListing | None,
    ) -> VisibilityPage:
        """Return a page of the list, or the `last` one and why it is not refreshed."""
        if last is None:
            return await _asked_for(client, visibility, asked, counts, budget)
        if not self._budget.granted(("list", asked)):
            return _again(last, self.late)
        # A list that is whole is counted by its rows; another has to do with earlier counts until it is its turn.
        whole = not (last.next or asked.offset or asked.filter.phases)
        if counts is None and (whole or not self._budget.granted(("count", asked.filter))):
            counts = last.counts
        try:
            rows = await _asked_for(client, visibility, asked, counts, budget)
            return replace(rows, late=self._slowed)
        except CALL_ERRORS as exc:
            problem = source_problem(exc)
            if problem.code is not ProblemCode.REFUSED:
                raise
            return _again(last, problem)

    async def past(
        self,
        client: NamespaceClient,
        visibility: Visibility,
        asked: PageRequest,
        rows: VisibilityPage,
        left_out: tuple[Iterable[RunSpan], Iterable[Execution]],
        budget: Deadline,
    ) -> VisibilityPage:
        """Return the page without these runs and exclude them from now on; unchanged if it cannot be listed now."""
        visibility.leave_out(*left_out)
        try:
            found = await _asked_for(client, visibility, asked, None if rows.counted_at else rows.counts, budget)
        except CALL_ERRORS:
            return rows
        return replace(found, late=rows.late)

    async def newest(
        self, client: NamespaceClient, visibility: Visibility, limit: int, budget: Deadline
    ) -> VisibilityPage:
        """Return the newest entries of the list, shared by searches."""
        asked, known = PageRequest(page_size=limit), self._newest
        age = datetime.now(UTC) - known.listed_at if known and known.listed_at else None
        if (
            known
            and age is not None
            and is_background_read()
            and (age < SEARCH_LIST_MAX_AGE or not self._budget.granted(asked))
        ):
            return known
        counts = known.counts if known and age is not None and age < RUN_LIST_MAX_AGE else None
        self._newest = await _asked_for(client, visibility, asked, counts, budget)
        return self._newest


async def _asked_for(
    client: NamespaceClient,
    visibility: Visibility,
    asked: PageRequest,
    counts: Mapping[Status, int] | None,
    budget: Deadline,
) -> VisibilityPage:
    now = datetime.now(UTC)
    rows = await visibility.page(client, asked, counts, budget)
    return replace(rows, listed_at=now, counted_at=now if counts is None else None)


def _fresh(known: Runs, latest: str | None) -> bool:
    """Return whether the known runs are likely current."""
    if known.listed_at is None:
        return False
    age = datetime.now(UTC) - known.listed_at
    if latest is not None and all(run.run_id != latest for run in known.executions):
        return age < MISSING_RUN_LIST_MAX_AGE
    settled = all(run.status.closed for run in known.executions if run.run_id != latest)
    return age < (SETTLED_RUN_LIST_MAX_AGE if settled else RUN_LIST_MAX_AGE)


def _patient(budget: Deadline) -> Deadline:
    soon = Deadline.of(RENEWAL_TIMEOUT_SECONDS)
    return soon if soon.left < budget.left else budget


async def _listed(lists: ChildLister, release: Execution, known: ChildListing | None) -> ChildListing | Problem:
    if known is None:
        with low_priority():
            return await lists.of(release)
    try:
        async with asyncio.timeout(RENEWAL_TIMEOUT_SECONDS * (1 + len(known.listed) / CHILD_LIST_PAGE_SIZE)):
            return await lists.of(release, known)
    except TimeoutError:
        return LIST_TIMED_OUT


def _again(last: ReleaseListing, late: Problem) -> VisibilityPage:
    return VisibilityPage(last.runs, last.counts, last.next, last.absent, last.listed_at, None, late)
