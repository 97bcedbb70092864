"""Decode query results into entities; malformed data becomes rows with a problem."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from pydantic import JsonValue

from dashboard.domain.entities import NO_DETAILS, Entity
from dashboard.domain.ids import EntityType, entity_id_error, release_name
from dashboard.domain.phases import Phase, phase_of
from dashboard.domain.problems import Problem, ProblemCode
from dashboard.temporal.reported_times import is_unset, read_time
from dashboard.temporal.salvage import undecodable_problem, undecodable_row

# What no page and no JSON can carry. One pattern: texts of many lines may be millions of characters long.
_HARMFUL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")

MAX_DETAIL_DEPTH = 12
NESTING_CUT_TEXT = "(truncated: nested too deeply)"


# The fields that rows of every type have; the others are details.
_NAMED = frozenset({"id", "name", "state", "created_at", "updated_at", "error_message"})


@dataclass(frozen=True, slots=True)
class _Level:
    """The field names of a level of the contract; `own` is a field that no other level has."""

    type: EntityType
    parent: str
    own: str = ""
    children: str = ""
    child_ids: str = ""
    below: "_Level | None" = None
    named: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        named = _NAMED | {self.parent, self.own, self.children, self.child_ids}
        object.__setattr__(self, "named", named)


_APP = _Level(EntityType.APP, "bundle_id", "version")
_BUNDLE = _Level(EntityType.BUNDLE, "cluster_id", "", "apps", "app_ids", _APP)
_CLUSTER = _Level(EntityType.CLUSTER, "wave_id", "", "bundle", "bundle_id", _BUNDLE)
_WAVE = _Level(EntityType.WAVE, "release_id", "sequence", "clusters", "cluster_ids", _CLUSTER)
_RELEASE = _Level(EntityType.RELEASE, "workflow_id", "", "waves", "wave_ids", _WAVE)
# Without any of these an object says nothing of a release.
_OF_A_RELEASE = frozenset({"state", "waves", "wave_ids"})
_LEVELS = {level.type: level for level in (_RELEASE, _WAVE, _CLUSTER, _BUNDLE, _APP)}


class UndecodableResult(ValueError):
    """A malformed query result. `problem` describes the error."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def parse_query_result(encoding: str, content: bytes) -> JsonValue:
    """Return the JSON of a query's result; raises UndecodableResult."""
    if encoding != "json/plain" and not (encoding == "binary/null" and not content):
        text = f"The response is encoded as {clean_text(encoding) or 'an unknown format'} and cannot be read."
        raise UndecodableResult(Problem(ProblemCode.UNREADABLE, text))
    if not content:
        return None
    try:
        result: JsonValue = json.loads(content)
    except (ValueError, RecursionError) as exc:
        text = "The response is not valid JSON."
        raise UndecodableResult(Problem(ProblemCode.MALFORMED, text, clean_text(str(exc)))) from exc
    return result


def decode_release(result: JsonValue, release_id: str, *, whole: bool) -> Entity:
    """Return the entity of a release with what the result has below it; raises UndecodableResult.

    `whole` says that the result should hold everything below: what it lists and does not describe is then a gap.
    """
    if not isinstance(result, dict):
        text = f"The response is {_kind(result)}; expected an object."
        raise UndecodableResult(Problem(ProblemCode.MALFORMED, text))
    if not result.keys() & _OF_A_RELEASE:
        text = "Unexpected response: it has neither a state nor waves."
        raise UndecodableResult(Problem(ProblemCode.MALFORMED, text))
    # The workflow id is the release id, whatever the workflow calls itself.
    return replace(_decode({**result, "id": release_id}, _RELEASE, _Scope(whole)), id=release_id)


def decode_wave(result: JsonValue) -> Entity | None:
    """Decode a result of `get_wave_hierarchy`; None for null."""
    return None if result is None else _decode(result, _WAVE, _Scope(whole=True))


def decode_entity(result: JsonValue, entity_type: EntityType) -> Entity | None:
    """Decode a result of a `get_..._state` query; None for null."""
    return None if result is None else _decode(result, _LEVELS[entity_type], _Scope(whole=False))


@dataclass(slots=True)
class _Scope:
    """The decoding state of one result: whether it should be complete, and the IDs seen."""

    whole: bool
    seen: set[str] = field(default_factory=set)

    def repeats(self, entity_id: str) -> bool:
        """Return whether an ID was seen before, and mark it as seen."""
        met = entity_id in self.seen
        self.seen.add(entity_id)
        return met


def _decode(value: JsonValue, level: _Level, scope: _Scope) -> Entity:
    if not isinstance(value, dict):
        return gap_row("", level.type, f"This {level.type} is {_kind(value)}; expected an object.")
    text = _text(value.get("id"))
    state = _text(value.get("state"))
    problem = entity_id_flaw(text, level.type) or _check_row(level.type, state, repeated=scope.repeats(text))
    listed, children, broken = _children(value, level, scope)
    created, updated = read_time(value.get("created_at")), read_time(value.get("updated_at"))
    return Entity(
        id=text,
        type=level.type,
        state=state,
        phase=phase_of(level.type, state) if state else Phase.UNKNOWN,
        name=_text(value.get("name")) or _name(text, level.type),
        version=(_text(value.get("version")) or None) if level is _APP else None,
        sequence=_whole(value.get("sequence")) if level is _WAVE else None,
        created_at=created,
        updated_at=updated,
        error=_text(value.get("error_message")) or None,
        problem=problem or broken,
        details=_details(value, level, created, updated),
        parent_id=_text(value.get(level.parent)),
        child_ids=listed,
        children=children,
    )


def _row(value: JsonValue, level: _Level, scope: _Scope) -> Entity:
    """Decode a row; an undecodable row becomes a gap without affecting its siblings."""
    try:
        return _decode(value, level, scope)
    except Exception as exc:  # noqa: BLE001 - logged with its stack
        entity_id = value.get("id") if isinstance(value, dict) else None
        known = entity_id if isinstance(entity_id, str) and entity_id.isprintable() else ""
        return undecodable_row(known, level.type, undecodable_problem(f"This {level.type}", exc))


def entity_id_flaw(text: str, expected: EntityType) -> Problem | None:
    """Return what is wrong with an ID of this type, if anything. A release may have any ID."""
    if expected is EntityType.RELEASE:
        return None
    if flaw := entity_id_error(text):
        return Problem(ProblemCode.MALFORMED, f"This {expected} has an invalid ID: {flaw}.")
    if not text.startswith(expected):  # no type begins like another
        return Problem(ProblemCode.MALFORMED, f"The ID of this row is not of type {expected}.")
    return None


def _name(entity_id: str, entity_type: EntityType) -> str:
    if entity_type is EntityType.RELEASE:
        return release_name(entity_id)
    return entity_id.partition(":")[2] or entity_id or f"{entity_type} without an ID"


def _check_row(expected: EntityType, state: str, *, repeated: bool) -> Problem | None:
    if repeated:
        return Problem(ProblemCode.MALFORMED, f"Another row of this release has the same ID as this {expected}.")
    return None if state else Problem(ProblemCode.MALFORMED, f"This {expected} has no state.")


def _children(
    value: Mapping[str, JsonValue], level: _Level, scope: _Scope
) -> tuple[tuple[str, ...], tuple[Entity, ...], Problem | None]:
    """Return the listed IDs, the described children, and problems of the lists."""
    below = level.below
    if below is None:
        return (), (), None
    listed, described = value.get(level.child_ids), value.get(level.children)
    if below is _BUNDLE:  # a cluster has one bundle, not a list of them
        listed, described = _as_list(listed), _as_list(described)
    if not isinstance(listed, list | None) or not isinstance(described, list | None):
        wrong = level.child_ids if not isinstance(listed, list | None) else level.children
        return (), (), Problem(ProblemCode.MALFORMED, f"{wrong} of this {level.type} is not a list.")
    ids = tuple([_text(item) for item in listed or ()])
    if described is None and not scope.whole:
        return ids, (), None
    children = [_row(item, below, scope) for item in described or ()]
    known = {child.id for child in children}
    missing = f"The {level.type} lists this {below.type} but does not describe it."
    children += [
        gap_row(child_id, below.type, missing, ProblemCode.MISSING) for child_id in ids if child_id not in known
    ]
    if all(child.sequence is not None for child in children):
        children.sort(key=lambda child: child.sequence or 0)
    return ids or tuple([child.id for child in children]), tuple(children), None


def gap_row(entity_id: str, entity_type: EntityType, why: str, code: ProblemCode = ProblemCode.MALFORMED) -> Entity:
    """Return a row for a missing entity."""
    return Entity(
        id=entity_id,
        type=entity_type,
        state="",
        phase=Phase.UNKNOWN,
        name=_name(entity_id, entity_type),
        problem=Problem(code, why),
    )


def _details(
    value: Mapping[str, JsonValue], level: _Level, created: datetime | None, updated: datetime | None
) -> Mapping[str, JsonValue]:
    details = {} if value.keys() <= level.named else {key: value[key] for key in value if key not in level.named}
    # A time that could not be read is not lost: it stays unchanged.
    for name, time in (("created_at", created), ("updated_at", updated)):
        if time is None and not is_unset(told := value.get(name)):
            details[name] = told
    return {clean_text(key): _clean(item) for key, item in details.items()} if details else NO_DETAILS


def _clean(value: JsonValue, depth: int = 0) -> JsonValue:
    if depth > MAX_DETAIL_DEPTH:
        return NESTING_CUT_TEXT
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, list):
        return [_clean(item, depth + 1) for item in value]
    if isinstance(value, dict):
        return {clean_text(key): _clean(item, depth + 1) for key, item in value.items()}
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return str(value)  # JSON has no such numbers
    return value


def clean_text(text: str) -> str:
    """Remove lone surrogates and control characters except line ends and tabs."""
    if text.isprintable():
        return text
    return _HARMFUL.sub("\N{REPLACEMENT CHARACTER}", text)


def _text(value: JsonValue) -> str:
    if isinstance(value, str):
        return value if value.isprintable() else clean_text(value)
    if value is None:
        return ""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def _whole(value: JsonValue) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _as_list(value: JsonValue) -> list[JsonValue] | None:
    return None if value is None else [value]


def _kind(value: JsonValue) -> str:
    if value is None:
        return "empty"
    names = {bool: "a boolean", str: "a string", list: "a list"}
    return names.get(type(value), "a number")
