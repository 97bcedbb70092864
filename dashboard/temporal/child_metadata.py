"""Child workflows as the source of a tree: content digest, and supported queries."""

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
    """Return a digest of the children's runs, states and reports."""
    seen = sorted((child.execution.run_id, child.execution.status, child.parent_id or "") for child in children.listed)
    words = sorted((run_id, repr(word.said)) for run_id, word in children.words.items() if word.said)
    described = sorted(
        (run_id, repr(_shown(run, release.closed_at, now))) for run_id, run in children.described.items()
    )
    waits = sorted(child.execution.run_id for child in children.listed if children.waits(child.execution))
    told = (seen, children.more, described, words, waits, sorted(children.origins))
    return blake2b(repr(told).encode("utf-8", "backslashreplace"), digest_size=12).hexdigest()


def _shown(run: Execution, ended_at: datetime | None, now: datetime) -> tuple[object, ...]:
    """Return the parts of a run that its row shows. The time of its description counts only if long ago."""
    left = ended_at is not None and verified_running(run, ended_at)
    late = run.described_at is None or now - run.described_at > MAX_DESCRIPTION_AGE
    stuck = (run.failing_task, run.waiting_since, run.pollers) if run.failing_task or run.waiting_since else ()
    pending = (run.attempts or "", run.child_runs, run.pause, run.cancel_requested, run.execution_time)
    return run.status, run.closing, left, late, stuck, pending, run.gaps


async def supported_queries(handle: RunHandle, budget: Deadline) -> frozenset[str] | Problem | None:
    """Return the queries that a workflow supports, except the SDK's own.

    Returns a problem if the response is encoded, and None if it is not specified.
    """
    try:
        async with budget.bounds():
            said = await handle.query(metadata.METADATA_QUERY, budget)
    except CALL_ERRORS:
        return None
    return decode_or_replace("What the workflow says of its queries", lambda: metadata.decode_queries(said), _same)


def _same(problem: Problem) -> Problem:
    return problem
