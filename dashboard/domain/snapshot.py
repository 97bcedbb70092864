"""Snapshots: data as of one moment, with a version that all processes agree on."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Generic, TypeVar

from dashboard.domain.problems import Problem, ProblemCode

T = TypeVar("T")

# A list, or a tree of child workflows, that is older than this is no longer the latest, whatever the reason.
MAX_LISTED_AGE = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Snapshot(Generic[T]):
    """Data as of `as_of` (UTC). If `stale`, newer data may exist; `reason` is why, or why it is updated less often.

    `version` is a hash of the content, so that processes that read the same data agree on it.
    """

    value: T
    as_of: datetime
    version: str
    stale: bool = False
    reason: Problem | None = None


def version_hash(*parts: object) -> str:
    """Return a hash of content. The `repr` of the parts must include everything relevant."""
    return blake2b(repr(parts).encode("utf-8", "backslashreplace"), digest_size=12).hexdigest()


def utc_now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class SnapshotPair(Generic[T]):
    """Two topics that are shown together."""

    left: Snapshot[T]
    right: Snapshot[T]


def join_snapshots(left: Snapshot[T], right: Snapshot[T]) -> Snapshot[SnapshotPair[T]]:
    """Combine two snapshots: as old as the older one, stale if either is, with a combined version."""
    return Snapshot(
        SnapshotPair(left, right),
        min(left.as_of, right.as_of),
        version_hash(left.version, right.version),
        left.stale or right.stale,
        left.reason or right.reason,
    )


def mark_stale(snapshot: Snapshot[T], reason: Problem) -> Snapshot[T]:
    """Return the same content, marked as stale."""
    version = version_hash(snapshot.version, reason.code)
    return replace(snapshot, version=version, stale=True, reason=reason)


def mark_late(seen: Snapshot[T], late: Problem | None) -> Snapshot[T]:
    """Add the reason for slower updates; mark the snapshot as stale past a limit."""
    if late is None:
        return seen
    if utc_now() - seen.as_of > MAX_LISTED_AGE:
        return mark_stale(seen, late)
    if late.code is not ProblemCode.REFUSED:
        return seen
    return replace(seen, reason=late, version=version_hash(seen.version, late.code))
