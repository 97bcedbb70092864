"""What is found by name on the real server: what Temporal lists, and what is known already, said for what it is."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from bs4 import BeautifulSoup

from tests.support.harness import Stage, dashboard_for, logged_in, shut
from tests.support.rollout_makers import hierarchy


@pytest.fixture
def release(stage: Stage) -> str:
    tree = hierarchy(clusters=2, apps=2)
    release_id = stage.start("shop", {"get_hierarchy": tree, "get_release_state": tree})
    stage.listed("shop")
    return release_id


def find(stage: Stage, text: str, **asked: str) -> dict[str, Any]:
    more = "".join(f"&{name}={quote(value)}" for name, value in asked.items())
    found: dict[str, Any] = stage.json(f"/find?q={quote(text)}{more}")
    return found


def test_a_release_is_found_by_the_beginning_of_its_id_as_temporal_lists_it(stage: Stage, release: str):
    for text in (release, release.removeprefix("release:")[:12]):
        (item,) = find(stage, text)["releases"]
        assert (item["id"], item["state"], item["phase"]) == (release, "in_progress", "running")


def test_an_entity_is_found_once_its_release_has_been_read_and_the_page_says_where_was_looked(
    stage: Stage, release: str
):
    before = find(stage, "a1-0")
    assert (before["entities"], before["looked_in"]) == ([], 0)
    stage.json(f"/releases/{release}")
    after = find(stage, "a1-0")
    assert [(name["id"], name["release_id"]) for name in after["entities"]] == [("app:a1-0", release)]
    assert after["entities"][0]["place"][1:] == ["one", "c1", "web"]
    assert "phase" not in after["entities"][0], "how it stands now is for its page to say"
    page = BeautifulSoup(stage.ask("/find?q=a1-0").text, "html.parser")
    assert page.select_one(".results a")["href"] == f"/releases/{release}/entities/app:a1-0"
    assert "from 1 recently loaded release" in page.get_text()


def test_a_release_that_is_known_is_found_by_any_part_of_its_name(stage: Stage, release: str):
    answer = find(stage, "shop")
    assert answer["releases"] == [], "Temporal looks for beginnings"
    assert [name["id"] for name in answer["recalled"]] == [release]


def test_a_whole_id_that_is_not_there_is_offered_for_a_look_up(stage: Stage):
    assert find(stage, "app:somewhere")["offer"] == {"id": "app:somewhere", "type": "app"}
    assert find(stage, "release:not-listed")["offer"] == {"id": "release:not-listed", "type": "release"}
    assert "/entities/app:somewhere" in stage.ask("/find?q=app:somewhere").text


def test_pages_are_found_by_name_those_of_the_release_at_hand_first(stage: Stage, release: str):
    hrefs = [page["href"] for page in find(stage, "tim", **{"in": release})["pages"]]
    assert hrefs == [f"/releases/{release}/timeline"]
    assert [page["name"] for page in find(stage, "pro")["pages"]] == ["Problems", "Profile"]
    everything = [page["href"] for page in find(stage, "", **{"in": release})["pages"]]
    assert everything[0] == f"/releases/{release}"


@pytest.mark.parametrize(("query", "field"), [("q=" + "x" * 201, "q"), ("q=a%00b", "q")])
def test_what_cannot_be_looked_for_is_refused_with_what_it_takes(stage: Stage, query: str, field: str):
    error = stage.json(f"/find?{query}", 422)["error"]
    assert error["fields"][0]["field"] == field


def test_without_temporal_pages_are_found_and_the_missing_list_is_told(tmp_path: Path):
    app = dashboard_for("127.0.0.1:1", tmp_path, "WorkflowType = 'ReleaseWorkflow'")
    browser = logged_in(app)
    twin = browser.get("/api/find?q=problems")
    assert twin.status_code == 200
    assert [page["href"] for page in twin.get_json()["pages"]] == ["/problems"]
    assert (twin.get_json()["stale"], twin.get_json()["unlisted"]["code"]) == (True, "temporal_unavailable")
    assert "Out of date" in browser.get("/find?q=problems").text
    shut(app)
