"""Phases: the dashboard's classification of rollout states, for colour, order and counts."""

from enum import StrEnum
from functools import lru_cache

from dashboard.domain.ids import EntityType


class Phase(StrEnum):
    """The classification of a state."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TERMINATED = "terminated"
    TIMED_OUT = "timed_out"
    PAUSED = "paused"
    UNKNOWN = "unknown"

    @property
    def unfinished(self) -> bool:
        """Return whether work in this phase is unfinished."""
        return self in _UNFINISHED

    @property
    def broken(self) -> bool:
        """Return whether this phase needs attention."""
        return self in _BROKEN


_UNFINISHED = frozenset({Phase.PENDING, Phase.RUNNING, Phase.PAUSED})
_BROKEN = frozenset({Phase.FAILED, Phase.TIMED_OUT})

_WORDS: dict[Phase, str] = {
    Phase.PENDING: "pending queued scheduled waiting created planned not_started",
    Phase.RUNNING: "in_progress running started starting deploying verifying rolling_back rolling_out retrying "
    "progressing installing upgrading",
    Phase.SUCCEEDED: "completed complete succeeded success successful deployed healthy done finished",
    Phase.FAILED: "failed failure error errored degraded unhealthy",
    Phase.CANCELLED: "cancelled canceled aborted",
    Phase.TERMINATED: "terminated",
    Phase.TIMED_OUT: "timed_out timeout",
    Phase.PAUSED: "paused awaiting_approval waiting_for_approval blocked on_hold suspended",
}

_COMMON = {word: phase for phase, words in _WORDS.items() for word in words.split()}

# No known word is longer. Those of a rollout are remembered, and must not take much memory.
MAX_STATE_LENGTH = 100

# Where a word means something else at one level: an app that is "running" has been deployed and runs.
_BY_TYPE: dict[EntityType, dict[str, Phase]] = {
    EntityType.APP: {"running": Phase.SUCCEEDED},
}


def phase_of(entity_type: EntityType, word: str) -> Phase:
    """Return the phase of a state. Unknown states are `unknown`, never an error."""
    return _phase(entity_type, word[:MAX_STATE_LENGTH])


def phase_with_pending_work(entity_type: EntityType, word: str, phase: Phase) -> Phase:
    """Return the phase of a row with pending work in Temporal, given the phase of its state.

    Only ambiguous states change: an app that is "running" may be deployed and running, or being deployed. "deployed"
    and "healthy" are unambiguous.
    """
    ambiguous = phase is Phase.SUCCEEDED and _COMMON.get(normalise_state(word)) is Phase.RUNNING
    return Phase.RUNNING if ambiguous and _phase(entity_type, word[:MAX_STATE_LENGTH]) is Phase.SUCCEEDED else phase


def normalise_state(word: str) -> str:
    """Normalize a state: case, hyphens, blanks and surrounding white space."""
    return _plain(word[:MAX_STATE_LENGTH])


@lru_cache(1_000)
def _phase(entity_type: EntityType, word: str) -> Phase:
    plain = _plain(word)
    return _BY_TYPE.get(entity_type, {}).get(plain) or _COMMON.get(plain, Phase.UNKNOWN)


@lru_cache(1_000)
def _plain(word: str) -> str:
    return word.strip().lower().replace("-", "_").replace(" ", "_")
