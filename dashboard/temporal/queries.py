"""The classic shape: one workflow per release, which answers queries about itself."""

from collections.abc import Callable
from hashlib import blake2b
from typing import TypeVar

from pydantic import JsonValue

from dashboard.domain.entities import Entity
from dashboard.domain.ids import EntityType
from dashboard.domain.problems import Problem, ProblemCode
from dashboard.temporal.client import RunHandle
from dashboard.temporal.deadline import Deadline
from dashboard.temporal.decode import (
    UndecodableResult,
    decode_entity,
    decode_release,
    decode_wave,
    gap_row,
    parse_query_result,
)
from dashboard.temporal.errors import CALL_ERRORS, query_problem
from dashboard.temporal.fast_decode import fast_decode_release, fast_decode_wave
from dashboard.temporal.salvage import decode_or_replace, undecodable_problem

T = TypeVar("T")

HIERARCHY_QUERY = "get_hierarchy"
WAVE_HIERARCHY_QUERY = "get_wave_hierarchy"
RELEASE_STATE_QUERY = "get_release_state"

# A workflow that answers one of these tells of itself by the contract. Others of such names, as `get_progress`, are its
# own affair.
CONTRACT_QUERIES = frozenset({HIERARCHY_QUERY, WAVE_HIERARCHY_QUERY, RELEASE_STATE_QUERY})

_NOBODY = frozenset({ProblemCode.NO_WORKER, ProblemCode.QUERY_TIMED_OUT, ProblemCode.TASK_FAILING})


async def query_release(
    handle: RunHandle, query: str, budget: Deadline, task_queue: str = ""
) -> tuple[Entity, str] | Problem:
    """Return the release as its workflow tells it, with a digest of what it told; else why it did not."""

    def decode(encoding: str, content: bytes) -> Entity:
        plain = _plainly(fast_decode_release, encoding, content, handle.id) if query == HIERARCHY_QUERY else None
        return plain or decode_release(parse_query_result(encoding, content), handle.id, whole=query == HIERARCHY_QUERY)

    return await _asked(handle, query, budget, task_queue, decode)


async def query_wave(
    handle: RunHandle, wave_id: str, budget: Deadline, task_queue: str = ""
) -> tuple[Entity, str] | Problem:
    """Return one wave with everything below it, and a digest of what was told; else why it is unknown."""

    def decode(encoding: str, content: bytes) -> Entity | None:
        return _plainly(fast_decode_wave, encoding, content) or decode_wave(parse_query_result(encoding, content))

    answer = await _asked(handle, WAVE_HIERARCHY_QUERY, budget, task_queue, decode, wave_id)
    if isinstance(answer, Problem):
        return answer
    wave, digest = answer
    if wave is None:
        return Problem(ProblemCode.MISSING, "The release lists this wave but does not describe it.")
    return wave, digest


async def query_entity(
    handle: RunHandle, entity_id: str, entity_type: EntityType, budget: Deadline, task_queue: str = ""
) -> Entity | None:
    """One entity of a release without its children, None where the release has none; a gap where it did not say."""
    answer = await query_state(handle, entity_id, entity_type, budget, task_queue)
    if isinstance(answer, Problem):
        return gap_row(entity_id, entity_type, answer.message, answer.code)
    return answer[0]


async def query_state(
    handle: RunHandle, entity_id: str, entity_type: EntityType, budget: Deadline, task_queue: str = ""
) -> tuple[Entity | None, str] | Problem:
    """One entity without its children, None where the release has none, and a digest of what was told; else why not."""
    query = f"get_{entity_type}_state"

    def decode(encoding: str, content: bytes) -> Entity | None:
        return decode_entity(parse_query_result(encoding, content), entity_type)

    return await _asked(handle, query, budget, task_queue, decode, entity_id)


async def probe_worker(handle: RunHandle, budget: Deadline, task_queue: str) -> Problem | None:
    """Return why nobody answers for a workflow; None where somebody does, whatever the answer is."""
    try:
        await _raw(handle, RELEASE_STATE_QUERY, budget)
    except CALL_ERRORS as exc:
        problem = query_problem(exc, RELEASE_STATE_QUERY, task_queue)
        return problem if problem.code in _NOBODY else None
    return None


async def _asked(
    handle: RunHandle,
    query: str,
    budget: Deadline,
    task_queue: str,
    decode: Callable[[str, bytes], T],
    *args: JsonValue,
) -> tuple[T, str] | Problem:
    """Return what a query answers, decoded, with a digest of it; else why that is unknown. Raises nothing."""
    try:
        encoding, content = await _raw(handle, query, budget, *args)
        return decode(encoding, content), blake2b(content, digest_size=12).hexdigest()
    except UndecodableResult as exc:
        return exc.problem
    except CALL_ERRORS as exc:
        return query_problem(exc, query, task_queue)
    except Exception as exc:  # noqa: BLE001 - logged with its stack; others have nothing to do with this answer
        return undecodable_problem(f"The response to {query}", exc)


def _plainly(decode: Callable[..., Entity | None], *args: object) -> Entity | None:
    """Return what the quick way of decoding makes of an answer; None where the thorough one has to see to it."""
    return decode_or_replace("A response", lambda: decode(*args), lambda _: None)


async def _raw(handle: RunHandle, query: str, budget: Deadline, *args: JsonValue) -> tuple[str, bytes]:
    """The encoding and the bytes of a result: what cannot be decoded is for us to say, not for the SDK to raise."""
    async with budget.bounds():
        payload = await handle.query(query, budget, *args)
    encoding = payload.metadata.get("encoding", b"").decode("ascii", "replace")
    return encoding or ("" if payload.data else "binary/null"), payload.data
