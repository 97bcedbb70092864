"""Normalize cause texts: remove what differs between occurrences of the same cause."""

import re
from collections.abc import Iterable

from dashboard.domain.entities import Status

# The placeholder for variable parts of a cause.
PLACEHOLDER = "…"
MAX_CAUSE_LENGTH = 500
# A shorter name would blank out what is no name.
MIN_NAME_LENGTH = 3

# How a workflow ended from which its parent hears no error of its own.
_ENDED = {Status.TIMED_OUT: "timed out", Status.TERMINATED: "was terminated", Status.CANCELED: "was cancelled"}

_PATTERNS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"\b[a-z][a-z0-9+.-]{1,15}://\S+",
        # Quoted names; an apostrophe within a word is none.
        r"(?<!\w)'[^'\n]+'(?!\w)|\"[^\"\n]+\"|`[^`\n]+`",
        r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b",
        # Hosts: of two labels only if they end as public or internal names do, so that a module's name is none.
        r"\b(?:[a-z0-9-]{1,63}\.){1,8}(?:com|net|org|io|dev|local|internal|svc|cloud|app)\b(?:[:/][^\s,;]*)?",
        r"\b[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,8}:\d[^\s,;]*",
        # Paths; "and/or" is none.
        r"(?<![\w…/])(?:/[\w.@%+=~-]+)+/?",
        r"\b[0-9a-f]{8,}\b",
        # Whatever has a digit in it: numbers, versions, addresses, the names of pods.
        r"[\w.+-]*\d[\w.+-]*",
        r"…(?:[-:/.,@_+ ]{0,2}…)+",
    )
)
# An error's type is no name of anything else, whatever digits it has.
_TYPE = re.compile(r"[A-Z][A-Za-z0-9_.]*: ")


def child_failure_cause(workflow_id: str, status: Status) -> str:
    """Return why a workflow failed whose child ended with this status; empty if the child has its own cause."""
    return f"The child workflow {workflow_id} {_ENDED[status]}." if status in _ENDED else ""


def normalise_cause(text: str, names: Iterable[str] = ()) -> str:
    """Return a cause without variable parts, such as these names and numbers.

    Idempotent. A non-empty text never becomes empty.
    """
    lines = text[:MAX_CAUSE_LENGTH].strip().splitlines()
    cause = " ".join(lines[0].split()) if lines else ""
    met = {name for name in names if len(name) >= MIN_NAME_LENGTH and name in cause and PLACEHOLDER not in name}
    known = sorted(met, key=lambda name: (-len(name), name))
    own = re.compile("|".join(rf"(?<!\w){re.escape(name)}(?!\w)" for name in known)) if known else None
    # Each step leaves fewer characters that are not blanks, so that this comes to its end.
    while (again := _blanked(cause, own)) != cause:
        cause = again
    return cause or (PLACEHOLDER if text else "")


def _blanked(text: str, own: re.Pattern[str] | None) -> str:
    kept = found.group() if (found := _TYPE.match(text)) else ""
    rest = text[len(kept) :]
    for pattern in (own, *_PATTERNS) if own else _PATTERNS:
        rest = pattern.sub(PLACEHOLDER, rest)
    return kept + rest
