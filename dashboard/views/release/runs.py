"""The runs of a release's workflow id, and which of them a page shows."""

from datetime import datetime

from pydantic import Field

from dashboard.domain.entities import Execution, Release, Status
from dashboard.domain.phases import Phase
from dashboard.domain.reconcile import phase_of_status
from dashboard.web.page_model import PageModel


class RunView(PageModel):
    """A run with its Temporal status."""

    run_id: str
    status: Status
    phase: Phase
    started_at: datetime
    closed_at: datetime | None
    continues: bool = Field(description="Whether it continues the preceding run (continue-as-new).")

    @property
    def word(self) -> str:
        """Return the status in words; of one that waits for its time, that it does."""
        if self.phase is Phase.PENDING:
            return "scheduled"
        return "ended" if self.status is Status.UNKNOWN else self.status.lower().replace("_", " ")


class RunsView(PageModel):
    """The runs of a workflow ID, newest first. It may have continued as new or been reused."""

    shown: RunView
    latest: RunView
    began_at: datetime = Field(description="Start, or scheduled start, of the first run in its continue-as-new chain.")
    earlier: bool = Field(description="Whether this is an earlier run.")
    all: tuple[RunView, ...]
    more: bool = Field(description="Whether older runs exist that are not listed.")
    listed: bool = Field(description="Whether the runs have been listed yet. If not, there may be others.")
    release_id: str = Field(exclude=True)

    @classmethod
    def of(cls, release: Release) -> "RunsView":
        """Return the view of a release's runs."""
        runs = release.runs
        executions = runs.executions or (release.execution,)
        waits = release.execution.run_id if release.scheduled_for else ""
        views = [_view(run, continues=runs.follows(run.run_id), waits=run.run_id == waits) for run in executions]
        shown = next(view for view in views if view.run_id == release.execution.run_id)
        return cls(
            shown=shown,
            latest=views[0],
            began_at=release.chain_began_at,
            earlier=shown != views[0],
            all=tuple(views),
            more=runs.more,
            listed=runs.listed_at is not None,
            release_id=release.id,
        )


def _view(run: Execution, *, continues: bool, waits: bool) -> RunView:
    # That a run continued as new says nothing of how the release fares.
    phase = Phase.UNKNOWN if run.status is Status.CONTINUED_AS_NEW else phase_of_status(run.status)
    phase = Phase.PENDING if waits else phase
    return RunView(
        run_id=run.run_id,
        status=run.status,
        phase=phase,
        started_at=run.started_at,
        closed_at=run.closed_at,
        continues=continues,
    )
