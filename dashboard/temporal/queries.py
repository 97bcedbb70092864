"""The classic shape: one workflow per release that supports queries."""

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

# A workflow that supports one of these follows the contract. Other queries, such as `get_progress`, are ignored.
CONTRACT_QUERIES = frozenset({HIERARCHY_QUERY, WAVE_HIERARCHY_QUERY, RELEASE_STATE_QUERY})

_NOBODY = frozenset({ProblemCode.NO_WORKER, ProblemCode.QUERY_TIMED_OUT, ProblemCode.TASK_FAILING})


async def query_release(
    handle: RunHandle, query: str, budget: Deadline, task_queue: str = ""
) -> tuple[Entity, str] | Problem:
    """Query the release; return it with a digest, or a problem."""

    def decode(encoding: str, content: bytes) -> Entity:
        plain = _plainly(fast_decode_release, encoding, content, handle.id) if query == HIERARCHY_QUERY else None
        return plain or decode_release(parse_query_result(encoding, content), handle.id, whole=query == HIERARCHY_QUERY)

    return await _asked(handle, query, budget, task_queue, decode)


async def query_wave(
    handle: RunHandle, wave_id: str, budget: Deadline, task_queue: str = ""
) -> tuple[Entity, str] | Problem:
    """Query a wave with everything below it; return it with a digest, or a problem."""

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
    """Query an entity without children; return it, None if it does not exist, or a gap."""
    answer = await query_state(handle, entity_id, entity_type, budget, task_queue)
    if isinstance(answer, Problem):
        return gap_row(entity_id, entity_type, answer.message, answer.code)
    return answer[0]


async def query_state(
    handle: RunHandle, entity_id: str, entity_type: EntityType, budget: Deadline, task_queue: str = ""
) -> tuple[Entity | None, str] | Problem:
    """Query an entity without children; return it or None with a digest, or a problem."""
    query = f"get_{entity_type}_state"

    def decode(encoding: str, content: bytes) -> Entity | None:
        return decode_entity(parse_query_result(encoding, content), entity_type)

    return await _asked(handle, query, budget, task_queue, decode, entity_id)


async def probe_worker(handle: RunHandle, budget: Deadline, task_queue: str) -> Problem | None:
    """Return why no worker responds for a workflow; None if one does."""
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
    """Run a query and decode its result with a digest, or return a problem. Never raises."""
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
    """Decode a result with the fast decoder; None if the full one is needed."""
    return decode_or_replace("A response", lambda: decode(*args), lambda _: None)


async def _raw(handle: RunHandle, query: str, budget: Deadline, *args: JsonValue) -> tuple[str, bytes]:
    """Return the encoding and the bytes of a result, undecoded, so that the SDK does not raise."""
    async with budget.bounds():
        payload = await handle.query(query, budget, *args)
    encoding = payload.metadata.get("encoding", b"").decode("ascii", "replace")
    return encoding or ("" if payload.data else "binary/null"), payload.data
