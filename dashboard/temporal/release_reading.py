"""Build reads of a release from its description and reports."""

from dataclasses import replace

from dashboard.domain.entities import Execution
from dashboard.domain.execution_problem import execution_problem_of
from dashboard.domain.problems import Problem, ProblemCode
from dashboard.domain.source import Fingerprint, ReleaseReading
from dashboard.temporal.child_reader import WorkflowReport


def with_run_ending(execution: Execution, known: Execution) -> Execution:
    """Return an unchanged run with its known ending."""
    return replace(execution, closing=known.closing, next_run_id=known.next_run_id)


def is_too_large(answer: WorkflowReport | Problem) -> bool:
    """Return whether a release is too large for one response."""
    return isinstance(answer, Problem) and answer.code is ProblemCode.TOO_LARGE


def fingerprint_of(execution: Execution) -> Fingerprint:
    """Return the fingerprint that tells whether a query can return new data."""
    return Fingerprint(execution.run_id, execution.status, execution.history_length)


def build_reading(
    execution: Execution, told: WorkflowReport | Problem, fingerprint: Fingerprint | None
) -> ReleaseReading:
    """Build a read from a run and its reports, or a problem."""
    if isinstance(told, Problem):
        return ReleaseReading(
            execution, problem=execution_problem_of(execution) if told.code is ProblemCode.PAUSED else told
        )
    # What moves without the release's own history has no fingerprint: it is read again each time.
    fingerprint = None if told.moves else fingerprint
    return ReleaseReading(
        execution,
        said=told.said,
        digest=told.digest,
        fingerprint=fingerprint,
        listed=told.listed,
        has_children=told.has_children,
        children=told.children,
    )
