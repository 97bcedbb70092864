"""Select which child workflows to describe in one read, within a limit."""

from collections.abc import Iterable
from heapq import nsmallest

from dashboard.domain.child_details import FAILURE_STATUSES
from dashboard.domain.child_runs import ChildExecution, ChildListing, children_of_release
from dashboard.domain.entities import Execution, Status

# The share of descriptions per read for troubled runs, leaving the rest for others.
FAILING_RUNS_SHARE = 0.5
_WORST_FIRST = {Status.FAILED: 0, Status.TIMED_OUT: 1, Status.TERMINATED: 2}


def runs_to_describe(release: Execution, children: ChildListing, limit: int) -> list[Execution]:
    """Return the runs to describe now: troubled ones up to their share, then the least recently described.

    Never described runs come first: those without active child workflows, then the longest running.
    """
    open_runs = [child for child in children_of_release(release, children.listed) if not child.execution.status.closed]
    running = [child for child in open_runs if not children.latest(child).status.closed]
    if len(running) <= limit:
        return [children.latest(child) for child in running]
    parents = {child.parent_id for child in running}
    troubled = [child for child in running if _troubled(children.described.get(child.execution.run_id))]
    chosen = nsmallest(int(limit * FAILING_RUNS_SHARE), troubled, key=lambda child: _age(child, children, parents))
    there = {child.execution.run_id for child in chosen}
    others = (child for child in running if child.execution.run_id not in there)
    chosen += nsmallest(limit - len(chosen), others, key=lambda child: _age(child, children, parents))
    return [children.latest(child) for child in chosen]


def runs_to_explain(release: Execution, children: ChildListing, limit: int) -> list[Execution]:
    """Return the closed runs whose closing event to read now, failed and newest first.

    Only the newest run of a workflow has a row.
    """
    found = [run for run in _newest_runs(release, children) if _unexplained(run)]
    # Sorting is stable, and the newest come first.
    return sorted(found, key=lambda run: _WORST_FIRST[run.status])[:limit]


def has_unexplained(release: Execution, children: ChildListing) -> bool:
    """Return whether the closing reason of some run was not read yet."""
    return any(_unexplained(run) for run in _newest_runs(release, children))


def has_running(release: Execution, children: ChildListing) -> bool:
    """Return whether some child workflows are known to be running."""
    return any(not run.status.closed for run in _newest_runs(release, children))


def _newest_runs(release: Execution, children: ChildListing) -> Iterable[Execution]:
    met: set[str] = set()
    for child in children_of_release(release, children.listed):
        if child.execution.workflow_id not in met:
            met.add(child.execution.workflow_id)
            yield children.latest(child)


def _unexplained(run: Execution) -> bool:
    return run.status in FAILURE_STATUSES and run.described_at is None


def _troubled(run: Execution | None) -> bool:
    if run is None:
        return False
    attempts = run.attempts.values()
    return bool(run.failing_task or run.waiting_since or any(each.retrying or each.untaken_since for each in attempts))


def _age(child: ChildExecution, children: ChildListing, parents: set[str | None]) -> tuple[float, bool, float]:
    run = children.described.get(child.execution.run_id)
    described = run.described_at.timestamp() if run and run.described_at else 0.0
    return described, child.execution.workflow_id in parents, child.execution.started_at.timestamp()
