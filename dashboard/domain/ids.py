"""Entity ids: `{entity-type}:{identifier}`, such as `release:rel-2025-01` or `app:api-gateway`."""

from dataclasses import dataclass
from enum import StrEnum

MAX_IDENTIFIER = 255


class EntityType(StrEnum):
    """The levels of a rollout, from the top down."""

    RELEASE = "release"
    WAVE = "wave"
    CLUSTER = "cluster"
    BUNDLE = "bundle"
    APP = "app"


_TYPES = frozenset(str(entity_type) for entity_type in EntityType)


class MalformedId(ValueError):
    """A text that is no entity id. `reason` says why, in words for people."""

    def __init__(self, text: str, reason: str) -> None:
        super().__init__(reason)
        self.text = text
        self.reason = reason


@dataclass(frozen=True, slots=True)
class EntityId:
    """A parsed id; `str()` gives the text back."""

    type: EntityType
    identifier: str

    def __str__(self) -> str:
        return f"{self.type}:{self.identifier}"


def parse_entity_id(text: str) -> EntityId:
    """Accept any printable identifier without white space, up to 255 characters; raise MalformedId for the rest."""
    if flaw := flaw_of(text):
        raise MalformedId(text, flaw)
    prefix, _, identifier = text.partition(":")
    return EntityId(EntityType(prefix), identifier)


def flaw_of(text: str) -> str:
    """Why a text is no entity id, in words for people; empty where it is one. A tree asks this of each of its rows."""
    prefix, colon, identifier = text.partition(":")
    if not colon:
        return "an id has the form type:identifier, such as release:rel-2025-01"
    if prefix not in _TYPES:
        return f"an id begins with one of {', '.join(EntityType)}, then a colon"
    if not identifier:
        return "the part after the colon is missing"
    if len(identifier) > MAX_IDENTIFIER:
        return f"the part after the colon has more than {MAX_IDENTIFIER} characters"
    # Of all white space only the blank counts as printable.
    if " " in identifier or not identifier.isprintable():
        return "the part after the colon has white space or characters that cannot be printed"
    return ""


def parse_release_id(text: str) -> EntityId:
    """Parse an id that must be a release's; raise MalformedId."""
    entity_id = parse_entity_id(text)
    if entity_id.type is not EntityType.RELEASE:
        raise MalformedId(text, "a release id begins with release:")
    return entity_id
