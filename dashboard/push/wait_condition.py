"""The condition of a wait request: a release reaches one of several phases."""

from dataclasses import dataclass

from dashboard.domain.entities import Release, Status
from dashboard.domain.overall import overall_state
from dashboard.domain.phases import Phase
from dashboard.domain.snapshot import Snapshot
from dashboard.live.topic import ReleaseTopic


@dataclass(frozen=True, slots=True)
class WaitCondition:
    """A set of phases of a release: of its latest run, or of the run with this ID."""

    release_id: str
    run_id: str | None
    phases: frozenset[Phase]

    @property
    def topic(self) -> ReleaseTopic:
        """Return the topic to poll for it."""
        return ReleaseTopic(self.release_id, self.run_id)

    def reached(self, seen: Snapshot[Release]) -> bool:
        """Return whether the release is in one of the phases now. Stale data does not count.

        A running release with a part that is paused or waiting for approval counts as paused.
        """
        if seen.stale:
            return False
        waits = Phase.PAUSED in self.phases and overall_state(seen.value).phase is Phase.PAUSED
        return waits or seen.value.root.phase in self.phases

    def decided(self, seen: Snapshot[Release]) -> bool:
        """Return whether the wait is over: the phase is reached, or the release has ended in another one."""
        return self.reached(seen) or (not seen.stale and self._ended(seen.value.execution.status))

    def _ended(self, status: Status) -> bool:
        # The next run continues the release; a wait for a single run is over.
        return status.closed and (status is not Status.CONTINUED_AS_NEW or self.run_id is not None)
