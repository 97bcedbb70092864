"""Reads a release that is too large for one answer wave by wave, as far as the time allows."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import blake2b

from dashboard.domain.entities import Entity
from dashboard.domain.ids import EntityType
from dashboard.domain.problems import Problem, ProblemCode
from dashboard.domain.source import Fingerprint, Part
from dashboard.temporal.budget import Budget
from dashboard.temporal.decode import gap
from dashboard.temporal.query_shape import RELEASE_STATE, WAVE_HIERARCHY, Handle, ask_entity, ask_release, ask_wave

# Waves asked for at once: one worker answers them one after the other anyway.
AT_ONCE = 4

TOO_LARGE = (
    "The release is larger than Temporal can carry in one answer (2 MB), "
    f"and it does not answer {RELEASE_STATE}, so that it cannot be read in parts either."
)
NOT_READ = "This wave has not been read yet: the release is too large for one answer and is read wave by wave."
NOT_ANSWERED = (
    f"The release is too large for one answer and does not answer {WAVE_HIERARCHY}, "
    "so what is below this wave is not shown."
)

Answer = tuple[Entity, str] | Problem


@dataclass(frozen=True, slots=True)
class Told:
    """What is known of a release after reading it in parts. `current` says that no part is older than the rest."""

    said: Entity
    parts: Mapping[str, Part]
    digest: str
    current: bool


async def ask_in_parts(
    handle: Handle, known: Mapping[str, Part], fingerprint: Fingerprint, budget: Budget, patience: Budget
) -> Told | Problem:
    """Read the release's own state, then its waves until `patience` ends; what was read before stays.

    A wave that was read when the history was as long as it is now is not asked for again.
    """
    release = await ask_release(handle, RELEASE_STATE, budget)
    if isinstance(release, Problem):
        mute = release.code is ProblemCode.QUERY_UNKNOWN
        return Problem(ProblemCode.TOO_LARGE, TOO_LARGE, release.detail) if mute else release
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
            parts[wave_id] = Part(*answer, fingerprint, datetime.now(UTC))
    if any(problem.code is ProblemCode.QUERY_UNKNOWN for problem in problems.values()):
        return await _without_waves(handle, entity, digest, budget)
    return _told(entity, digest, parts, problems, fingerprint)


def _current(part: Part | None, fingerprint: Fingerprint) -> bool:
    return part is not None and part.fingerprint == fingerprint


async def _waves(handle: Handle, wanted: Sequence[str], budget: Budget, patience: Budget) -> dict[str, Answer]:
    """What the waves answered in time."""
    answers: dict[str, Answer] = {}
    gate = asyncio.Semaphore(AT_ONCE)

    async def ask(wave_id: str) -> None:
        async with gate:
            answers[wave_id] = await ask_wave(handle, wave_id, budget)

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


def _told(
    entity: Entity,
    digest: str,
    parts: Mapping[str, Part],
    problems: Mapping[str, Problem],
    fingerprint: Fingerprint,
) -> Told:
    waves = tuple(
        _wave(wave_id, parts.get(wave_id), problems.get(wave_id), fingerprint) for wave_id in entity.child_ids
    )
    told = [digest, *(f"{wave.id} {_part_digest(parts.get(wave.id))} {wave.problem}" for wave in waves)]
    current = all(_current(parts.get(wave_id), fingerprint) for wave_id in entity.child_ids)
    return Told(replace(entity, children=waves), parts, _digest(told), current)


def _wave(wave_id: str, part: Part | None, problem: Problem | None, fingerprint: Fingerprint) -> Entity:
    if part is None:
        problem = problem or Problem(ProblemCode.NOT_READ, NOT_READ)
        return gap(wave_id, EntityType.WAVE, problem.message, problem.code)
    if part.fingerprint != fingerprint and problem is None:
        moment = part.read_at.strftime("%H:%M:%S UTC")
        text = f"This wave is as of {moment}: the release has moved on since, and the wave has not been read again yet."
        problem = Problem(ProblemCode.NOT_READ, text)
    return replace(part.wave, problem=problem or part.wave.problem)


async def _without_waves(handle: Handle, entity: Entity, digest: str, budget: Budget) -> Told:
    """The waves alone, each saying that what is below it cannot be read."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def ask(wave_id: str) -> Entity:
        async with gate:
            wave = await ask_entity(handle, wave_id, EntityType.WAVE, budget)
        wave = wave or gap(wave_id, EntityType.WAVE, "The release lists this wave but does not describe it.")
        return replace(wave, problem=wave.problem or Problem(ProblemCode.TOO_LARGE, NOT_ANSWERED))

    waves = tuple(await asyncio.gather(*(ask(wave_id) for wave_id in entity.child_ids)))
    return Told(replace(entity, children=waves), {}, _digest([digest, repr(waves)]), current=True)


def _part_digest(part: Part | None) -> str:
    return part.digest if part else "-"


def _digest(told: Sequence[str]) -> str:
    return blake2b("\n".join(told).encode("utf-8", "backslashreplace"), digest_size=12).hexdigest()
