"""IDs: `{entity-type}:{identifier}` such as `app:api-gateway`. A release ID is any workflow ID."""

import re
from dataclasses import dataclass
from enum import StrEnum

MAX_IDENTIFIER_LENGTH = 255
# As Temporal limits workflow ids by default.
MAX_RELEASE_ID_BYTES = 1_000


class EntityType(StrEnum):
    """The levels of a rollout, from the top down."""

    RELEASE = "release"
    WAVE = "wave"
    CLUSTER = "cluster"
    BUNDLE = "bundle"
    APP = "app"


RELEASE_PREFIX = f"{EntityType.RELEASE}:"
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_TYPES = frozenset(str(entity_type) for entity_type in EntityType)


class MalformedId(ValueError):
    """An invalid ID. `reason` is a message for people."""

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
    """Parse an ID with any printable identifier of up to 255 characters without white space. Raises MalformedId."""
    if flaw := entity_id_error(text):
        raise MalformedId(text, flaw)
    prefix, _, identifier = text.partition(":")
    return EntityId(EntityType(prefix), identifier)


def entity_id_error(text: str) -> str:
    """Return why a text is not an entity ID, or an empty string. Called for each row of a tree."""
    prefix, colon, identifier = text.partition(":")
    if not colon:
        return "an ID has the form type:identifier, such as release:rel-2025-01"
    if prefix not in _TYPES:
        return f"an ID starts with one of {', '.join(EntityType)}, then a colon"
    if not identifier:
        return "the part after the colon is missing"
    if len(identifier) > MAX_IDENTIFIER_LENGTH:
        return f"the part after the colon has more than {MAX_IDENTIFIER_LENGTH} characters"
    # Of all white space only the blank counts as printable.
    if " " in identifier or not identifier.isprintable():
        return "the part after the colon contains white space or unprintable characters"
    return ""


def parse_release_id(text: str) -> str:
    """Return a workflow ID unchanged; raise MalformedId if Temporal would reject it."""
    if not text:
        raise MalformedId(text, "it is empty")
    try:
        size = len(text.encode())
    except UnicodeEncodeError as exc:
        raise MalformedId(text, "it is not valid UTF-8") from exc
    if size > MAX_RELEASE_ID_BYTES:
        raise MalformedId(text, f"a workflow ID has at most {MAX_RELEASE_ID_BYTES:,} bytes, and this one has {size:,}")
    return text


def release_name(release_id: str) -> str:
    """Return a release ID without `release:` and without control characters."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", release_id.removeprefix(RELEASE_PREFIX) or release_id)


def is_below_release(text: str) -> bool:
    """Return whether a text has the form of an ID below a release, such as `app:payments`."""
    return not text.startswith(RELEASE_PREFIX) and not entity_id_error(text)
