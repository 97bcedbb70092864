"""The child workflow that works on an entity: its own execution, what is pending in it, and why it ended."""

from datetime import datetime

from pydantic import Field

from dashboard.domain.entities import Entity, Execution, Pause, Status
from dashboard.views.release.blockages import FailingTaskView
from dashboard.views.shared.details import AttemptView, ChildRunView, FailureView
from dashboard.web.page_model import PageModel


class WorkflowPauseView(PageModel):
    """Who paused a workflow in Temporal, when and why, if known."""

    by: str
    reason: str
    since: datetime | None

    @classmethod
    def of(cls, pause: Pause) -> "WorkflowPauseView":
        """Return the view of a pause."""
        return cls(by=pause.by, reason=pause.reason, since=pause.since)


class ChildView(PageModel):
    """The child workflow that runs this entity, as last listed or described.

    `pending` contains all pending work, most important first. `closing` is the failure or reason with which it ended,
    with its causes. `child_runs` are its own child workflows that have not ended.
    """

    workflow_id: str
    run_id: str
    workflow_type: str
    task_queue: str
    status: Status
    started_at: datetime
    execution_time: datetime | None = Field(description="Scheduled time of its first task.")
    closed_at: datetime | None
    closing: FailureView | None
    pending: tuple[AttemptView, ...]
    failing_task: FailingTaskView | None
    waiting_since: datetime | None = Field(
        description="Time since which its next step has been waiting for a worker, if unusually long."
    )
    cancel_requested: bool
    pause: WorkflowPauseView | None
    child_runs: tuple[ChildRunView, ...]
    left_running: bool = Field(description="Whether it is still running although its release has ended.")
    # Changes with each read and does not count as a change.
    described_at: datetime | None = Field(exclude=True)

    @property
    def others(self) -> tuple[AttemptView, ...]:
        """Return further pending work."""
        return self.pending[1:]

    @classmethod
    def of(cls, entity: Entity) -> "ChildView | None":
        """Return the view of the child workflow that works on this entity, or None where there is none."""
        run = entity.execution
        return _view(entity, run) if run else None


def _view(entity: Entity, run: Execution) -> ChildView:
    return ChildView(
        workflow_id=run.workflow_id,
        run_id=run.run_id,
        workflow_type=run.workflow_type,
        task_queue=run.task_queue,
        status=run.status,
        started_at=run.started_at,
        execution_time=run.execution_time,
        closed_at=run.closed_at,
        closing=FailureView.of(run.closing) if run.closing else None,
        pending=tuple(view for each in entity.pending if (view := AttemptView.of(each))),
        failing_task=FailingTaskView.of(run.failing_task),
        waiting_since=run.waiting_since,
        cancel_requested=run.cancel_requested,
        pause=WorkflowPauseView.of(run.pause) if run.pause else None,
        child_runs=tuple(child for each in run.child_runs if (child := ChildRunView.of(each))),
        left_running=entity.left_running,
        described_at=run.described_at,
    )
