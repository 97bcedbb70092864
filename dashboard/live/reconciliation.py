"""Apply the truth rules to one release at a time. An error affects that release only and is logged."""

import structlog

from dashboard.domain import reconcile
from dashboard.domain.entities import Entity, Execution, Release
from dashboard.domain.ids import EntityType
from dashboard.domain.problems import Problem, ProblemCode
from dashboard.domain.reconcile import phase_of_status

log = structlog.get_logger()


def reconcile_or_gap(execution: Execution, said: Entity) -> Release:
    """Combine the rollout's reports with Temporal's data of its execution, whatever they contain."""
    try:
        return reconcile.reconcile(execution, said)
    except Exception as exc:  # noqa: BLE001 - logged with its stack; other releases have nothing to do with it
        return unreported_release_or_gap(execution, _fault(execution, exc))


def unreported_release_or_gap(execution: Execution, problem: Problem) -> Release:
    """Return a release without its own reports, based on Temporal's data only."""
    try:
        return reconcile.unreported_release(execution, problem)
    except Exception as exc:  # noqa: BLE001 - logged with its stack; other releases have nothing to do with it
        return _bare(execution, _fault(execution, exc))


def _fault(execution: Execution, exc: Exception) -> Problem:
    log.exception("not_judged", release_id=execution.workflow_id)
    text = "This release can be shown only in part: some of its data could not be interpreted."
    return Problem(ProblemCode.UNDECODABLE, text, type(exc).__name__)


def _bare(execution: Execution, problem: Problem) -> Release:
    phase, name = phase_of_status(execution.status), execution.workflow_id
    return Release(execution, Entity(name, EntityType.RELEASE, "", phase, name, problem=problem))
