"""Gaps and refusals: what could not be known, and why, in words for people."""

from dataclasses import dataclass
from enum import StrEnum


class ProblemCode(StrEnum):
    """Why something is unknown. The values stand in the JSON."""

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
    """One gap: a sentence for people, and the source's own text where there is one."""

    code: ProblemCode
    message: str
    detail: str | None = None

    @property
    def awaited(self) -> bool:
        """Return whether nothing is wrong: it has only not been read so far, or is paused."""
        return self.code in _AWAITED

    @property
    def structural(self) -> bool:
        """Whether everything that is unknown is where a row belongs: that says nothing of how the row itself is."""
        return self.code is ProblemCode.MISPLACED

    @property
    def gap(self) -> bool:
        """Return whether it leaves unknown how a row is. What only a codec could read may be well."""
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
    """Temporal could not be asked, or did not answer. It says nothing about the release that was asked for."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


class NotFound(LookupError):
    """What was asked for does not exist. `reason` says what may have happened, in words for people."""

    def __init__(self, entity_id: str, reason: str) -> None:
        super().__init__(f"{entity_id}: {reason}")
        self.entity_id = entity_id
        self.reason = reason


class ReleaseNotFound(NotFound):
    """Temporal knows no execution with this release id. `last_seen` says how it stood when it still did."""

    def __init__(self, release_id: str, last_seen: str = "") -> None:
        never = "It may never have started, its ID may be misspelled, or it"
        why = f"{last_seen} It" if last_seen else never
        super().__init__(
            release_id,
            f"Temporal has no release with this ID. {why} ended before the retention period of the namespace"
            f"{', or was deleted' if last_seen else ''}.",
        )


class RunNotFound(NotFound):
    """Temporal knows no such run of the release."""

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
