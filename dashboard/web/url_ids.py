"""Encode IDs in URL paths so that every ID round-trips; plain IDs stay unchanged."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from werkzeug.routing import BaseConverter, Rule

from dashboard.domain.ids import MAX_RELEASE_ID_BYTES

# Servers decode %2F before an address is matched, so a slash in an id needs a form that survives: ~2F, and ~7E for
# the tilde itself. An address with a plain %2F works as well, unless the id itself reads like one of our addresses and
# a server before this one has decoded it. Browsers take `.` and `..` out of paths, encoded or not: these are ~2E.
_ESCAPE_SEQUENCE = re.compile(r"~(2F|7E|2E)")
_ESCAPED_CHARACTERS = {"2F": "/", "7E": "~", "2E": "."}


_MAX_ESCAPED_LENGTH = 3 * MAX_RELEASE_ID_BYTES


class IdConverter(BaseConverter):
    """Accepts any text including slashes. Invalid IDs are rejected later with a reason."""

    # Line ends, too: an id may have them. No id is longer, however it is written.
    regex = rf"[^/](?s:.){{0,{_MAX_ESCAPED_LENGTH}}}?"
    part_isolating = False
    weight = 200

    def to_python(self, value: str) -> str:
        """Return the id of a part of an address."""
        return _ESCAPE_SEQUENCE.sub(lambda match: _ESCAPED_CHARACTERS[match[1]], value)

    def to_url(self, value: str) -> str:
        """Return the part of an address for an id."""
        return escape_id(value)


class IdRule(Rule):
    """A URL rule in which an ID ends where the text before the next ID starts.

    Without this, matching several IDs would take quadratic time.
    """

    def get_converter(
        self, variable_name: str, converter_name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> BaseConverter:
        """Find the converter of a part of this rule."""
        converter = super().get_converter(variable_name, converter_name, args, kwargs)
        between, another, _ = self.rule.partition(f"<id:{variable_name}>")[2].partition("<id:")
        if another:
            converter.regex = rf"[^/](?:(?!{re.escape(between)})(?s:.)){{0,{_MAX_ESCAPED_LENGTH}}}?"
        return converter


def escape_id(entity_id: str) -> str:
    """Return an id as a part of an address."""
    if entity_id in {".", ".."}:
        return entity_id.replace(".", "~2E")
    return quote(entity_id.replace("~", "~7E").replace("/", "~2F"), safe=":@!$&()*,;=~")
