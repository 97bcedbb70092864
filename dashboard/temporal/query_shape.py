"""The classic shape: one workflow per release, which answers queries about itself."""

from hashlib import blake2b

from pydantic import JsonValue

from dashboard.domain.entities import Entity
from dashboard.domain.ids import EntityType
from dashboard.domain.problems import Problem, ProblemCode
from dashboard.temporal.budget import Budget
from dashboard.temporal.client import Handle
from dashboard.temporal.decode import Undecodable, decode_entity, decode_release, decode_wave, gap, parse_result
from dashboard.temporal.errors import ASKING_ERRORS, query_problem
from dashboard.temporal.plain import plain_release, plain_wave

HIERARCHY = "get_hierarchy"
WAVE_HIERARCHY = "get_wave_hierarchy"
RELEASE_STATE = "get_release_state"

# A workflow that answers one of these tells of itself by the contract. Others of such names, as `get_progress`, are its
# own affair.
OUR_QUERIES = frozenset({HIERARCHY, WAVE_HIERARCHY, RELEASE_STATE})

_NOBODY = frozenset({ProblemCode.NO_WORKER, ProblemCode.QUERY_TIMED_OUT, ProblemCode.TASK_FAILING})


async def ask_release(handle: Handle, query: str, budget: Budget, task_queue: str = "") -> tuple[Entity, str] | Problem:
    """The release as its workflow tells it, with a digest of what it told; else why it did not."""
    try:
        encoding, content = await _raw(handle, query, budget)
        plain = plain_release(encoding, content, handle.id) if query == HIERARCHY else None
        said = plain or decode_release(parse_result(encoding, content), handle.id, whole=query == HIERARCHY)
    except Undecodable as exc:
        return exc.problem
    except ASKING_ERRORS as exc:
        return query_problem(exc, query, task_queue)
    return said, blake2b(content, digest_size=12).hexdigest()


async def ask_wave(handle: Handle, wave_id: str, budget: Budget, task_queue: str = "") -> tuple[Entity, str] | Problem:
    """One wave with everything below it, and a digest of what was told; else why it is not known."""
    try:
        encoding, content = await _raw(handle, WAVE_HIERARCHY, budget, wave_id)
        wave = plain_wave(encoding, content) or decode_wave(parse_result(encoding, content))
    except Undecodable as exc:
        return exc.problem
    except ASKING_ERRORS as exc:
        return query_problem(exc, WAVE_HIERARCHY, task_queue)
    if wave is None:
        return Problem(ProblemCode.MISSING, "The release lists this wave but does not describe it.")
    return wave, blake2b(content, digest_size=12).hexdigest()


async def ask_entity(
    handle: Handle, entity_id: str, entity_type: EntityType, budget: Budget, task_queue: str = ""
) -> Entity | None:
    """One entity of a release without its children, None where the release has none; a gap where it did not say."""
    answer = await ask_state(handle, entity_id, entity_type, budget, task_queue)
    if isinstance(answer, Problem):
        return gap(entity_id, entity_type, answer.message, answer.code)
    return answer[0]


async def ask_state(
    handle: Handle, entity_id: str, entity_type: EntityType, budget: Budget, task_queue: str = ""
) -> tuple[Entity | None, str] | Problem:
    """One entity without its children, None where the release has none, and a digest of what was told; else why not."""
    query = f"get_{entity_type}_state"
    try:
        encoding, content = await _raw(handle, query, budget, entity_id)
        entity = decode_entity(parse_result(encoding, content), entity_type)
    except Undecodable as exc:
        return exc.problem
    except ASKING_ERRORS as exc:
        return query_problem(exc, query, task_queue)
    return entity, blake2b(content, digest_size=12).hexdigest()


async def ask_whether_there(handle: Handle, budget: Budget, task_queue: str) -> Problem | None:
    """Why nobody answers for a workflow; None where somebody does, whatever the answer is."""
    try:
        await _raw(handle, RELEASE_STATE, budget)
    except ASKING_ERRORS as exc:
        problem = query_problem(exc, RELEASE_STATE, task_queue)
        return problem if problem.code in _NOBODY else None
    return None


async def _raw(handle: Handle, query: str, budget: Budget, *args: JsonValue) -> tuple[str, bytes]:
    """The encoding and the bytes of a result: what cannot be decoded is for us to say, not for the SDK to raise."""
    async with budget.bounds():
        payload = await handle.query(query, budget, *args)
    encoding = payload.metadata.get("encoding", b"").decode("ascii", "replace")
    return encoding or ("" if payload.data else "binary/null"), payload.data
