"""Distinguish a busy worker from an unresponsive one: both leave queries unanswered."""

from dataclasses import replace

from dashboard.domain.child_details import busy_worker_problem
from dashboard.domain.entities import Execution, Status
from dashboard.domain.problems import Problem, ProblemCode
from dashboard.domain.source import ReleaseReading
from dashboard.temporal.client import RunHandle
from dashboard.temporal.deadline import Deadline
from dashboard.temporal.errors import CALL_ERRORS
from dashboard.temporal.executions import read_description

# How a query ends that comes while a worker holds the workflow's task: it waits, or meets a workflow that has not got
# as far as its handlers.
BUSY_QUERY_PROBLEMS = frozenset({ProblemCode.QUERY_TIMED_OUT, ProblemCode.QUERY_UNKNOWN})


async def unanswered_reason(handle: RunHandle, execution: Execution, problem: Problem, budget: Deadline) -> Problem:
    """Return why a release did not respond, with one more describe call if its worker may be busy."""
    if problem.code not in BUSY_QUERY_PROBLEMS or execution.status is not Status.RUNNING:
        return problem
    try:
        async with budget.bounds():
            execution = read_description(await handle.describe(budget))
    except CALL_ERRORS:
        return problem
    return busy_worker_problem(execution) or problem


async def with_unanswered_reason(handle: RunHandle, reading: ReleaseReading, budget: Deadline) -> ReleaseReading:
    """Add to a read why the release did not respond."""
    if reading.problem:
        return replace(reading, problem=await unanswered_reason(handle, reading.execution, reading.problem, budget))
    if reading.said is None or reading.said.problem is None:
        return reading
    problem = await unanswered_reason(handle, reading.execution, reading.said.problem, budget)
    if problem is reading.said.problem:
        return reading
    return replace(reading, said=replace(reading.said, problem=problem), digest=f"{reading.digest}-{problem.code}")
