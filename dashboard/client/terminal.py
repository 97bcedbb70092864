"""What a terminal is like, and how texts fit into it."""

import json
import os
import re
import shutil
import sys
import unicodedata
from dataclasses import dataclass
from typing import NamedTuple

import click

from dashboard.domain.display import display_text, escape_hidden, isolating

# The colour of each phase, by its name in ANSI, and the sign before it. Never the colour alone.
PHASES = {
    "succeeded": ("green", "✓"),
    "running": ("blue", "●"),
    "failed": ("red", "✗"),
    "timed_out": ("red", "✗"),
    "paused": ("yellow", "‖"),
    "cancelled": ("magenta", "■"),
    "terminated": ("magenta", "■"),
    "pending": ("", "○"),
    "unknown": ("", "?"),
}


class Ink(NamedTuple):
    """How a piece of a line looks."""

    colour: str = ""
    bold: bool = False
    dim: bool = False


PLAIN, DIM, BOLD = Ink(), Ink(dim=True), Ink(bold=True)
Piece = tuple[str, Ink]
_LINE_ENDS = re.compile("[\t\n\r]")


@dataclass(frozen=True, slots=True)
class Terminal:
    """Where a command writes: whether in colour and in place, how wide and how high. A file is as wide as need be."""

    colour: bool = False
    redraws: bool = False
    columns: int | None = None
    rows: int | None = None

    @classmethod
    def now(cls) -> "Terminal":
        """The terminal as it is now."""
        if not sys.stdout.isatty():
            return cls()
        size = shutil.get_terminal_size()
        plain = os.environ.get("TERM") == "dumb"
        return cls(not plain and not os.environ.get("NO_COLOR"), not plain, size.columns, size.lines)

    def line(self, *pieces: Piece) -> str:
        """A line of these pieces, as far as there is room for them."""
        shown, room = [], self.columns
        for text, ink in pieces:
            if room is not None:
                text = cut(text, room)
                room -= cells(text)
                # What writes from right to left must not turn what follows it.
                text = isolating(text)
            shown.append(self._inked(text, ink))
        return "".join(shown)

    def _inked(self, text: str, ink: Ink) -> str:
        if not self.colour or not text or ink == PLAIN:
            return text
        return click.style(text, fg=ink.colour or None, bold=ink.bold or None, dim=ink.dim or None)


def sign_of(phase: str) -> str:
    """The sign of a phase."""
    return PHASES.get(phase, PHASES["unknown"])[1]


def ink_of(phase: str) -> Ink:
    """The colour of a phase."""
    colour, _ = PHASES.get(phase, PHASES["unknown"])
    return Ink(colour, dim=not colour)


def clean(value: object) -> str:
    """A text of a rollout on one line, without anything that a terminal would obey."""
    return _LINE_ENDS.sub("\N{REPLACEMENT CHARACTER}", display_text(str(value)))


def one_json(page: object) -> str:
    """A JSON text that is the same data to a program, and in which nothing turns or hides on a terminal."""
    return escape_hidden(json.dumps(page, ensure_ascii=False))


def cells(text: str) -> int:
    """How many columns a text takes."""
    return sum(map(_cells, text))


def cut(text: str, most: int) -> str:
    """A text in so many columns at most."""
    if cells(text) <= most:
        return text
    kept, room = "", most - 1
    for character in text:
        room -= _cells(character)
        if room < 0:
            break
        kept += character
    return f"{kept}…" if most > 0 else ""


def _cells(character: str) -> int:
    if unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
