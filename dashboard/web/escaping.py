"""Escape texts for HTML. Templates and renderers use only these functions.

The template's own structure determines whether an expression is in text, in a visible attribute or in a data attribute.
"""

from collections.abc import Iterator
from typing import Any

from flask import Flask
from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream
from markupsafe import Markup, escape

from dashboard.domain.display import (
    confusable_characters,
    contains_right_to_left,
    display_id,
    display_isolated,
    display_text,
    isolate_right_to_left,
)

# Attributes that people see or hear. All others are data, for the browser and for scripts.
_VISIBLE_ATTRIBUTES = frozenset({"title", "alt", "placeholder", "aria-label", "data-label", "data-title"})
# Elements of SVG and forms that take no other elements.
_PLAIN_TEXT_ELEMENTS = frozenset({"title", "desc", "text", "option", "textarea"})
# A text as it is, for scripts, forms and addresses. Not a function of ours: a tree calls it tens of thousands of times.
escape_data = escape


def escape_text(value: object) -> Markup:
    """Escape a text between tags, isolating right-to-left text."""
    if hasattr(value, "__html__"):
        return escape(value)
    shown = display_text(str(value))
    return Markup("<bdi>{}</bdi>").format(shown) if contains_right_to_left(shown) else escape(shown)


def escape_attribute(value: object) -> Markup:
    """Escape a text for visible attributes, titles and options, which allow no markup."""
    return escape(value if hasattr(value, "__html__") else display_isolated(str(value)))


def escape_identity(value: str) -> Markup:
    """Escape an ID or name where it must not be mistaken for another, making hidden characters visible."""
    return escape(isolate_right_to_left(display_id(value)))


def finalize(value: Any) -> Any:  # noqa: ANN401 - whatever an expression gives
    """Escape the value of a template expression."""
    # Called for every expression: a tree has tens of thousands. Markup and the words of enumerations are other types.
    if type(value) is not str or (value.isascii() and value.isprintable()):
        return value
    return escape_text(value)


def init_app(app: Flask) -> None:
    """Set up escaping for all templates."""
    app.jinja_env.finalize = finalize
    app.jinja_env.add_extension(ContextualEscaping)
    app.jinja_env.filters.update(FILTERS)


class ContextualEscaping(Extension):
    """A Jinja extension that escapes each expression for its context."""

    def filter_stream(self, stream: TokenStream) -> Iterator[Token]:
        """Add the filter of its context to each expression."""
        place, used = HtmlContext(), ""
        for token in stream:
            if token.type == "data":
                place.feed(token.value)
            if token.type == "variable_end" and used:
                for kind, value in (("rparen", ")"), ("pipe", "|"), ("name", used)):
                    yield Token(token.lineno, kind, value)
            yield token
            if token.type == "variable_begin":
                used = place.filter
                if used:
                    yield Token(token.lineno, "lparen", "(")


class HtmlContext:
    """The parser state at the end of the text read so far."""

    def __init__(self) -> None:
        self._in_tag = self._in_name = False
        self._quote = self._word = self._element = ""

    def feed(self, data: str) -> None:
        """Continue parsing."""
        for character in data:
            if self._quote:
                if character == self._quote:
                    self._quote = self._word = ""
            elif self._in_tag:
                self._read_tag(character)
            elif character == "<":
                self._in_tag = self._in_name = True
                self._element = ""

    def _read_tag(self, character: str) -> None:
        if character == ">" or character.isspace():
            self._in_tag, self._in_name, self._word = character != ">", False, ""
        elif self._in_name:
            self._element += character
        elif character in "\"'":
            self._quote = character
        else:
            self._word += character

    @property
    def in_text(self) -> bool:
        """Return whether the next text is between tags."""
        return not (self._in_tag or self._quote)

    @property
    def filter(self) -> str:
        """Return the filter for an expression here; empty between tags."""
        if self._quote:
            return "shown_attribute" if self._word.removesuffix("=") in _VISIBLE_ATTRIBUTES else "as_data"
        return "shown_attribute" if self.in_text and self._element in _PLAIN_TEXT_ELEMENTS else ""


FILTERS = {
    "shown_attribute": escape_attribute,
    "as_data": escape_data,
    "identity": escape_identity,
    "unusual": confusable_characters,
}
