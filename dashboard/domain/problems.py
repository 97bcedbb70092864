"""Problems and errors: data that is not available, and why."""

from dataclasses import dataclass
from enum import StrEnum


class ProblemCode(StrEnum):
    """The reason for missing data. The values are used in JSON."""

    NO_WORKER = "no_worker"
    QUERY_UNKNOWN = "query_unknown"
    QUERY_FAILED = "query_failed"
    QUERY_TIMED_OUT = "query_timed_out"
    TASK_FAILING = "workflow_task_failing"
    TOO_LARGE = "too_large"
    NOT_READ = "not_read_yet"
    NOT_OPENED = "not_opened"
    MALFORMED = "malformed"
    MISSING = "missing"
    GONE = "gone"
    UNREADABLE = "unreadable"
    UNDECODABLE = "undecodable"
    PAUSED = "paused_in_temporal"
    UNKNOWN_STATUS = "unknown_status"
    ORPHAN = "orphan"
    TWO_PARENTS = "two_parents"
    CYCLE = "cycle"
    MISPLACED = "misplaced"
    TRUNCATED = "truncated"
    LAGGING = "lagging"
    UNAVAILABLE = "temporal_unavailable"
    TIMED_OUT = "temporal_timed_out"
    DENIED = "temporal_permission_denied"
    NAMESPACE_MISSING = "temporal_namespace_missing"
    REFUSED = "temporal_refused"
    BUSY = "too_many_waiting"
    AT_WORK = "worker_at_work"
    LEFT_RUNNING = "left_running"
    REASON_NOT_READ = "reason_not_read_yet"
    NOT_DESCRIBED = "not_described_lately"
    BEHIND = "behind"


@dataclass(frozen=True, slots=True)
class Problem:
    """A gap in the data: a message for people, and the source's error text, if any."""

    code: ProblemCode
    message: str
    detail: str | None = None

    @property
    def awaited(self) -> bool:
        """Return whether this is not an error: not loaded yet, or paused."""
        return self.code in _AWAITED

    @property
    def structural(self) -> bool:
        """Return whether only the position of a row is unknown, not its state."""
        return self.code is ProblemCode.MISPLACED

    @property
    def gap(self) -> bool:
        """Return whether the state of a row is unknown. Encrypted data does not count."""
        return not (self.awaited or self.structural or self.code is ProblemCode.UNREADABLE)


_AWAITED = frozenset(
    {
        ProblemCode.NOT_READ,
        ProblemCode.NOT_OPENED,
        ProblemCode.AT_WORK,
        ProblemCode.REASON_NOT_READ,
        ProblemCode.NOT_DESCRIBED,
        ProblemCode.PAUSED,
    }
)


class SourceUnavailable(Exception):
    """Temporal is unavailable or did not respond. This implies nothing about the release."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


class NotFound(LookupError):
    """The requested entity does not exist. `reason` is a message for people."""

    def __init__(self, entity_id: str, reason: str) -> None:
        super().__init__(f"{entity_id}: {reason}")
        self.entity_id = entity_id
        self.reason = reason


class ReleaseNotFound(NotFound):
    """Temporal has no execution with this release ID. `last_seen` is its last known state."""

    def __init__(self, release_id: str, last_seen: str = "") -> None:
        never = "It may never have started, its ID may be misspelled, or it"
        why = f"{last_seen} It" if last_seen else never
        super().__init__(
            release_id,
            f"Temporal has no release with this ID. {why} ended before the retention period of the namespace"
            f"{', or was deleted' if last_seen else ''}.",
        )


class RunNotFound(NotFound):
    """Temporal has no such run of the release."""

    def __init__(self, release_id: str, run_id: str) -> None:
        super().__init__(
            release_id,
            f"Temporal has no run {run_id} of this release. It may have ended before the retention period of the "
            "namespace. Open the release without a run ID to see its latest run.",
        )


class EntityNotFound(NotFound):
    """The release has no entity with this ID."""

    def __init__(self, release_id: str, entity_id: str) -> None:
        super().__init__(entity_id, f"The release {release_id} has no entity with this ID.")
        self.release_id = release_id
