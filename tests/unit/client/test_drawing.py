"""What a terminal is shown: lines that fit, whatever they are of, and what may be out of date told as such."""

from typing import Any

import pytest

from dashboard.client.drawing import list_lines, progress_text, state_text, tree_lines
from dashboard.client.terminal import Terminal, display_width, single_line, truncate_to_width
from dashboard.domain.phases import Phase
from tests.support.rollout_makers import hierarchy


def row(given: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A row as the API has it, with those below it."""
    below = {
        name: [row(child) for child in children] if isinstance(children := given[name], list) else row(children)
        for name in ("waves", "clusters", "bundle", "apps")
        if name in given
    }
    name = given.get("name") or given["id"].partition(":")[2]
    return {"id": given["id"], "name": name, "state": given["state"], "phase": "running"} | below | fields


def page(clusters: int = 2, apps: int = 2, **fields: Any) -> dict[str, Any]:
    times = {"started_at": "2026-11-22T14:02:00Z", "closed_at": "2026-11-22T15:07:00Z", "as_of": "2026-11-22T15:09:00Z"}
    freshness: dict[str, Any] = {"stale": False, "reason": None}
    return row(hierarchy(clusters, apps), **(times | freshness | fields))


@pytest.mark.parametrize(
    ("text", "most", "shown"),
    [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("日本語", 6, "日本語"), ("日本語", 5, "日本…"), ("a", 0, ""), ("", 0, "")],
)
def test_a_text_is_cut_to_the_columns_that_it_takes(text: str, most: int, shown: str) -> None:
    assert truncate_to_width(text, most) == shown
    assert display_width(shown) <= most


def test_a_text_stays_on_its_line_and_says_nothing_to_the_terminal() -> None:
    assert single_line("a\nb\x1b[1m\u2028\u202e") == "a�b‹U+001B›[1m‹U+2028›‹U+202E›"


@pytest.mark.parametrize(
    ("height", "last"),
    [(None, "a1-1"), (12, "a1-1"), (11, "web"), (8, "web"), (7, "c1"), (6, "c1"), (5, "one"), (4, "one")],
)
def test_a_tree_is_as_deep_as_there_is_room_for(height: int | None, last: str) -> None:
    lines = tree_lines(page(), Terminal(columns=80, rows=height))
    assert height is None or len(lines) < height
    assert lines[-2].lstrip("│├└─ ").split()[0] == last


def test_what_has_no_room_is_counted() -> None:
    many = page()
    many["waves"] = many["waves"] * 30
    lines = tree_lines(many, Terminal(columns=80, rows=12))
    assert len(lines) == 11
    assert lines[-2] == "… 22 more rows"


@pytest.mark.parametrize("columns", [1, 30, 80])
def test_every_line_fits(columns: int) -> None:
    wide = page(
        name="日本語" * 20, error_message="because " * 20, stale=True, reason={"message": "Temporal is away. " * 5}
    )
    for line in tree_lines(wide, Terminal(columns=columns)):
        assert display_width(line) <= columns


def test_a_release_that_may_be_out_of_date_says_so_first() -> None:
    stale = page(stale=True, reason={"message": "Temporal cannot be reached."})
    first, head, *_ = tree_lines(stale, Terminal())
    assert first == "Out of date: as of 15:09:00 UTC. Temporal cannot be reached."
    assert head == "r  ● running  took 1 h 05 min"
    listed = list_lines(
        {"items": [stale], "total": 1} | {name: stale[name] for name in ("stale", "reason", "as_of")}, Terminal()
    )
    assert listed[0] == first


def test_a_release_that_has_not_begun_says_when_it_is_to_begin() -> None:
    later = page(phase="pending", state="scheduled", closed_at=None, scheduled_for="2026-11-22T18:00:00Z")
    assert "scheduled for 2026-11-22 18:00:00 UTC" in tree_lines(later, Terminal())[0]


@pytest.mark.parametrize("phase", list(Phase))
def test_each_phase_has_a_sign_and_a_word(phase: Phase) -> None:
    (line,) = list_lines({"items": [page(phase=phase.value)], "total": 1, "stale": False}, Terminal())
    assert line.split("  ")[1][1:].strip() == phase.replace("_", " ")


def test_the_rollouts_own_word_stands_where_the_phase_says_little() -> None:
    assert state_text(page(phase="paused", state="awaiting_approval")) == "paused, reported as “awaiting approval”"
    assert state_text(page(phase="cancelled", state="in_progress")) == "cancelled"
    assert state_text(page(phase="paused", state="paused")) == "paused"


def test_waves_are_counted_where_not_all_apps_were_read() -> None:
    assert progress_text({"progress": {"total": 3, "succeeded": 1, "unopened": 0}}) == "1/3 apps"
    read = {"progress": {"total": 3, "succeeded": 0, "unopened": 3}, "wave_progress": {"total": 1, "succeeded": 0}}
    assert progress_text(read) == "0/1 wave"
    assert progress_text({"progress": {"total": 0, "succeeded": 0, "unopened": 0}}) == ""


@pytest.mark.parametrize(("runs", "shown"), [(True, "shop 1.4.2 "), (False, "shop (to 1.4.2) ")])
def test_a_version_that_does_not_run_is_told_as_where_the_app_goes(*, runs: bool, shown: str) -> None:
    told = page(1, 1)
    (wave,) = told["waves"]
    wave["clusters"][0]["bundle"]["apps"][0] |= {"name": "shop", "version": "1.4.2", "version_runs": runs}
    assert shown in "\n".join(tree_lines(told, Terminal(columns=80, rows=None)))
