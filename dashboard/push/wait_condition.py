"""What somebody waits for: that a release comes into one of some phases."""

from dataclasses import dataclass

from dashboard.domain.entities import Release, Status
from dashboard.domain.overall import overall_state
from dashboard.domain.phases import Phase
from dashboard.live.snapshot_store import Snapshot
from dashboard.live.topic import Topic


@dataclass(frozen=True, slots=True)
class WaitCondition:
    """One of these phases of a release: of its latest run, or of the one with this id."""

    release_id: str
    run_id: str | None
    phases: frozenset[Phase]

    @property
    def topic(self) -> Topic:
        """What has to be watched for it."""
        return Topic("release", (self.release_id, self.run_id))

    def reached(self, seen: Snapshot[Release]) -> bool:
        """Whether the release is there now. What may be out of date says nothing of now.

        A release that runs and waits for a person in one of its parts is paused as well.
        """
        if seen.stale:
            return False
        waits = Phase.PAUSED in self.phases and overall_state(seen.value).phase is Phase.PAUSED
        return waits or seen.value.root.phase in self.phases

    def decided(self, seen: Snapshot[Release]) -> bool:
        """Whether there is nothing more to wait for: it is there, or has ended elsewhere."""
        return self.reached(seen) or (not seen.stale and self._ended(seen.value.execution.status))

    def _ended(self, status: Status) -> bool:
        # The run that comes next goes on with the release; where one run is meant, it is over with that.
        return status.closed and (status is not Status.CONTINUED_AS_NEW or self.run_id is not None)
