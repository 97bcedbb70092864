"""Runs of a workflow ID, from continue-as-new or reuse."""

from collections.abc import Iterable
from dataclasses import replace

from dashboard.domain.entities import Execution, Runs, Status

# How many runs of one id are listed; where there are more, a page says so.
MAX_LISTED_RUNS = 50


def merge_described_runs(listed: Runs, described: Iterable[Execution]) -> Runs:
    """Correct listed runs, which are seconds late, by descriptions."""
    by_id = {run.run_id: run for run in listed.executions}
    by_id |= {run.run_id: _brief(run) for run in described}
    newest_first = sorted(by_id.values(), key=lambda run: run.started_at, reverse=True)
    # Only the newest run of an id can be open: an older one that the list still calls running has ended somehow.
    ended = (replace(run, status=Status.UNKNOWN) if not run.status.closed else run for run in newest_first[1:])
    return replace(listed, executions=(*newest_first[:1], *ended))


def _brief(run: Execution) -> Execution:
    """Return a run without pending work, as a list would show it."""
    return Execution(
        workflow_id=run.workflow_id,
        run_id=run.run_id,
        workflow_type=run.workflow_type,
        status=run.status,
        started_at=run.started_at,
        closed_at=run.closed_at,
        execution_time=run.execution_time,
        original_started_at=run.original_started_at,
        origin=run.origin,
        next_run_id=run.next_run_id,
    )
