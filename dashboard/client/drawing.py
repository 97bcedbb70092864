"""Releases as lines of text: the list, and one release as a tree."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Any

from dashboard.client.terminal import (
    BOLD,
    DIM,
    PLAIN,
    StyledText,
    Terminal,
    TextStyle,
    display_width,
    phase_sign,
    phase_style,
    single_line,
    truncate_to_width,
)

JsonRow = Mapping[str, Any]

# Levels of a tree at most: the release, waves, clusters, bundles, apps, and what else a team has below these.
MAX_LEVELS = 13
# The maximum width of a name in a list, in columns.
MAX_NAME_COLUMNS = 60
MAX_SUMMARY_COLUMNS = 160


def list_lines(page: Mapping[str, Any], terminal: Terminal) -> list[str]:
    """Return a page of the list."""
    items = page["items"]
    lines = stale_line(page, terminal)
    if not items:
        return [*lines, "No results." if page["total"] == 0 else "This page is empty."]
    width = max(display_width(single_line(item["id"])) for item in items)
    # In a file an id is for programs.
    width = width if terminal.columns is None else min(width, MAX_NAME_COLUMNS)
    lines += [_item_line(item, width, terminal) for item in items]
    if len(items) < page["total"]:
        lines.append(terminal.line((f"{len(items)} of {page['total']:,} releases", DIM)))
    return lines


def tree_lines(page: Mapping[str, Any], terminal: Terminal) -> list[str]:
    """Return a release as a tree, as deep as fits the terminal; the rest is counted."""
    head = [*stale_line(page, terminal), _head_line(page, terminal)]
    foot = [terminal.line((f"as of {_clock(page['as_of'])}", DIM))]
    room = None if terminal.rows is None else max(terminal.rows - len(head) - len(foot) - 1, 0)
    return [*head, *_rows(page, terminal, room), *foot]


def _rows(page: JsonRow, terminal: Terminal, room: int | None) -> list[str]:
    """Return the rows below a release, as deep as fits; of too many waves, the first ones."""
    for depth in range(MAX_LEVELS, 1, -1):
        rows = [_row_line(row, before, terminal) for row, before in _walk(page, "", depth)]
        if room is None or len(rows) <= room:
            return rows
    return [*rows[: room - 1], terminal.line((f"… {len(rows) - room + 1:,} more rows", DIM))] if room else []


def log_line(page: Mapping[str, Any]) -> tuple[str, str]:
    """Return the time and state of a release for a log line."""
    said = "  ".join(
        filter(None, (single_line(page["name"]), overall_phase(page), progress_text(page), cause_text(page)))
    )
    return _clock(page["as_of"]), "  ".join([said, *(["out of date"] if page["stale"] else [])])


def stale_line(page: Mapping[str, Any], terminal: Terminal) -> list[str]:
    """Return a line if the data may be out of date."""
    if not page["stale"]:
        return []
    why = single_line((page["reason"] or {}).get("message") or "newer data may exist")
    return [terminal.line((f"Out of date: as of {_clock(page['as_of'])}. {why}", TextStyle("yellow", bold=True)))]


def state_text(row: JsonRow) -> str:
    """Return the phase of a row in words, with the reported state if more specific."""
    phase, state = single_line(row["phase"]).replace("_", " "), single_line(row["state"] or "").replace("_", " ")
    says = row["phase"] in {"paused", "unknown"} and state and state != phase
    return f"{phase}, reported as “{truncate_to_width(state, MAX_NAME_COLUMNS)}”" if says else phase


def overall_phase(page: JsonRow) -> str:
    """Return the overall state of a release, or its own phase from older servers."""
    phase, summary = single_line(page["phase"]).replace("_", " "), single_line(page.get("summary") or "")
    return state_text(page) if summary in {"", phase} else truncate_to_width(summary, MAX_SUMMARY_COLUMNS)


def has_failed_parts(page: JsonRow) -> bool:
    """Return whether a release succeeded while parts of it failed."""
    return page["phase"] == "succeeded" and page.get("overall_phase") == "failed"


def progress_text(row: JsonRow) -> str:
    """Return how many apps below a row are done, or waves where not all apps were read; empty where there are none."""
    counts = row.get("progress") or {}
    noun = counts.get("noun", "app")
    if counts.get("unopened") and "wave_progress" in row:
        counts, noun = row["wave_progress"], "wave"
    total = counts.get("total", 0)
    return f"{counts['succeeded']:,}/{total:,} {noun}{'' if total == 1 else 's'}" if total else ""


def cause_text(row: JsonRow) -> str:
    """Return why a row is in trouble, or what is unknown of it."""
    attempt = row.get("attempt") or {}
    told = row.get("error_message") or attempt.get("cause")
    if not told and row["phase"] not in {"failed", "timed_out"}:
        told = (row.get("problem") or {}).get("message")
    return single_line(told) if told else ""


def _item_line(item: JsonRow, width: int, terminal: Terminal) -> str:
    name = truncate_to_width(single_line(item["id"]), width)
    phase = _shown_phase(item)
    gap = " " * (width - display_width(name) + 2)
    facts = "  ".join(filter(None, (_span(item), cause_text(item))))
    summary = single_line(item.get("summary") or item["phase"]).replace("_", " ")
    word = f"{phase_sign(phase)} {truncate_to_width(summary, MAX_SUMMARY_COLUMNS):<10}"
    return terminal.line((f"{name}{gap}", PLAIN), (word, phase_style(phase)), (f"  {facts}", PLAIN))


def _head_line(page: Mapping[str, Any], terminal: Terminal) -> str:
    facts = "  ".join(filter(None, (progress_text(page), _span(page), cause_text(page))))
    return terminal.line((single_line(page["name"]), BOLD), *_standing(page, facts))


def _row_line(row: JsonRow, before: str, terminal: Terminal) -> str:
    version = single_line(row.get("version") or "")
    if version and not row.get("version_runs", True):
        version = f"(to {version})"
    name = " ".join(filter(None, (single_line(row["name"]), version)))
    facts = "  ".join(filter(None, (progress_text(row), cause_text(row))))
    return terminal.line((before, DIM), (name, PLAIN), *_standing(row, facts))


def _standing(row: JsonRow, facts: str) -> tuple[StyledText, ...]:
    phase = _shown_phase(row)
    return (f"  {phase_sign(phase)} {overall_phase(row)}", phase_style(phase)), (f"  {facts}" if facts else "", PLAIN)


def _shown_phase(row: JsonRow) -> str:
    """Return the phase whose sign and colour a row has: of a release, with its parts counted in."""
    return single_line(row.get("overall_phase") or row["phase"])


def _walk(row: JsonRow, before: str, depth: int) -> Iterator[tuple[JsonRow, str]]:
    """Yield the rows below this one, so many levels deep with it, each with what is drawn before it."""
    below = _below(row) if depth > 1 else ()
    for place, child in enumerate(below):
        last = place == len(below) - 1
        yield child, f"{before}{'└─ ' if last else '├─ '}"
        yield from _walk(child, f"{before}{'   ' if last else '│  '}", depth - 1)


def _below(row: JsonRow) -> Sequence[JsonRow]:
    bundle = row.get("bundle")
    named = (row.get(name) or () for name in ("waves", "clusters", "apps", "children"))
    return [*((bundle,) if bundle else ()), *chain.from_iterable(named)]


def _span(row: JsonRow) -> str:
    """Return how long a release took, or has been running, or when it is to begin."""
    if row.get("scheduled_for"):
        return f"scheduled for {datetime.fromisoformat(row['scheduled_for']).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    began_at = row.get("began_at", row["started_at"])
    if began_at is None:
        return ""
    began = datetime.fromisoformat(began_at)
    ended = datetime.fromisoformat(row["closed_at"]) if row["closed_at"] else datetime.now(UTC)
    return f"{'took' if row['closed_at'] else 'for'} {_duration(int((ended - began).total_seconds()))}"


def _duration(seconds: int) -> str:
    seconds = max(seconds, 0)
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if days:
        return f"{days} d {hours % 24} h"
    if hours:
        return f"{hours} h {minutes % 60:02} min"
    return f"{minutes} min {seconds % 60:02} s" if minutes else f"{seconds} s"


def _clock(moment: str) -> str:
    return f"{datetime.fromisoformat(moment).astimezone(UTC):%H:%M:%S} UTC"
