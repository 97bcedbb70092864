"""The entity map: a deployment's own workflow types, ID prefixes and states."""

import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from dashboard.domain.entities import Entity
from dashboard.domain.ids import EntityType, MalformedId, parse_entity_id
from dashboard.domain.phases import Phase, normalise_state, phase_of

T = TypeVar("T")

CHILD_ENTITY_TYPES = tuple(entity_type for entity_type in EntityType if entity_type is not EntityType.RELEASE)
ENTITY_MAP_TABLES = ("workflow_types", "id_prefixes", "states")


class EntityMapError(ValueError):
    """An invalid file. The message has one line per error with the key, its value and valid values."""


@dataclass(frozen=True, slots=True)
class EntityMap:
    """Maps child workflows to entities, and additional states to phases.

    `words` are by entity type; those under None apply to every type.
    """

    workflow_types: Mapping[str, EntityType] = field(default_factory=dict)
    id_prefixes: Mapping[str, EntityType] = field(default_factory=dict)
    words: Mapping[EntityType | None, Mapping[str, Phase]] = field(default_factory=dict)

    @property
    def names_children(self) -> bool:
        """Return whether it maps child workflows to entities."""
        return bool(self.workflow_types or self.id_prefixes)

    def phase_of(self, entity_type: EntityType, word: str) -> Phase:
        """Return the phase of a state: this map first, type-specific states before general ones."""
        plain = normalise_state(word)
        for words in (self.words.get(entity_type, {}), self.words.get(None, {})):
            if plain in words:
                return words[plain]
        return phase_of(entity_type, word)

    def reword(self, entity: Entity) -> Entity:
        """Apply this map's phases to a reported tree."""
        if not any(self.words.values()):
            return entity
        phase = self.phase_of(entity.type, entity.state) if entity.state else entity.phase
        return replace(entity, phase=phase, children=tuple(self.reword(child) for child in entity.children))

    def entity_of(self, workflow_id: str, workflow_type: str) -> tuple[EntityType, str] | None:
        """Return the type and the entity ID of a child workflow, or None if unknown.

        The release's own part at the start of the ID is ignored before the workflow type is considered.
        """
        entity_type = _type_of(workflow_id)
        if entity_type:
            return entity_type, workflow_id
        prefix = max((known for known in self.id_prefixes if workflow_id.startswith(known)), key=len, default="")
        if prefix:
            entity_type = self.id_prefixes[prefix]
            return entity_type, f"{entity_type}:{workflow_id.removeprefix(prefix)}"
        entity_type = self.workflow_types.get(workflow_type)
        return (entity_type, f"{entity_type}:{workflow_id}") if entity_type else None

    def workflow_ids_of(self, entity_id: str) -> list[str]:
        """Return the workflow IDs that may represent this entity."""
        parsed = parse_entity_id(entity_id)
        prefixes = [prefix for prefix, entity_type in self.id_prefixes.items() if entity_type is parsed.type]
        nameless = parsed.type is EntityType.APP or parsed.type in self.workflow_types.values()
        bare = [parsed.identifier] if nameless else []
        return [entity_id, *(f"{prefix}{parsed.identifier}" for prefix in prefixes), *bare]


def _type_of(workflow_id: str) -> EntityType | None:
    try:
        entity_type = parse_entity_id(workflow_id).type
    except MalformedId:
        return None
    return None if entity_type is EntityType.RELEASE else entity_type


def read_entity_map(path: Path) -> EntityMap:
    """Read the TOML file; raises EntityMapError."""
    try:
        tables = tomllib.loads(path.read_text("utf-8"))
    except OSError as exc:
        raise EntityMapError(f"the file cannot be read ({exc.strerror})") from exc
    except ValueError as exc:
        raise EntityMapError(f"the file is not TOML: {exc}") from exc
    faults = [
        f"{key}: no such table; takes {', '.join(ENTITY_MAP_TABLES)}" for key in tables if key not in ENTITY_MAP_TABLES
    ]
    types = _collect(faults, _entries(tables, "workflow_types", _below))
    prefixes = _collect(faults, _entries(tables, "id_prefixes", _below))
    words = _words(tables.get("states", {}), faults)
    if faults:
        raise EntityMapError("\n".join(faults))
    return EntityMap(types, prefixes, words)


# A key with its value, or with its error.
_Found = Iterator[tuple[str, T | None, str]]


def _collect(faults: list[str], found: _Found[T]) -> dict[str, T]:
    kept: dict[str, T] = {}
    for key, value, fault in found:
        if value is None:
            faults.append(fault)
        else:
            kept[key] = value
    return kept


def _entries(tables: Mapping[str, object], name: str, read: Callable[[object], T | None]) -> _Found[T]:
    table = tables.get(name, {})
    if not isinstance(table, dict):
        yield "", None, f"{name}: got {table!r}, takes a table"
        return
    for key, value in table.items():
        takes = f"takes one of {', '.join(CHILD_ENTITY_TYPES)}"
        yield key, read(value) if key else None, f"{name}.{key or repr(key)}: got {value!r}, {takes}"


def _below(value: object) -> EntityType | None:
    return next((entity_type for entity_type in CHILD_ENTITY_TYPES if entity_type == value), None)


def _words(table: object, faults: list[str]) -> dict[EntityType | None, dict[str, Phase]]:
    if not isinstance(table, dict):
        faults.append(f"states: got {table!r}, takes a table")
        return {}
    types = set(EntityType)
    words: dict[EntityType | None, dict[str, Phase]] = {}
    words[None] = _collect(faults, _phase_words("states", {k: v for k, v in table.items() if k not in types}))
    for key in table:
        if key in types:
            words[EntityType(key)] = _collect(faults, _phase_words(f"states.{key}", table[key]))
    return words


def _phase_words(name: str, table: object) -> _Found[Phase]:
    if not isinstance(table, dict):
        yield "", None, f"{name}: got {table!r}, takes a table of phases with their words"
        return
    seen: dict[str, str] = {}
    for key, listed in table.items():
        if key not in set(Phase):
            yield "", None, f"{name}.{key}: no such phase; takes {', '.join(Phase)}"
            continue
        if not isinstance(listed, list) or not all(isinstance(word, str) and word.strip() for word in listed):
            yield "", None, f"{name}.{key}: got {listed!r}, takes a list of words"
            continue
        for word in map(normalise_state, listed):
            if seen.setdefault(word, key) != key:
                yield "", None, f"{name}.{key}: got {word!r}, which stands under {seen[word]} already"
            yield word, Phase(key), ""
