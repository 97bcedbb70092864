"""The other shape: a tree of child workflows, of which some tell more than a list does."""

from datetime import datetime
from hashlib import blake2b

from dashboard.domain.child_details import MAX_DESCRIPTION_AGE, verified_running
from dashboard.domain.child_runs import ChildListing
from dashboard.domain.entities import Execution
from dashboard.domain.problems import Problem
from dashboard.temporal import metadata
from dashboard.temporal.client import RunHandle
from dashboard.temporal.deadline import Deadline
from dashboard.temporal.errors import CALL_ERRORS
from dashboard.temporal.salvage import decode_or_replace


def children_digest(release: Execution, children: ChildListing, now: datetime) -> str:
    """Stands for what the children say: the same for the same runs in the same states with the same words."""
    seen = sorted((child.execution.run_id, child.execution.status, child.parent_id or "") for child in children.listed)
    words = sorted((run_id, repr(word.said)) for run_id, word in children.words.items() if word.said)
    described = sorted(
        (run_id, repr(_shown(run, release.closed_at, now))) for run_id, run in children.described.items()
    )
    waits = sorted(child.execution.run_id for child in children.listed if children.waits(child.execution))
    told = (seen, children.more, described, words, waits, sorted(children.origins))
    return blake2b(repr(told).encode("utf-8", "backslashreplace"), digest_size=12).hexdigest()


def _shown(run: Execution, ended_at: datetime | None, now: datetime) -> tuple[object, ...]:
    """Return what a row shows of its run. When that was described does not matter until it is long ago."""
    left = ended_at is not None and verified_running(run, ended_at)
    late = run.described_at is None or now - run.described_at > MAX_DESCRIPTION_AGE
    stuck = (run.failing_task, run.waiting_since, run.pollers) if run.failing_task or run.waiting_since else ()
    pending = (run.attempts or "", run.child_runs, run.pause, run.cancel_requested, run.execution_time)
    return run.status, run.closing, left, late, stuck, pending, run.gaps


async def supported_queries(handle: RunHandle, budget: Deadline) -> frozenset[str] | Problem | None:
    """Return the names of the queries that a workflow answers, except for the SDK's own.

    Why its answer cannot be read, where that is encoded; None where it does not say.
    """
    try:
        async with budget.bounds():
            said = await handle.query(metadata.METADATA_QUERY, budget)
    except CALL_ERRORS:
        return None
    return decode_or_replace("What the workflow says of its queries", lambda: metadata.decode_queries(said), _same)


def _same(problem: Problem) -> Problem:
    return problem
