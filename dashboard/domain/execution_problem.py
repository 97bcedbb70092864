"""Problems in an execution's own record: paused, unsupported status, or unreadable."""

from dashboard.domain.entities import Execution, Pause, Status
from dashboard.domain.problems import Problem, ProblemCode

_MEANWHILE = (
    " While it is paused, Temporal delivers no queries or updates to it. Its last reported state may be shown; its "
    "worker may be healthy."
)


def execution_problem_of(execution: Execution) -> Problem | None:
    """Return the problem of an execution, or None."""
    if execution.status is Status.PAUSED:
        return paused_problem(execution.pause)
    if execution.status_code is not None:
        text = f"Temporal reports a status that this dashboard does not support (code {execution.status_code})."
        return Problem(ProblemCode.UNKNOWN_STATUS, text)
    return execution.gaps[0] if execution.gaps else None


def paused_problem(pause: Pause | None) -> Problem:
    """Return the problem of a paused execution: who paused it, why, when, and the consequences."""
    return Problem(ProblemCode.PAUSED, f"It is {_by_whom(pause or Pause())}.{_MEANWHILE}")


def short_paused_text(problem: Problem) -> str:
    """Return who paused it in one sentence."""
    return problem.message.removesuffix(_MEANWHILE)


def _by_whom(pause: Pause) -> str:
    by = f"paused by {pause.by}" if pause.by else "paused in Temporal"
    since = f", since {pause.since:%H:%M} UTC ({pause.since:%Y-%m-%d})" if pause.since else ""
    return f"{by}: {pause.reason}{since}" if pause.reason else f"{by}{since}"
