"""The timeline: spans of waves and clusters, failures, and an estimate of the remaining time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from dashboard.domain.entities import Entity, Release, Status
from dashboard.domain.levels import clusters_in
from dashboard.domain.phases import Phase
from dashboard.domain.rollup import count_app_phases
from dashboard.domain.work_times import WorkTimes, has_begun

# Phases that prevent an estimate: it is unknown when such rows continue.
_HELD = frozenset(Phase) - {Phase.PENDING, Phase.RUNNING, Phase.SUCCEEDED}


@dataclass(frozen=True, slots=True)
class TimeSpan:
    """A span of work (UTC); `end` is None while in progress. If not `exact`, work may have started earlier."""

    start: datetime
    end: datetime | None
    exact: bool


@dataclass(frozen=True, slots=True)
class TimelineMark:
    """Failures: `count` rows failed, the first at `at`; or are retrying now if `at` is None."""

    at: datetime | None
    count: int
    first: Entity


@dataclass(frozen=True, slots=True)
class TimelineBar:
    """A wave or cluster over time, without a span if times are unknown or it has not started.

    `changed_at` is the latest change of started rows in it.
    """

    entity: Entity
    begun: bool
    changed_at: datetime | None
    span: TimeSpan | None
    marks: tuple[TimelineMark, ...]
    bars: tuple["TimelineBar", ...] = ()


@dataclass(frozen=True, slots=True)
class CompletionEstimate:
    """The estimated end, based on the time per cluster in completed waves, from the last change.

    With `slower_now`, the slower pace of the waves in progress is used. `waves` are the estimated ends of unfinished
    waves by index.
    """

    since: datetime
    ends_at: datetime
    waves_done: int
    slower_now: bool
    waves: tuple[tuple[int, datetime], ...]


@dataclass(frozen=True, slots=True)
class Timeline:
    """The bars of a release's waves, its own span, the last change, and the estimate, if any."""

    span: TimeSpan
    known_until: datetime
    bars: tuple[TimelineBar, ...]
    estimate: CompletionEstimate | None


def build_timeline(release: Release, known_at: datetime) -> Timeline:
    """Return the timeline of a release at the time of its read.

    Work in progress has no end, so that the timeline stays the same while nothing changes.
    """
    work = WorkTimes(release, known_at)
    bars = tuple(_bar(work, wave) for wave in release.root.children)
    execution = release.execution
    times = [release.chain_began_at, *_times(bars)]
    latest = max([*times, execution.closed_at] if execution.closed_at else times)
    span = TimeSpan(min(times), latest if execution.status.closed else None, exact=True)
    return Timeline(span, latest, bars, _estimate(release, bars, latest))


def _times(bars: Sequence[TimelineBar]) -> Iterator[datetime]:
    for bar in bars:
        if bar.span:
            yield bar.span.start
            yield from (bar.span.end,) if bar.span.end else ()
        yield from (mark.at for mark in bar.marks if mark.at)
        yield from (bar.changed_at,) if bar.changed_at else ()
        yield from _times(bar.bars)


def _bar(work: WorkTimes, entity: Entity, depth: int = 2) -> TimelineBar:
    known = work.of(entity)
    below = tuple(_bar(work, child, depth - 1) for child in entity.children) if depth > 1 else ()
    span = TimeSpan(known.first, work.ended(entity), known.exact) if known.first else None
    return TimelineBar(entity, any(map(has_begun, entity.flattened())), known.last, span, _marks(work, entity), below)


def _marks(work: WorkTimes, entity: Entity) -> tuple[TimelineMark, ...]:
    """Return one mark for failures and one for retries."""
    leaves = [row for row in entity.flattened() if not row.children]
    failed = [(at, row) for row in leaves if row.phase.broken and (at := work.told(row.updated_at))]
    retried = [row for row in entity.flattened() if row.attempt and row.attempt.retrying]
    marks = []
    if failed:
        at, first = min(failed, key=lambda pair: pair[0])
        marks.append(TimelineMark(at, len(failed), first))
    if retried:
        marks.append(TimelineMark(None, len(retried), retried[0]))
    return tuple(marks)


def _estimate(release: Release, bars: Sequence[TimelineBar], since: datetime) -> CompletionEstimate | None:
    if not _steady(release):
        return None
    done = [bar for bar in bars if bar.entity.phase is Phase.SUCCEEDED and bar.bars and bar.span]
    seconds = _worked(done, since)
    if not seconds:
        return None
    pace, now = seconds / sum(len(bar.bars) for bar in done), _pace_at_work(bars, since)
    ends_at, waves = since, []
    for place, bar in enumerate(bars):
        if bar.entity.phase.unfinished:
            ends_at += timedelta(seconds=max(pace, now) * _left(bar))
            waves.append((place, ends_at))
    return CompletionEstimate(since, ends_at, len(done), now > pace, tuple(waves)) if waves else None


def _pace_at_work(bars: Sequence[TimelineBar], since: datetime) -> float:
    """Return the minimum seconds per cluster of the waves in progress."""
    at_work = [bar for bar in bars if bar.span and bar.entity.phase.unfinished]
    done = sum(len(bar.bars) - _left(bar) for bar in at_work)
    return _worked(at_work, since) / max(done, 1.0)


def _steady(release: Release) -> bool:
    """Return whether the release is in progress with a known plan, and nothing is blocked or unknown."""
    root = release.root
    running = release.execution.status is Status.RUNNING and root.phase is Phase.RUNNING
    if not running or release.said_at or release.levels or root.problem:
        return False
    # Of what a workflow per row is still to start, nothing is known.
    if any("run_id" in wave.details or not clusters_in(wave) for wave in root.children):
        return False
    rows = (row for wave in root.children for row in (wave, *wave.children))
    gaps = any(row.problem or row.unopened for row in root.flattened())
    return not gaps and not _stuck(root) and all(row.phase not in _HELD for row in rows)


def _stuck(root: Entity) -> bool:
    """Return whether all work in progress is only retrying."""
    at_work = [row for row in root.flattened() if row.phase is Phase.RUNNING and not row.children]
    return bool(at_work) and all(row.attempt and row.attempt.retrying for row in at_work)


def _worked(bars: Sequence[TimelineBar], until: datetime) -> float:
    """Return the seconds during which any of the waves was in progress: waves may overlap."""
    spans = sorted((bar.span.start, bar.span.end or until) for bar in bars if bar.span)
    total, reached = 0.0, None
    for start, end in spans:
        begins = max(start, reached) if reached else start
        total += max((end - begins).total_seconds(), 0.0)
        reached = max(end, reached) if reached else end
    return total


def _left(wave: TimelineBar) -> float:
    """Return the remaining clusters of a wave, counting fractions by apps."""
    return sum(_share_left(cluster.entity) for cluster in wave.bars)


def _share_left(cluster: Entity) -> float:
    if cluster.phase is Phase.SUCCEEDED:
        return 0.0
    apps = count_app_phases(cluster)
    return 1 - apps.of(Phase.SUCCEEDED) / apps.total if apps.total else 1.0
