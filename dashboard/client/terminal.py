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

from dashboard.domain.display import display_text, escape_hidden, isolate_right_to_left

# The colour of each phase, by its name in ANSI, and the sign before it. Never the colour alone.
PHASE_STYLES = {
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


class TextStyle(NamedTuple):
    """How a piece of a line looks."""

    colour: str = ""
    bold: bool = False
    dim: bool = False


PLAIN, DIM, BOLD = TextStyle(), TextStyle(dim=True), TextStyle(bold=True)
StyledText = tuple[str, TextStyle]
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
        """Return the terminal as it is now."""
        if not sys.stdout.isatty():
            return cls()
        size = shutil.get_terminal_size()
        plain = os.environ.get("TERM") == "dumb"
        return cls(not plain and not os.environ.get("NO_COLOR"), not plain, size.columns, size.lines)

    def line(self, *pieces: StyledText) -> str:
        """Return a line of these pieces, as far as there is room for them."""
        shown, room = [], self.columns
        for text, ink in pieces:
            if room is not None:
                text = truncate_to_width(text, room)
                room -= display_width(text)
                # What writes from right to left must not turn what follows it.
                text = isolate_right_to_left(text)
            shown.append(self._inked(text, ink))
        return "".join(shown)

    def _inked(self, text: str, ink: TextStyle) -> str:
        if not self.colour or not text or ink == PLAIN:
            return text
        return click.style(text, fg=ink.colour or None, bold=ink.bold or None, dim=ink.dim or None)


def phase_sign(phase: str) -> str:
    """Return the sign of a phase."""
    return PHASE_STYLES.get(phase, PHASE_STYLES["unknown"])[1]


def phase_style(phase: str) -> TextStyle:
    """Return the colour of a phase."""
    colour, _ = PHASE_STYLES.get(phase, PHASE_STYLES["unknown"])
    return TextStyle(colour, dim=not colour)


def single_line(value: object) -> str:
    """Return a text of a rollout on one line, without anything that a terminal would obey."""
    return _LINE_ENDS.sub("\N{REPLACEMENT CHARACTER}", display_text(str(value)))


def safe_json(page: object) -> str:
    """A JSON text that is the same data to a program, and in which nothing turns or hides on a terminal."""
    return escape_hidden(json.dumps(page, ensure_ascii=False))


def display_width(text: str) -> int:
    """Return how many columns a text takes."""
    return sum(map(_character_width, text))


def truncate_to_width(text: str, most: int) -> str:
    """Return a text in so many columns at most."""
    if display_width(text) <= most:
        return text
    kept, room = "", most - 1
    for character in text:
        room -= _character_width(character)
        if room < 0:
            break
        kept += character
    return f"{kept}…" if most > 0 else ""


def _character_width(character: str) -> int:
    if unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
