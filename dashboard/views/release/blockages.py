"""What holds a release up: waves that wait for something, and a workflow whose own code fails."""

from pydantic import Field

from dashboard.domain.entities import FailingTask, Release
from dashboard.domain.ids import EntityType
from dashboard.domain.phases import Phase
from dashboard.domain.rollup import Blockage, Obstacle, trouble_cause
from dashboard.views.shared.details import AttemptView, FailureView
from dashboard.web.page_model import PageModel

# Obstacles named in the line that says what a wave waits for; the rest is counted.
MAX_NAMED_OBSTACLES = 3


class ObstacleView(PageModel):
    """A cluster that blocks its wave, with the reason: failed, retrying or paused apps, or its own state."""

    id: str
    name: str
    why: str
    cause: str | None
    attempt: AttemptView | None = Field(description="Attempts of the first retrying activity.")
    failed: int
    retrying: int
    stalled: int = Field(description="Rows in it whose next step no worker is picking up.")
    paused: int
    over: bool = Field(description="Whether it has ended, so that nothing waits for it.")
    left_running: bool = Field(exclude=True)

    @classmethod
    def of(cls, obstacle: Obstacle) -> "ObstacleView":
        """Return the view of an obstacle."""
        failed = obstacle.apps.of(Phase.FAILED, Phase.TIMED_OUT)
        paused = obstacle.apps.of(Phase.PAUSED)
        stalled = "no worker for its next step" if obstacle.stalled == 1 else f"no worker for {obstacle.stalled} steps"
        parts = [
            _apps(failed, "failed"),
            _apps(obstacle.apps.retrying, "retrying"),
            _apps(paused, "paused"),
            stalled if obstacle.stalled else "",
            "left running" if obstacle.left_running else "",
        ]
        return cls(
            id=obstacle.entity.id,
            name=obstacle.entity.name,
            why=", ".join(part for part in parts if part) or obstacle.entity.state or "unknown",
            cause=obstacle.cause,
            attempt=AttemptView.of(obstacle.attempt),
            failed=failed,
            retrying=obstacle.apps.retrying,
            stalled=obstacle.stalled,
            paused=paused,
            over=obstacle.over,
            left_running=obstacle.left_running,
        )


class FailingTaskView(PageModel):
    """A failing workflow task at attempt `attempt`. The release is stuck until the workflow code is fixed."""

    attempt: int
    failure: FailureView | None

    @classmethod
    def of(cls, task: FailingTask | None) -> "FailingTaskView | None":
        """Return the view of a failing task, or None for none."""
        return (
            cls(attempt=task.attempt, failure=FailureView.of(task.failure) if task.failure else None) if task else None
        )


class BlockageView(PageModel):
    """A blocked wave with its obstacles and the number of `more`. Without obstacles, its own state blocks it.

    Parts that are in no wave are reported for the release itself.
    """

    id: str
    is_wave: bool = Field(exclude=True)
    name: str
    word: str
    cause: str | None = Field(description="Cause of a problem of the wave itself.")
    attempt: AttemptView | None
    over: bool = Field(description="Whether the release or this wave has ended, so that nothing is waiting.")
    completed: bool = Field(description="Whether it succeeded despite this.")
    obstacles: tuple[ObstacleView, ...]
    more: int

    @property
    def left_running(self) -> bool:
        """Return whether nothing in it failed: what is named here only runs on after the end of the release."""
        return bool(self.obstacles) and all(obstacle.left_running for obstacle in self.obstacles)

    @classmethod
    def of(cls, blockage: Blockage, release: Release) -> "BlockageView":
        """Return the view of a blockage of a release."""
        over, completed = release.execution.status.closed, release.root.phase is Phase.SUCCEEDED
        named = blockage.obstacles[:MAX_NAMED_OBSTACLES]
        return cls(
            id=blockage.wave.id,
            is_wave=blockage.wave.type is EntityType.WAVE,
            name=blockage.wave.name,
            word=blockage.wave.state,
            cause=trouble_cause(blockage.wave),
            attempt=AttemptView.of(blockage.wave.attempt),
            over=over or blockage.over,
            completed=completed or blockage.wave.phase is Phase.SUCCEEDED,
            obstacles=tuple(ObstacleView.of(obstacle) for obstacle in named),
            more=len(blockage.obstacles) - len(named),
        )


def _apps(count: int, word: str) -> str:
    return f"{count} app{'' if count == 1 else 's'} {word}" if count else ""
