"""Read a release that is too large for one response in parts: wave by wave, or level by level on demand."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from dashboard.domain.entities import Entity
from dashboard.domain.ids import EntityType
from dashboard.domain.problems import Problem, ProblemCode
from dashboard.domain.source import CachedPart, Fingerprint, ReleaseReading
from dashboard.temporal.client import RunHandle
from dashboard.temporal.deadline import Deadline
from dashboard.temporal.decode import gap_row
from dashboard.temporal.levels import query_levels
from dashboard.temporal.partial_result import PartialResult, content_digest
from dashboard.temporal.queries import RELEASE_STATE_QUERY, query_release, query_wave

# Concurrent wave queries: a worker answers them one after another anyway.
MAX_CONCURRENT_WAVE_QUERIES = 4

RELEASE_TOO_LARGE = (
    "The release exceeds Temporal's limit of 2 MB for one response, "
    f"and it does not support {RELEASE_STATE_QUERY}, so it cannot be loaded in parts either."
)
WAVE_NOT_READ = (
    "This wave has not been loaded yet: the release is too large for one response and is loaded wave by wave."
)

WaveQueryResult = tuple[Entity, str] | Problem


async def query_in_parts(
    handle: RunHandle,
    known: ReleaseReading | None,
    opened: frozenset[str],
    fingerprint: Fingerprint,
    budget: Deadline,
    patience: Deadline,
) -> PartialResult | Problem:
    """Read a release in the same kind of parts as before; the first read detects which it supports."""
    if known and known.levels:
        return await query_levels(handle, known.parts, known.levels.opened, opened, fingerprint, budget)
    told = await _ask_waves(handle, known.parts if known else {}, fingerprint, budget, patience)
    if isinstance(told, CachedPart):
        return await query_levels(handle, {handle.id: told}, frozenset(), opened, fingerprint, budget)
    return told


async def _ask_waves(
    handle: RunHandle, known: Mapping[str, CachedPart], fingerprint: Fingerprint, budget: Deadline, patience: Deadline
) -> PartialResult | CachedPart | Problem:
    """Read the release's own state, then its waves until `patience` ends, keeping known parts.

    Waves read at the current history length are not queried again. Without wave queries, only the release's own state
    is read.
    """
    release = await query_release(handle, RELEASE_STATE_QUERY, budget)
    if isinstance(release, Problem):
        mute = release.code is ProblemCode.QUERY_UNKNOWN
        return Problem(ProblemCode.TOO_LARGE, RELEASE_TOO_LARGE, release.detail) if mute else release
    entity, digest = release
    parts = {wave_id: known[wave_id] for wave_id in entity.child_ids if wave_id in known}
    wanted = [wave_id for wave_id in entity.child_ids if not _current(parts.get(wave_id), fingerprint)]
    # Those that were never read come first, then the one that has waited longest.
    wanted.sort(key=lambda wave_id: parts[wave_id].read_at.timestamp() if wave_id in parts else 0)
    problems: dict[str, Problem] = {}
    for wave_id, answer in (await _waves(handle, wanted, budget, patience)).items():
        if isinstance(answer, Problem):
            problems[wave_id] = answer
        else:
            parts[wave_id] = CachedPart(*answer, fingerprint, datetime.now(UTC))
    if _unknown(problems.values()):
        return CachedPart(entity, digest, fingerprint, datetime.now(UTC))
    return _told(entity, digest, parts, problems, fingerprint)


def _current(part: CachedPart | None, fingerprint: Fingerprint) -> bool:
    return part is not None and part.fingerprint == fingerprint


async def _waves(
    handle: RunHandle, wanted: Sequence[str], budget: Deadline, patience: Deadline
) -> dict[str, WaveQueryResult]:
    """Return the waves that responded in time."""
    answers: dict[str, WaveQueryResult] = {}
    gate = asyncio.Semaphore(MAX_CONCURRENT_WAVE_QUERIES)

    async def ask(wave_id: str) -> None:
        async with gate:
            if not _unknown(answers.values()):
                answers[wave_id] = await query_wave(handle, wave_id, budget)

    tasks = [asyncio.ensure_future(ask(wave_id)) for wave_id in wanted]
    try:
        async with patience.bounds():
            await asyncio.gather(*tasks)
    except TimeoutError:
        pass  # What has not come by now is asked for at the next look.
    finally:
        for task in tasks:
            task.cancel()
    return answers


def _unknown(answers: Iterable[WaveQueryResult]) -> bool:
    """Return whether the release does not support wave queries."""
    return any(isinstance(answer, Problem) and answer.code is ProblemCode.QUERY_UNKNOWN for answer in answers)


def _told(
    entity: Entity,
    digest: str,
    parts: Mapping[str, CachedPart],
    problems: Mapping[str, Problem],
    fingerprint: Fingerprint,
) -> PartialResult:
    waves = tuple(
        _wave(wave_id, parts.get(wave_id), problems.get(wave_id), fingerprint) for wave_id in entity.child_ids
    )
    told = [(wave.id, _part_digest(parts.get(wave.id)), wave.problem) for wave in waves]
    current = all(_current(parts.get(wave_id), fingerprint) for wave_id in entity.child_ids)
    return PartialResult(replace(entity, children=waves), parts, content_digest(digest, told), current)


def _wave(wave_id: str, part: CachedPart | None, problem: Problem | None, fingerprint: Fingerprint) -> Entity:
    if part is None:
        problem = problem or Problem(ProblemCode.NOT_READ, WAVE_NOT_READ)
        return gap_row(wave_id, EntityType.WAVE, problem.message, problem.code)
    if part.fingerprint != fingerprint and problem is None:
        moment = part.read_at.strftime("%H:%M:%S UTC")
        text = f"This wave is as of {moment}: the release has changed since, and the wave has not been reloaded yet."
        problem = Problem(ProblemCode.NOT_READ, text)
    return replace(part.row, problem=problem or part.row.problem)


def _part_digest(part: CachedPart | None) -> str:
    return part.digest if part else "-"
