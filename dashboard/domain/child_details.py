"""Details of a child workflow beyond its status: pending work, failure reason, and problems."""

from dataclasses import replace
from datetime import datetime, timedelta

from dashboard.domain.entities import Attempt, AttemptKind, Entity, Execution, FailingTask, Failure, Status
from dashboard.domain.execution_problem import execution_problem_of
from dashboard.domain.problems import Problem, ProblemCode

# A child workflow that was described longer ago says since when. All that run are described in turn.
MAX_DESCRIPTION_AGE = timedelta(seconds=60)
# How long after a release its child workflows may take to end with it: each level is ended by the one above it.
PARENT_CLOSE_GRACE = timedelta(seconds=3)
# A status whose reason only the last event has.
FAILURE_STATUSES = frozenset({Status.FAILED, Status.TERMINATED, Status.TIMED_OUT})
# The number of history events before the first step: the start, a signal with it, the task.
_UNTOUCHED = 3
# The reason that Temporal itself gives for a child workflow that it terminates with its parent.
PARENT_CLOSE_REASON = "by parent close policy"
_TASK_FAILS = Failure("", "the workflow task is retrying")


def workflow_task_attempt(task: FailingTask) -> Attempt:
    """Return a failing workflow task as an attempt."""
    failure = task.failure or _TASK_FAILS
    return Attempt("", task.attempt, None, failure, None, None, kind=AttemptKind.WORKFLOW_TASK)


def pending_attempts(run: Execution, tried: Attempt | None = None) -> list[Attempt]:
    """Return all pending work of a workflow, including a failing workflow task, most severe first."""
    pending = [*run.attempts.values(), tried] if tried else list(run.attempts.values())
    if run.failing_task and not run.status.closed:
        pending.append(workflow_task_attempt(run.failing_task))
    pending.sort(key=lambda attempt: attempt.severity, reverse=True)
    return pending


def no_worker_problem(run: Execution) -> Problem | None:
    """Return the problem of a workflow that waits for a worker, or None."""
    if run.waiting_since is None or run.status.closed:
        return None
    step = "first" if run.history_length is not None and run.history_length <= _UNTOUCHED else "next"
    since = run.waiting_since.strftime("%H:%M:%S UTC")
    text = f"No worker is picking up its {step} step, waiting since {since} on task queue {run.task_queue}: "
    return Problem(ProblemCode.NO_WORKER, text + pollers_text(run))


def unpolled_activity_problem(attempt: Attempt) -> Problem:
    """Return the problem of an activity on a task queue without pollers."""
    since = f", waiting since {attempt.untaken_since:%H:%M:%S} UTC" if attempt.untaken_since else ""
    text = f"No worker is picking up its activity {attempt.label}{since} on task queue {attempt.task_queue}: "
    # A worker that has its hands full does not poll.
    return Problem(
        ProblemCode.NO_WORKER, f"{text}no worker is polling it for activities. Workers may be down or all busy."
    )


def pollers_text(run: Execution) -> str:
    """Describe the workers of the task queue, as the end of a sentence."""
    pollers = run.pollers
    if pollers is None:
        return "is a worker polling it?"
    if pollers.last_at is None:
        return "no worker is polling it."
    wanted = run.version or pollers.current
    if wanted in pollers.versions:
        latest = pollers.last_at.strftime("%H:%M:%S UTC")
        return (
            f"workers have polled it (most recently at {latest}) but not picked up this step. They may be busy or down."
        )
    versions = ", ".join(version or "none" for version in pollers.versions)
    needed = f"version {wanted}" if wanted else "a worker without a version"
    return f"workers are polling it, but none can run this step. It requires {needed}; the workers have {versions}."


def busy_worker_problem(run: Execution) -> Problem | None:
    """Return the problem of a workflow whose worker is busy with its task and cannot answer queries, or None."""
    if run.task_since is None or run.failing_task or run.status.closed:
        return None
    since = run.task_since.strftime("%H:%M:%S UTC")
    text = f"Busy: a worker has been running the workflow task since {since} (possibly a local activity)."
    return Problem(ProblemCode.AT_WORK, f"{text} Queries are not answered until it completes.")


def with_child_details(row: Entity, run: Execution, now: datetime | None, tried: Attempt | None = None) -> Entity:
    """Add the details of its child workflow to a row; `tried` is the attempt of a retried workflow."""
    if run.status is Status.COMPLETED and row.execution is run and not run.gaps:
        return row
    pending = pending_attempts(run, tried) if run.attempts or run.failing_task or tried else []
    problem = execution_problem_of(run) or no_worker_problem(run) or _unpolled(pending) or _not_known(run, now)
    error = row.error or _reason(run)
    if not pending and not problem and error == row.error and row.execution is run:
        return row
    return replace(
        row,
        attempt=pending[0] if pending else row.attempt,
        others=tuple(pending[1:]),
        problem=problem or row.problem,
        error=error,
        execution=run,
    )


def _unpolled(pending: list[Attempt]) -> Problem | None:
    return next((attempt.problem for attempt in pending if attempt.unpolled), None)


def close_reason(closing: Failure | None) -> str | None:
    """Return why an execution ended: its innermost application failure, or another reason.

    A cancellation is not an error; the status shows it.
    """
    if closing is None or (closing.kind == "canceled" and not closing.causes):
        return None
    return closing.root_cause.line or None


def _reason(run: Execution) -> str | None:
    """Return why a child workflow ended, and who ended it."""
    closing = run.closing
    if closing is None or not run.status.closed:
        return None
    if closing.kind != "terminated" or not closing.by:
        return closing.root_cause.line or None
    if closing.message == PARENT_CLOSE_REASON:
        return "It was terminated with its parent workflow."
    if closing.by in closing.message:
        return closing.message
    return f"{closing.message} (terminated by {closing.by})"


def _not_known(run: Execution, now: datetime | None) -> Problem | None:
    """Return the gap of a run whose details are missing or outdated."""
    if run.status.closed:
        return _no_reason(run) if run.status in FAILURE_STATUSES else None
    if now is None or (run.described_at and now - run.described_at < MAX_DESCRIPTION_AGE):
        return None
    if run.described_at is None:
        return None if now - run.started_at < MAX_DESCRIPTION_AGE else CHILD_NOT_DESCRIBED
    since = run.described_at.strftime("%H:%M:%S UTC")
    return Problem(ProblemCode.NOT_DESCRIBED, f"Its pending work is as of {since} and has not been refreshed since.")


def _no_reason(run: Execution) -> Problem | None:
    if run.described_at is None:
        return CLOSE_REASON_NOT_READ[run.status]
    return run.gaps[0] if run.gaps else None


CHILD_NOT_DESCRIBED = Problem(ProblemCode.NOT_DESCRIBED, "Its pending work has not been loaded yet.")
CLOSE_REASON_NOT_READ = {
    Status.FAILED: Problem(ProblemCode.REASON_NOT_READ, "The reason for the failure has not been loaded yet."),
    Status.TERMINATED: Problem(ProblemCode.REASON_NOT_READ, "The reason for the termination has not been loaded yet."),
    Status.TIMED_OUT: Problem(ProblemCode.REASON_NOT_READ, "The exceeded timeout has not been loaded yet."),
}


def verified_running(run: Execution, ended_at: datetime) -> bool:
    """Return whether a workflow was still running some time after the end of its release."""
    return not run.status.closed and run.described_at is not None and run.described_at - ended_at > PARENT_CLOSE_GRACE


_HOW_IT_ENDED = {
    Status.COMPLETED: "completed",
    Status.FAILED: "failed",
    Status.CANCELED: "was cancelled",
    Status.TERMINATED: "was terminated",
    Status.TIMED_OUT: "timed out",
}


def left_running_problem(ended: Execution, what: str, other: Problem | None = None) -> Problem:
    """Return the problem of a workflow that is still running after its parent ended; `other` is its own problem."""
    how = _HOW_IT_ENDED.get(ended.status, "ended")
    at = f" at {ended.closed_at.strftime('%Y-%m-%d %H:%M UTC')}" if ended.closed_at else ""
    text = f"Still running, left behind: its {what} {how}{at}."
    if other and other.code is ProblemCode.NO_WORKER:
        text = f"{text} {other.message}"
    return Problem(ProblemCode.LEFT_RUNNING, text)
