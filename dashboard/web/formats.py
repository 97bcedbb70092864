"""Format values for pages."""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from markupsafe import Markup
from pydantic import JsonValue

from dashboard.domain.phases import Phase
from dashboard.web.escaping import escape_text
from dashboard.web.links import current_address, entity_url, expanding_url, selecting_url, without_parameters

MAX_LINE_LENGTH = 160
# Characters of a text on a page that shows other things beside it.
MAX_TEXT_LENGTH = 10_000
_ICONS = {
    phase: Markup(f'<svg class="icon {phase}" aria-hidden="true"><use href="#i-{phase}"/></svg>')  # noqa: S704 - ours
    for phase in Phase
}

# A version runs where its deployment succeeded. A word that is unknown says neither.
_VERSION_NOTES = dict.fromkeys(Phase, "planned") | {
    Phase.FAILED: "failed",
    Phase.TIMED_OUT: "failed",
    Phase.CANCELLED: "not deployed",
    Phase.TERMINATED: "not deployed",
    Phase.UNKNOWN: "not confirmed as running",
    # Only one that tells no version.
    Phase.SUCCEEDED: "",
}


def number(value: int) -> str:
    """Format a number with separators, such as 1,248."""
    return f"{value:,}"


def iso(value: datetime) -> str:
    """Return a time for `<time datetime>`: UTC, whole seconds."""
    # Not strftime: it writes years below 1000 without zeros, which no browser reads.
    return f"{value.replace(microsecond=0, tzinfo=None).isoformat()}Z"


def clock(value: datetime) -> str:
    """Return a time for people without JavaScript, who see it in UTC."""
    return value.strftime("%d %b %H:%M:%S UTC")


def time(value: datetime, kind: str = "clock") -> Markup:
    """Return a time element, which the page's script formats in the viewer's zone.

    A function rather than a macro, like icons: a tree has thousands of them, and macros are ten times slower.
    """
    return Markup(f'<time datetime="{iso(value)}" data-show="{kind}">{clock(value)}</time>')  # noqa: S704 - no text in it


def icon(phase: Phase) -> Markup:
    """Return the shape and colour of a phase; the words beside it say the same."""
    return _ICONS[phase]


def version_note(phase: Phase, *, runs: bool) -> str:
    """Return a note for a version that is not confirmed as running; empty otherwise."""
    return "" if runs else _VERSION_NOTES[phase]


def version(row: Any) -> Markup:  # noqa: ANN401 - whatever has a version and a phase
    """Return the version of a row, with a note such as planned or failed if it is not confirmed as running."""
    note = version_note(row.phase, runs=row.version_runs)
    words = f" <small>{note}</small>" if note else ""
    planned = " planned" if note else ""
    return Markup(f'<span class="ver{planned}">{escape_text(row.version)}{words}</span>')  # noqa: S704 - escaped


def first_line(value: str) -> str:
    """Return the first line of a text, cut to what a row has room for."""
    first = value.strip().partition("\n")[0]
    return first if len(first) <= MAX_LINE_LENGTH else f"{first[: MAX_LINE_LENGTH - 1]}…"


def exceeds_line(value: str) -> bool:
    """Return whether `first_line` leaves anything out."""
    return first_line(value) != value.strip()


def shorten(value: str) -> str:
    """Return a text truncated for a page with many rows, with a note where the full text is."""
    if len(value) <= MAX_TEXT_LENGTH:
        return value
    return f"{value[:MAX_TEXT_LENGTH]}…\n(truncated: the JSON of this page has all {len(value):,} characters)"


def compact(value: JsonValue) -> str:
    """Return a detail's value as one text: strings as they are, the rest as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def plural(count: int, word: str) -> str:
    """Format a count with its noun, such as 1 app or 2 apps."""
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def duration(start: datetime, end: datetime) -> str:
    """Format the time between in its two largest units: 41 s, 2 min 03 s, 1 h 04 min, 2 d 3 h."""
    seconds = max(int((end - start).total_seconds()), 0)
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if days:
        return f"{days} d {hours % 24} h"
    if hours:
        return f"{hours} h {minutes % 60:02} min"
    return f"{minutes} min {seconds % 60:02} s" if minutes else f"{seconds} s"


def segment(value: str) -> str:
    """Return a text as one part of an address's path, slashes and all."""
    return quote(value, safe="")


def slot(name: str) -> Markup:
    """Return a placeholder in a shared page that is filled in when it is sent. No other text can equal it."""
    return Markup(f"<!--slot:{name}-->")  # noqa: S704 - the templates' own names


def theme(cookies: Mapping[str, str]) -> str:
    """Return the chosen theme: light, dark, or auto for the system's."""
    chosen = cookies.get("theme", "")
    return chosen if chosen in {"light", "dark"} else "auto"


def json_list(texts: Iterable[str]) -> str:
    """Return texts as JSON for scripts. It is escaped like any other text."""
    return json.dumps(list(texts))


FILTERS: dict[str, Callable[..., Any]] = {
    "json": json_list,
    "number": number,
    "time": time,
    "clock": clock,
    "icon": icon,
    "version": version,
    "line": first_line,
    "longer": exceeds_line,
    "much": shorten,
    "compact": compact,
    "plural": plural,
    "duration": duration,
    "segment": segment,
    "entity_url": entity_url,
    "opening_url": expanding_url,
    "selecting_url": selecting_url,
    "here": current_address,
    "without": without_parameters,
    "slot": slot,
    "theme": theme,
}
