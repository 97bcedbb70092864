"""The truth rules, for one release at a time: what goes wrong with one is a gap of its own, and is logged."""

import structlog

from dashboard.domain import reconcile
from dashboard.domain.entities import Entity, Execution, Release
from dashboard.domain.ids import EntityType
from dashboard.domain.problems import Problem, ProblemCode
from dashboard.domain.reconcile import phase_of_status

log = structlog.get_logger()


def reconcile_or_gap(execution: Execution, said: Entity) -> Release:
    """Join what a rollout said of itself with what Temporal knows of its execution, whatever these are."""
    try:
        return reconcile.reconcile(execution, said)
    except Exception as exc:  # noqa: BLE001 - logged with its stack; other releases have nothing to do with it
        return unreported_release_or_gap(execution, _fault(execution, exc))


def unreported_release_or_gap(execution: Execution, problem: Problem) -> Release:
    """A release whose own words are not known, with what Temporal knows, whatever that is."""
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
