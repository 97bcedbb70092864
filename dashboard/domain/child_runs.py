"""The executions below a release as they have been listed, and how a later list joins an earlier one."""

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
    """An execution below a release, as visibility lists it: with its parent, and the run at the top of its tree."""

    execution: Execution
    parent_id: str | None
    root_run_id: str
    parent_run_id: str = ""


@dataclass(frozen=True, slots=True)
class ReportedState:
    """What a run said of itself; None if it was asked and said nothing that holds now.

    `asked_at` is by the reader's own clock. `final` words are those of a run that had closed: they never change.
    """

    said: Entity | None
    asked_at: float
    final: bool = False


@dataclass(frozen=True, slots=True)
class ChildListing:
    """What was listed of a release's child workflows, and how many more there are that were not read.

    `described` are, by run id, runs as they were described last, or, once they have closed, with the reason that their
    last event has; `words` are what runs said of themselves.
    `whole_at` says when all of them were listed at once, by the reader's own clock, and `asked_at` when it was asked
    last (UTC). `origins` say, by run id, how some of the runs began that follow another of the same id.
    `listed_at` is when it was last asked whether they have changed (UTC), and `late` why not since, where that was due.
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
        """Whether work of a run had not begun when it was asked: it waits for its time, and is not tried again."""
        origin = self.origins.get(run.run_id)
        if origin and origin.initiator is Initiator.RETRY:
            return False
        return self.waits(run)

    def waits(self, run: Execution) -> bool:
        """Whether the time of a run's first task had not come when it was asked, that of a next attempt among them."""
        return self.asked_at is not None and run.scheduled_for(self.asked_at) is not None

    def latest(self, child: ChildExecution) -> Execution:
        """Return a run as it is known best: a list is seconds late, and has less of it than a description."""
        run = self.described.get(child.execution.run_id)
        if run is None or (child.execution.status.closed and not run.status.closed):
            return child.execution
        first = child.execution.original_started_at
        return replace(run, original_started_at=first) if first else run

    @property
    def tally(self) -> Counter[Status]:
        """Return how many runs there are of each status."""
        return Counter(child.execution.status for child in self.listed)

    @property
    def newest(self) -> datetime:
        """Return the latest start or end of them all, by the server's clock."""
        return max(child.execution.closed_at or child.execution.started_at for child in self.listed)


def merge_children(known: Iterable[ChildExecution], newer: Iterable[ChildExecution]) -> tuple[ChildExecution, ...]:
    """Return all runs of both lists, each once. The newer record counts, but no run that has closed runs again."""
    runs = {child.execution.run_id: child for child in known}
    for child in newer:
        before = runs.get(child.execution.run_id)
        if before is None or child.execution.status.closed or not before.execution.status.closed:
            runs[child.execution.run_id] = child
    return tuple(runs.values())


def is_behind_count(children: ChildListing, counted: Mapping[Status, int]) -> bool:
    """Return whether something that has been counted is not among them in that state, or in a later one.

    They may be ahead of the count by what happened after it. What closes never changes again, so that no status
    of an end can have been counted more often than it is found.
    """
    found = children.tally
    ends = any(number > found[status] for status, number in counted.items() if status.closed)
    return ends or sum(counted.values()) > len(children.listed)


def exceeds_count(children: ChildListing, counted: Mapping[Status, int]) -> bool:
    """Return whether a later count finds less than these were: some have been deleted, or the count is an older one."""
    ends = any(number > counted.get(status, 0) for status, number in children.tally.items() if status.closed)
    return ends or sum(counted.values()) < len(children.listed)


def children_of_release(release: Execution, listed: Iterable[ChildExecution]) -> list[ChildExecution]:
    """All runs of this release's child workflows, newest first.

    Runs that continue one another are one release. Those that a schedule or a retry began anew, and other releases of
    the same id, have trees of their own; a reset one keeps what had been started before the point of its reset.
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
    """The runs that these started, and those that such started: all others in the list belong to other releases."""
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
    """Return the runs that a reset kept, with what they continued as and what they started."""
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
    """Return the attempt that a child workflow's run is, where the one before it failed and it has not ended.

    By `now` (UTC), it may have begun: then no other is next.
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
