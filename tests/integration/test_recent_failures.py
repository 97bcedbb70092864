"""What failed lately is found however much runs: on the overview, on /problems, and on wall screens."""

from typing import Any

import pytest

from tests.integration.test_list_rows import STATE, TELLS, TREE, with_failed_app
from tests.support.harness import Stage
from tests.support.waiting import eventually

RUNNING = 55


@pytest.fixture(scope="module")
def busy(still: Stage) -> Stage:
    """Releases of which one failed, one completed with a failed part and one well, before all those that run."""
    stage = still
    failed = stage.start("failed", TELLS)
    partly = stage.start("partly", {"get_hierarchy": with_failed_app(TREE), "get_release_state": STATE})
    well = stage.start("well", TELLS)
    stage.end(failed, "the database said no")
    stage.end(partly, "well")
    stage.end(well, "well")
    for number in range(RUNNING):
        stage.start(f"n{number:02}", TELLS)
    counts = {"running": RUNNING, "failed": 1, "succeeded": 2}
    eventually(lambda: stage.json("/releases?page_size=100")["counts"] == counts, 60)
    return stage


def named(stage: Stage, *names: str) -> set[str]:
    return {f"{stage.prefix}-{name}" for name in names}


def test_the_overview_counts_what_failed_though_its_page_is_full_of_what_runs(busy: Stage):
    def overview() -> Any:
        return busy.json("/releases")["overview"]

    assert {item["status"] for item in busy.json("/releases")["items"]} == {"RUNNING"}
    eventually(lambda: overview()["needs_somebody"]["count"] == 2, 60)
    card = overview()
    assert {each["release_id"] for each in card["needs_somebody"]["named"]} == named(busy, "failed", "partly")
    assert (card["ended_whole"], card["open_whole"]) == (True, False)
    assert sum(card["ended"].values()) == 3


def test_problems_have_what_failed_though_more_runs_than_is_looked_at(busy: Stage):
    def affected() -> set[str]:
        return {each["release_id"] for each in busy.json("/problems")["affected"]}

    eventually(lambda: affected() == named(busy, "failed", "partly"), 60)
    page = busy.json("/problems")
    assert page["total"] == RUNNING + 3
    assert {group["example"] for group in page["groups"]} >= {"image not found"}


def test_a_wall_screen_shows_what_failed_in_turn(busy: Stage):
    def shown() -> set[str]:
        return {turn["release_id"] for turn in busy.json("/kiosk")["turns"]["turns"]}

    eventually(lambda: named(busy, "failed", "partly") <= shown(), 60)


def test_a_filter_for_what_ended_is_the_one_that_is_asked(busy: Stage):
    page = busy.json(f"/releases?phase=failed&q={busy.prefix}")
    assert {item["id"] for item in page["items"]} == named(busy, "failed")
    assert page["overview"] is None
