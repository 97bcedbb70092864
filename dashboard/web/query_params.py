"""Query parameters with their limits, for parsing and for the API reference."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from flask import request

from dashboard.domain.ids import MAX_IDENTIFIER_LENGTH, MAX_RELEASE_ID_BYTES, EntityType, parse_release_id
from dashboard.web.errors import ApiError, invalid_parameter

JsonSchema = dict[str, Any]

MAX_SEARCH_TEXT_LENGTH = 200

_RUN_ID = re.compile("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_CONTROL_RANGES = "\\u0000-\\u001f\\u007f-\\u009f"
# Characters not allowed in IDs, as far as patterns can express it; further unprintable ones are determined by Unicode.
_NOT_IN_ID_RANGES = "\\u0000-\\u0020\\u007f-\\u00a0\\u00ad"
NO_CONTROL_CHARACTERS = re.compile(f"[^{_CONTROL_RANGES}]*")
# Bytes are what counts, so that no number of characters says it: more than a quarter of them may be too many.
RELEASE_ID_SCHEMA: JsonSchema = {"type": "string", "maxLength": MAX_RELEASE_ID_BYTES}
# What every parameter is held to (`limits.py`).
PLAIN_TEXT_SCHEMA: JsonSchema = {"type": "string", "pattern": f"^{NO_CONTROL_CHARACTERS.pattern}$"}


@dataclass(frozen=True, slots=True)
class QueryParameter:
    """A query parameter. `says` is its description; `schema` is the schema of one value.

    A `repeated` parameter may occur many times; its schema is of all its values. A `required` one must be present.
    """

    repeated: ClassVar[bool] = False
    required: ClassVar[bool] = False

    name: str
    says: str

    @property
    def schema(self) -> JsonSchema:
        """Return the JSON Schema of the value."""
        raise NotImplementedError

    def canonical(self, values: Sequence[str]) -> tuple[str, ...]:
        """Return the canonical form of accepted values."""
        return tuple(filter(None, values[:1]))

    def refuse(self, takes: str) -> ApiError:
        """Return the error for an invalid value."""
        return invalid_parameter(self.name, takes)


@dataclass(frozen=True, slots=True)
class SchemaParameter(QueryParameter):
    """A parameter that is parsed elsewhere and validated against this schema."""

    takes: JsonSchema

    @property
    def schema(self) -> JsonSchema:
        """Return the JSON Schema of the value."""
        return self.takes

    def canonical(self, values: Sequence[str]) -> tuple[str, ...]:
        """Return the stripped text."""
        return _stripped(values)


@dataclass(frozen=True, slots=True)
class RepeatedParameter(SchemaParameter):
    """A repeatable parameter, or with comma-separated values."""

    repeated: ClassVar[bool] = True

    def canonical(self, values: Sequence[str]) -> tuple[str, ...]:
        """Return each word once, in one order."""
        return tuple(sorted({word.strip() for value in values for word in value.split(",") if word.strip()}))


@dataclass(frozen=True, slots=True)
class RequiredParameter(RepeatedParameter):
    """A repeatable parameter with at least one value."""

    required: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class IntegerParameter(QueryParameter):
    """An integer within limits, or the default."""

    default: int
    most: int
    least: int = 1
    unit: str = ""

    @property
    def schema(self) -> JsonSchema:
        """Return the JSON Schema of the value."""
        return {"type": "integer", "minimum": self.least, "maximum": self.most, "default": self.default}

    def read(self) -> int:
        """Return the requested number; raises ApiError with 422."""
        text = request.args.get(self.name)
        if text is None:
            return self.default
        digits = text.isascii() and text.isdigit() and len(text) <= 9
        if not (digits and self.least <= int(text) <= self.most):
            raise self.refuse(f"must be an integer{self.unit} from {self.least} to {self.most}")
        return int(text)

    def canonical(self, values: Sequence[str]) -> tuple[str, ...]:
        """Return the number, unless it is the default."""
        number = int(values[0]) if values else self.default
        return () if number == self.default else (str(number),)


@dataclass(frozen=True, slots=True)
class ChoiceParameter(QueryParameter):
    """One of several words, or empty. `otherwise` describes the empty value."""

    words: tuple[str, ...]
    otherwise: str = ""

    @property
    def schema(self) -> JsonSchema:
        """Return the JSON Schema of the value."""
        return {"type": "string", "enum": list(self.words)}

    def read(self) -> str:
        """Return the requested word; raises ApiError with 422."""
        text = request.args.get(self.name)
        if text is None:
            return ""
        if text not in self.words:
            raise self.refuse(f"must be {' or '.join(filter(None, self.words))}{self.otherwise}")
        return text


@dataclass(frozen=True, slots=True)
class TextParameter(QueryParameter):
    """Free text without control characters."""

    longest: int

    @property
    def schema(self) -> JsonSchema:
        """Return the JSON Schema of the value."""
        return PLAIN_TEXT_SCHEMA | {"maxLength": self.longest}

    def read(self) -> str:
        """Return the requested text, stripped; raises ApiError with 422."""
        text = request.args.get(self.name, "")
        if len(text) > self.longest or not NO_CONTROL_CHARACTERS.fullmatch(text):
            raise self.refuse(f"must have at most {self.longest} characters and no control characters")
        return text.strip()

    def canonical(self, values: Sequence[str]) -> tuple[str, ...]:
        """Return the stripped text."""
        return _stripped(values)


@dataclass(frozen=True, slots=True)
class TextListParameter(QueryParameter):
    """IDs of rows."""

    repeated: ClassVar[bool] = True

    most: int

    @property
    def schema(self) -> JsonSchema:
        """Return the JSON Schema of all values."""
        return {
            "type": "array",
            "maxItems": self.most,
            "items": PLAIN_TEXT_SCHEMA | {"maxLength": MAX_RELEASE_ID_BYTES},
        }

    def read(self) -> frozenset[str]:
        """Return the requested texts; raises ApiError with 422."""
        texts = request.args.getlist(self.name)
        if len(texts) > self.most or any(len(text) > MAX_RELEASE_ID_BYTES for text in texts):
            raise self.refuse(f"must have at most {self.most} IDs of at most {MAX_RELEASE_ID_BYTES:,} characters each")
        return frozenset(texts)

    def canonical(self, values: Sequence[str]) -> tuple[str, ...]:
        """Return each text once, in one order."""
        return tuple(sorted(set(values)))


@dataclass(frozen=True, slots=True)
class RunIdParameter(QueryParameter):
    """A Temporal run ID."""

    @property
    def schema(self) -> JsonSchema:
        """Return the JSON Schema of the value."""
        return {"type": "string", "format": "uuid"}

    def read(self) -> str | None:
        """Return the requested run, if any; raises ApiError with 422."""
        text = request.args.get(self.name)
        if text is None:
            return None
        if not _RUN_ID.fullmatch(text):
            raise self.refuse("must be a run ID, such as 01234567-89ab-cdef-…")
        return text.lower()

    def canonical(self, values: Sequence[str]) -> tuple[str, ...]:
        """Return the ID in lower case."""
        return tuple(value.lower() for value in values[:1])


@dataclass(frozen=True, slots=True)
class EntityIdParameter(QueryParameter):
    """An entity ID; None if empty or missing."""

    @property
    def schema(self) -> JsonSchema:
        """Return the JSON Schema of the value."""
        return {"type": "string", "pattern": f"^({id_pattern(EntityType)})?$"}

    def read(self) -> str | None:
        """Return the requested ID, if any."""
        return request.args.get(self.name) or None


@dataclass(frozen=True, slots=True)
class ReleaseIdParameter(QueryParameter):
    """A release ID, which is any workflow ID; None if empty or missing."""

    @property
    def schema(self) -> JsonSchema:
        """Return the JSON Schema of the value."""
        return RELEASE_ID_SCHEMA

    def read(self) -> str | None:
        """Return the requested ID unchanged, if any; raises MalformedId."""
        text = request.args.get(self.name)
        return parse_release_id(text) if text else None


def _stripped(values: Sequence[str]) -> tuple[str, ...]:
    return tuple(filter(None, (value.strip() for value in values[:1])))


def id_pattern(types: Iterable[EntityType], but: str = "") -> str:
    """Return a pattern for IDs of these types without these characters."""
    return f"({'|'.join(types)}):[^{_NOT_IN_ID_RANGES}{but}]{{1,{MAX_IDENTIFIER_LENGTH}}}"


def choices_pattern(words: Iterable[str], *, none: bool = True) -> str:
    """Return a pattern for comma-separated words or, with `none`, an empty text."""
    each = "|".join(words)
    return f"^(({each})(,({each}))*){'?' if none else ''}$"
