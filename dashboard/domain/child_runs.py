"""The listed executions of a release, and merging of later lists."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from dashboard.domain.entities import (
    Attempt,
    AttemptKind,
    Entity,
    Execution,
    Failure,
    Initiator,
    Origin,
    Status,
    continued_runs,
)
from dashboard.domain.problems import Problem


@dataclass(frozen=True, slots=True)
class ChildExecution:
    """A listed execution below a release, with its parent and root run."""

    execution: Execution
    parent_id: str | None
    root_run_id: str
    parent_run_id: str = ""


@dataclass(frozen=True, slots=True)
class ReportedState:
    """The reported state of a run; None if it reported nothing valid.

    `asked_at` is by the reader's clock. `final` reports are of closed runs and never change.
    """

    said: Entity | None
    asked_at: float
    final: bool = False


@dataclass(frozen=True, slots=True)
class ChildListing:
    """The listed child workflows of a release, and the number of those not read.

    `described` are the latest descriptions by run ID or, for closed runs, their closing reasons; `words` are the
    reported states. `whole_at` is when all of them were listed together, by the reader's clock, and `asked_at` the last
    query (UTC). `origins` are the origins of runs that follow another run of the same ID. `listed_at` is when
    changes were last checked (UTC), and `late` why not since, if that was due.
    """

    listed: tuple[ChildExecution, ...]
    more: int = 0
    described: Mapping[str, Execution] = field(default_factory=dict)
    words: Mapping[str, ReportedState] = field(default_factory=dict)
    whole_at: float = 0.0
    asked_at: datetime | None = None
    origins: Mapping[str, Origin] = field(default_factory=dict)
    listed_at: datetime | None = None
    late: Problem | None = None

    def is_scheduled(self, run: Execution) -> bool:
        """Return whether a run had not started and is scheduled, other than for a retry."""
        origin = self.origins.get(run.run_id)
        if origin and origin.initiator is Initiator.RETRY:
            return False
        return self.waits(run)

    def waits(self, run: Execution) -> bool:
        """Return whether a run's first task was in the future, including retries."""
        return self.asked_at is not None and run.scheduled_for(self.asked_at) is not None

    def latest(self, child: ChildExecution) -> Execution:
        """Return the best known data of a run: lists are seconds late and less detailed than descriptions."""
        run = self.described.get(child.execution.run_id)
        if run is None or (child.execution.status.closed and not run.status.closed):
            return child.execution
        first = child.execution.original_started_at
        return replace(run, original_started_at=first) if first else run

    @property
    def tally(self) -> Counter[Status]:
        """Return the number of runs by status."""
        return Counter(child.execution.status for child in self.listed)

    @property
    def newest(self) -> datetime:
        """Return the latest start or end of all runs, by the server's clock."""
        return max(child.execution.closed_at or child.execution.started_at for child in self.listed)


def merge_children(known: Iterable[ChildExecution], newer: Iterable[ChildExecution]) -> tuple[ChildExecution, ...]:
    """Merge two lists. The newer record of a run wins, but closed runs never reopen."""
    runs = {child.execution.run_id: child for child in known}
    for child in newer:
        before = runs.get(child.execution.run_id)
        if before is None or child.execution.status.closed or not before.execution.status.closed:
            runs[child.execution.run_id] = child
    return tuple(runs.values())


def is_behind_count(children: ChildListing, counted: Mapping[Status, int]) -> bool:
    """Return whether a counted run is missing in that state or a later one.

    The list may be ahead of the count. Closed runs never change, so a final status cannot be counted more often than it
    is listed.
    """
    found = children.tally
    ends = any(number > found[status] for status, number in counted.items() if status.closed)
    return ends or sum(counted.values()) > len(children.listed)


def exceeds_count(children: ChildListing, counted: Mapping[Status, int]) -> bool:
    """Return whether a later count is lower than the list: runs were deleted, or the count is older."""
    ends = any(number > counted.get(status, 0) for status, number in children.tally.items() if status.closed)
    return ends or sum(counted.values()) < len(children.listed)


def children_of_release(release: Execution, listed: Iterable[ChildExecution]) -> list[ChildExecution]:
    """Return all runs of the release's child workflows, newest first.

    A continue-as-new chain is one release. Runs started by a schedule or retry, and other releases of the same ID, have
    separate trees. A reset run keeps what was started before its reset point.
    """
    # The run id decides between equal times: the order must not depend on that in which they were listed.
    everything = sorted(listed, key=lambda child: (child.execution.started_at, child.execution.run_id), reverse=True)
    roots = _roots_of(release, everything)
    kept = _kept_by_reset(release, everything) if release.origin and release.origin.kept else frozenset()
    if release.root_run_id:
        kept |= _below(roots, everything)
    return [
        child
        for child in everything
        if (child.root_run_id in roots or child.execution.run_id in kept)
        and child.execution.workflow_id != release.workflow_id
    ]


def _roots_of(release: Execution, newest_first: Sequence[ChildExecution]) -> set[str]:
    if release.first_run_id in {"", release.run_id}:
        return {release.run_id}
    own = (child.execution for child in newest_first if child.execution.workflow_id == release.workflow_id)
    older = [run for run in own if run.started_at <= release.started_at and run.run_id != release.run_id]
    return {release.run_id, *(run.run_id for run in continued_runs(release, older))}


def _below(runs: set[str], newest_first: Sequence[ChildExecution]) -> frozenset[str]:
    """Return all descendants of these runs: others in the list belong to other releases."""
    started: dict[str, list[str]] = {}
    for child in newest_first:
        started.setdefault(child.parent_run_id, []).append(child.execution.run_id)
    found: set[str] = set()
    waiting = list(runs)
    while waiting:
        new = [run_id for run_id in started.get(waiting.pop(), ()) if run_id not in found]
        found.update(new)
        waiting += new
    return frozenset(found)


def _kept_by_reset(release: Execution, newest_first: Sequence[ChildExecution]) -> frozenset[str]:
    """Return the runs kept by a reset, with their continuations and descendants."""
    kept = set(release.origin.kept) if release.origin else set()
    continued: set[str] = set()
    for child in reversed(newest_first):
        run = child.execution
        if run.run_id in kept or child.parent_run_id in kept or run.workflow_id in continued:
            kept.add(run.run_id)
            continued.discard(run.workflow_id)
            if run.status is Status.CONTINUED_AS_NEW:
                continued.add(run.workflow_id)
    return frozenset(kept)


def retry_attempt(run: Execution, origin: Origin | None, now: datetime | None = None) -> Attempt | None:
    """Return the attempt of an active child workflow run that retries a failed one.

    At `now` (UTC) it may have started; then there is no next attempt time.
    """
    if origin is None or origin.initiator is not Initiator.RETRY or run.status.closed:
        return None
    return Attempt(
        activity_id="",
        number=origin.attempt,
        maximum=None,
        last_failure=origin.failure or Failure("", "its outcome is unknown"),
        next_at=run.scheduled_for(now) if now else run.execution_time,
        worker=None,
        kind=AttemptKind.WORKFLOW,
    )
