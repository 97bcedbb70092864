"""What rows say beside their names: what is pending for them, why it failed, and how far they are."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from dashboard.domain.entities import Attempt, AttemptKind, ChildRun, Execution, Failure, Pause, Status
from dashboard.domain.phases import Phase
from dashboard.domain.rollup import PhaseCounts
from dashboard.web.page_model import PageModel, ProblemView, page_part


class FailureView(PageModel):
    """A failure as stored by Temporal. `causes` are its causes, outermost first.

    `kind` is `application` for errors raised by a workflow or an activity, otherwise Temporal's own kind, such as
    `timeout`, `activity` or `child_workflow_execution`. The innermost application failure is the root cause. `by` is
    who cancelled or terminated it, if known.
    """

    type: str
    message: str
    causes: tuple["FailureView", ...] = ()
    kind: str = "application"
    by: str = ""

    @classmethod
    def of(cls, failure: Failure) -> "FailureView":
        """Return the view of a failure with its causes."""
        return cls(
            type=failure.type,
            message=failure.message,
            causes=tuple(cls.of(cause) for cause in failure.causes),
            kind=failure.kind,
            by=failure.by,
        )


class PauseView(PageModel):
    """Who paused it in Temporal, why and when, if known."""

    by: str
    reason: str
    since: datetime | None

    @classmethod
    def of(cls, execution: Execution) -> "PauseView | None":
        """Return the view of an execution's pause, or None for none."""
        if execution.status is not Status.PAUSED:
            return None
        pause = execution.pause or Pause()
        return cls(by=pause.by, reason=pause.reason, since=pause.since)


class AttemptView(PageModel):
    """Pending work of this row: attempt `number` of `maximum` (null: unlimited), and the time of the next attempt.

    It is an activity unless `kind` says otherwise. `cause` is the last failure in one line.
    If `over` is true, it was pending when its workflow ended and `number` was the last attempt.
    `heartbeat` is the last heartbeat of the activity as JSON text, truncated if long.
    """

    activity_id: str
    activity_type: str
    number: int
    maximum: int | None
    retrying: bool
    next_at: datetime | None
    last_failure: FailureView | None
    worker: str | None
    heartbeat: str | None
    paused: bool
    over: bool
    kind: AttemptKind
    cause: str | None
    problem: ProblemView | None = None

    @classmethod
    def of(cls, attempt: Attempt | None) -> "AttemptView | None":
        """Return the view of an attempt, or None for none."""
        if attempt is None:
            return None
        return cls(
            activity_id=attempt.activity_id,
            activity_type=attempt.activity_type,
            number=attempt.number,
            maximum=attempt.maximum,
            retrying=attempt.retrying,
            next_at=attempt.next_at,
            last_failure=FailureView.of(attempt.last_failure) if attempt.last_failure else None,
            worker=attempt.worker,
            heartbeat=attempt.heartbeat,
            paused=attempt.paused,
            over=attempt.over,
            kind=attempt.kind,
            cause=attempt.cause,
            problem=ProblemView.of(attempt.problem) if attempt.problem else None,
        )


class ChildRunView(PageModel):
    """A child workflow that has not ended. `run_id` is empty while its start is only requested.

    If `elsewhere` is true, it is not in the dashboard's namespace; `namespace` is its namespace, if known.
    """

    workflow_id: str
    run_id: str
    workflow_type: str
    namespace: str
    elsewhere: bool

    @classmethod
    def of(cls, run: ChildRun | None) -> "ChildRunView | None":
        """Return the view of a child workflow, or None for none."""
        if run is None:
            return None
        return cls(
            workflow_id=run.workflow_id,
            run_id=run.run_id,
            workflow_type=run.workflow_type,
            namespace=run.namespace,
            elsewhere=run.elsewhere,
        )


@page_part
class Progress:
    """The number of rows in each phase. `retrying` counts those of them whose activity has failed before.

    `unopened` counts rows that are not apps: each represents everything below it that was not loaded.
    """

    total: int
    pending: int = 0
    running: int = 0
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    terminated: int = 0
    timed_out: int = 0
    paused: int = 0
    unknown: int = 0
    retrying: int = 0
    unopened: int = 0
    noun: Annotated[str, Field(description="What is counted: an entity type, or `part` for mixed types.")] = "app"

    @classmethod
    def of(cls, counts: PhaseCounts) -> "Progress":
        """Return the view of a tally."""
        phases = {phase.value: count for phase, count in counts.counts.items()}
        return cls(total=counts.total, retrying=counts.retrying, unopened=counts.unopened, noun=counts.noun, **phases)

    @property
    def broken(self) -> int:
        """Failed or timed out."""
        return self.failed + self.timed_out

    def counted_in(self, phase: Phase) -> Phase:
        """The phase of what has these in it: failed if it succeeded with failed ones, paused if it runs and waits."""
        if phase is Phase.SUCCEEDED:
            return Phase.FAILED if self.broken else phase
        waits = phase is Phase.RUNNING and self.paused and not (self.broken or self.retrying)
        return Phase.PAUSED if waits else phase

    @property
    def waiting(self) -> int:
        """Not begun, or paused."""
        return self.pending + self.paused

    @property
    def stopped(self) -> int:
        """Cancelled or terminated."""
        return self.cancelled + self.terminated
