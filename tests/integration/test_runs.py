"""Releases with several runs: continued as new, or started again under the id of one that has ended."""

from typing import Any
from uuid import uuid4

import pytest
from bs4 import BeautifulSoup

from tests.support.harness import Stage
from tests.support.rollout_makers import hierarchy
from tests.support.waiting import eventually


def telling(state: str) -> dict[str, Any]:
    tree = hierarchy() | {"state": state}
    return {
        "get_hierarchy": tree,
        "get_release_state": {key: tree[key] for key in tree if key != "waves"},
        "get_wave_state": {"by_id": {"wave:one": {"id": "wave:one", "state": state}}},
    }


def runs_of(page: Any) -> list[tuple[str, bool]]:
    return [(run["status"], run["continues"]) for run in page["runs"]["all"]]


@pytest.fixture
def continued(stage: Stage) -> tuple[str, str]:
    """A release that has continued as new, and the id of its first run."""
    release_id = stage.start("again", telling("deploying"))
    first = stage.json(f"/releases/{release_id}")["run_id"]
    stage.tell(release_id, {"get_hierarchy": hierarchy() | {"state": "verifying"}})
    stage.on(release_id, lambda handle: handle.signal("finish", "again"))
    eventually(lambda: stage.json(f"/releases/{release_id}")["run_id"] != first)
    return release_id, first


@pytest.fixture
def reused(stage: Stage) -> tuple[str, str]:
    """A release whose id had a run that failed, and the id of that run."""
    release_id = stage.start("twice", telling("deploying"))
    first = stage.json(f"/releases/{release_id}")["run_id"]
    stage.end(release_id, "no capacity")
    stage.start("twice", telling("verifying"))
    return release_id, first


def test_a_release_that_continued_as_new_is_one_row_and_offers_the_run_before(stage: Stage, continued: tuple[str, str]):
    release_id, _ = continued
    eventually(
        lambda: runs_of(stage.json(f"/releases/{release_id}")) == [("RUNNING", True), ("CONTINUED_AS_NEW", False)]
    )
    eventually(lambda: "CONTINUED_AS_NEW" not in {item["status"] for item in stage.json("/releases")["items"]})
    eventually(lambda: stage.json("/releases")["counts"] == {"running": 1})
    assert len(stage.json("/releases")["items"]) == 1
    assert len(stage.json("/releases?phase=running")["items"]) == 1
    page = stage.json(f"/releases/{release_id}")
    assert page["runs"]["began_at"] == page["runs"]["all"][1]["started_at"] < page["started_at"]
    html = stage.ask(f"/releases/{release_id}").text
    assert "continued as new" in html
    assert "2 runs of this release" in html


def test_the_run_before_is_marked_and_is_not_shown_as_running(stage: Stage, continued: tuple[str, str]):
    release_id, first = continued
    path = f"/releases/{release_id}/hierarchy?run={first}"
    eventually(lambda: stage.json(path)["status"] == "CONTINUED_AS_NEW")
    page = stage.json(path)
    assert (page["run_id"], page["state"], page["phase"]) == (first, "verifying", "unknown")
    assert page["runs"]["earlier"]
    assert {wave["phase"] for wave in page["waves"]} == {"unknown"}, "what was not finished went on elsewhere"
    html = stage.ask(path).text
    assert "This is an earlier run" in html
    assert "continuing as new" in html


def test_an_id_that_is_used_again_shows_the_newest_run_and_offers_the_earlier(stage: Stage, reused: tuple[str, str]):
    release_id, first = reused
    eventually(lambda: stage.json(f"/releases/{release_id}")["run_id"] != first)
    page = stage.json(f"/releases/{release_id}")
    assert (page["state"], page["phase"], page["runs"]["earlier"]) == ("verifying", "running", False)
    eventually(lambda: runs_of(stage.json(f"/releases/{release_id}")) == [("RUNNING", False), ("FAILED", False)])
    earlier = stage.json(f"/releases/{release_id}?run={first}")
    assert (earlier["state"], earlier["phase"], earlier["runs"]["earlier"]) == ("deploying", "failed", True)
    assert earlier["runs"]["latest"]["run_id"] == page["run_id"]
    assert earlier["error_message"] == "RolloutFailed: no capacity"
    text = BeautifulSoup(stage.ask(f"/releases/{release_id}?run={first}").text, "html.parser").get_text(" ", strip=True)
    assert "This is an earlier run" in text
    assert "The latest run is running, started" in text


def test_links_on_the_page_of_a_run_stay_with_it_but_for_the_one_that_leads_to_the_latest(
    stage: Stage, reused: tuple[str, str]
):
    release_id, first = reused
    page = BeautifulSoup(stage.ask(f"/releases/{release_id}?run={first}").text, "html.parser")
    links = {a["href"] for a in page.select("#live a[href]")} | {rows["hx-get"] for rows in page.select("[hx-get]")}
    inside = {link for link in links if link.startswith(f"/releases/{release_id}")}
    assert inside - {link for link in inside if f"run={first}" in link} == {f"/releases/{release_id}"}
    cluster = stage.json(f"/releases/{release_id}/entities/cluster:c0?run={first}")
    assert (cluster["run_id"], cluster["release_phase"], cluster["entity"]["phase"]) == (first, "failed", "cancelled")
    html = stage.ask(f"/releases/{release_id}/entities/cluster:c0?run={first}").text
    assert "This is an earlier run" in html


def test_the_list_shows_each_run_and_its_link_names_the_run_that_has_ended(stage: Stage, reused: tuple[str, str]):
    release_id, first = reused

    def rows() -> dict[str, str]:
        page = BeautifulSoup(stage.ask("/releases").text, "html.parser")
        return {row["data-phase"]: row.select_one("a")["href"] for row in page.select("#live li[data-entity-id]")}

    expected = {"running": f"/releases/{release_id}", "failed": f"/releases/{release_id}?run={first}"}
    eventually(lambda: rows() == expected)
    marked = {item["run_id"]: item["superseded"] for item in stage.json("/releases")["items"]}
    assert [superseded for run_id, superseded in marked.items() if run_id == first] == [True]
    assert sorted(marked.values()) == [False, True]
    assert "earlier run" in stage.ask("/releases").text
    eventually(lambda: len(stage.json("/entities/wave:one")["occurrences"]) == 2)
    page = BeautifulSoup(stage.ask("/entities/wave:one").text, "html.parser")
    links = {row["data-phase"]: row.select_one("a")["href"] for row in page.select("#live li[data-entity-id]")}
    at = f"/releases/{release_id}/entities/wave:one"
    assert links == {"running": at, "cancelled": f"{at}?run={first}"}


def test_a_run_that_temporal_does_not_know_is_not_found_and_says_where_the_latest_is(
    stage: Stage, reused: tuple[str, str]
):
    release_id, _ = reused
    error = stage.json(f"/releases/{release_id}?run={uuid4()}", 404)["error"]
    assert error["code"] == "run_not_found"
    assert "latest" in error["message"]
    other = stage.start("other", telling("x"))
    foreign = stage.json(f"/releases/{other}")["run_id"]
    assert stage.json(f"/releases/{release_id}?run={foreign}", 404)["error"]["code"] == "run_not_found"


@pytest.mark.parametrize("text", ["", "1", "x" * 36, "00000000-0000-0000-0000-00000000000g", "' OR 1=1"])
def test_a_run_id_of_the_wrong_form_is_refused_before_temporal_is_asked(stage: Stage, text: str):
    error = stage.json(f"/releases/release:never?run={text}", 422)["error"]
    assert error["fields"][0]["field"] == "run"


def test_an_id_whose_runs_cannot_be_looked_for_says_that_there_may_be_others(stage: Stage):
    release_id = stage.start('a"b', telling("deploying"))
    page = stage.json(f"/releases/{release_id.replace(chr(34), '%22')}")
    assert (page["runs"]["listed"], len(page["runs"]["all"])) == (False, 1)
    assert "there may be others" in stage.ask(f"/releases/{release_id.replace(chr(34), '%22')}").text
