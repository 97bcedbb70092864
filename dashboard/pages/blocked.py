"""What holds a release up: waves that wait for something, and a workflow whose own code fails."""

from pydantic import Field

from dashboard.domain.entities import FailingTask
from dashboard.domain.phases import Phase
from dashboard.domain.rollup import Blockage, Obstacle, cause_of
from dashboard.pages.base import Model
from dashboard.pages.views import AttemptView, FailureView

# Obstacles named in the line that says what a wave waits for; the rest is counted.
NAMED_OBSTACLES = 3


class ObstacleView(Model):
    """A cluster that holds up its wave, and why: apps that failed, apps that are being retried, or its own word."""

    id: str
    name: str
    why: str
    cause: str | None
    attempt: AttemptView | None = Field(description="The attempts of the first that is being retried.")
    failed: int
    retrying: int
    stalled: int = Field(description="Rows in it whose next step no worker takes.")

    @classmethod
    def of(cls, obstacle: Obstacle) -> "ObstacleView":
        """The view of an obstacle."""
        failed = obstacle.apps.of(Phase.FAILED, Phase.TIMED_OUT)
        stalled = "no worker takes its step" if obstacle.stalled == 1 else f"no worker takes {obstacle.stalled} steps"
        parts = [
            _apps(failed, "failed"),
            _apps(obstacle.apps.retrying, "retrying"),
            stalled if obstacle.stalled else "",
        ]
        return cls(
            id=obstacle.entity.id,
            name=obstacle.entity.name,
            why=", ".join(part for part in parts if part) or obstacle.entity.state or "not known",
            cause=obstacle.cause,
            attempt=AttemptView.of(obstacle.attempt),
            failed=failed,
            retrying=obstacle.apps.retrying,
            stalled=obstacle.stalled,
        )


class FailingTaskView(Model):
    """The workflow's own code fails: its task is at attempt `attempt`, and nothing in the release moves on."""

    attempt: int
    failure: FailureView | None

    @classmethod
    def of(cls, task: FailingTask | None) -> "FailingTaskView | None":
        """The view of a failing task, or None for none."""
        return (
            cls(attempt=task.attempt, failure=FailureView.of(task.failure) if task.failure else None) if task else None
        )


class BlockageView(Model):
    """A wave that is held up: by these obstacles and `more` like them, or by its own word where there is none."""

    id: str
    name: str
    word: str
    cause: str | None = Field(description="Why the wave itself is in trouble, if it is.")
    attempt: AttemptView | None
    over: bool = Field(description="Whether the release has ended, so that nobody waits any more.")
    obstacles: tuple[ObstacleView, ...]
    more: int

    @classmethod
    def of(cls, blockage: Blockage, *, over: bool) -> "BlockageView":
        """The view of a blockage."""
        named = blockage.obstacles[:NAMED_OBSTACLES]
        return cls(
            id=blockage.wave.id,
            name=blockage.wave.name,
            word=blockage.wave.state,
            cause=cause_of(blockage.wave),
            attempt=AttemptView.of(blockage.wave.attempt),
            over=over,
            obstacles=tuple(ObstacleView.of(obstacle) for obstacle in named),
            more=len(blockage.obstacles) - len(named),
        )


def _apps(count: int, word: str) -> str:
    return f"{count} app{'' if count == 1 else 's'} {word}" if count else ""
