"""Tells a worker that is busy with a workflow from one that does not answer: both leave a query unanswered."""

from dataclasses import replace

from dashboard.domain.child_details import at_work
from dashboard.domain.entities import Execution, Status
from dashboard.domain.problems import Problem, ProblemCode
from dashboard.domain.source import Reading
from dashboard.temporal.budget import Budget
from dashboard.temporal.client import Handle
from dashboard.temporal.errors import ASKING_ERRORS
from dashboard.temporal.executions import read_description

# How a query ends that comes while a worker holds the workflow's task: it waits, or meets a workflow that has not got
# as far as its handlers.
UNANSWERED_WHILE_BUSY = frozenset({ProblemCode.QUERY_TIMED_OUT, ProblemCode.QUERY_UNKNOWN})


async def reason_of(handle: Handle, execution: Execution, problem: Problem, budget: Budget) -> Problem:
    """Why a release did not answer: for one that may be at work, what describe knows now. One call then."""
    if problem.code not in UNANSWERED_WHILE_BUSY or execution.status is not Status.RUNNING:
        return problem
    try:
        async with budget.bounds():
            execution = read_description(await handle.describe(budget))
    except ASKING_ERRORS:
        return problem
    return at_work(execution) or problem


async def with_reason(handle: Handle, reading: Reading, budget: Budget) -> Reading:
    """A reading with why the release did not answer, if it did not."""
    if reading.problem:
        return replace(reading, problem=await reason_of(handle, reading.execution, reading.problem, budget))
    if reading.said is None or reading.said.problem is None:
        return reading
    problem = await reason_of(handle, reading.execution, reading.said.problem, budget)
    if problem is reading.said.problem:
        return reading
    return replace(reading, said=replace(reading.said, problem=problem), digest=f"{reading.digest}-{problem.code}")
