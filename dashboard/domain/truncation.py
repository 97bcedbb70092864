"""Truncate texts for rows. The entity keeps the full text."""

from collections.abc import Mapping

from pydantic import JsonValue

# Characters of an error's text in a row, and in everything that is drawn from rows.
MAX_ROW_TEXT_LENGTH = 300


def truncate(text: str, limit: int = MAX_ROW_TEXT_LENGTH) -> str:
    """Truncate a text with an ellipsis."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def truncate_details(details: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
    """Truncate texts in details, including nested ones."""
    if not details:
        return details
    return {key: _cut(value) for key, value in details.items()}


def _cut(value: JsonValue) -> JsonValue:
    if isinstance(value, str):
        return truncate(value)
    if isinstance(value, list):
        return [_cut(each) for each in value]
    return {key: _cut(each) for key, each in value.items()} if isinstance(value, dict) else value


def text_size(value: JsonValue | Mapping[str, JsonValue]) -> int:
    """Return the number of characters of texts in a value."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, Mapping):
        return sum(len(key) + text_size(each) for key, each in value.items())
    return sum(map(text_size, value)) if isinstance(value, list) else 0
