"""Two releases side by side, on the real server."""

from copy import deepcopy
from typing import Any

import pytest
from bs4 import BeautifulSoup

from tests.support.harness import Stage
from tests.support.open_page import parsed
from tests.support.rollout_makers import hierarchy
from tests.support.waiting import eventually
from tests.test_twins import rows_of_html, rows_of_json

COUNTS = dict.fromkeys(("version", "planned", "added", "removed", "state", "unknown", "same"), 0)


def tonight() -> dict[str, Any]:
    """The hierarchy with one app in another version, one gone, one come, one that failed, and a cluster more."""
    tree = hierarchy(clusters=3, state="deployed")
    bundles = [cluster["bundle"] for cluster in tree["waves"][0]["clusters"]]
    one, two = bundles[0]["apps"], bundles[1]["apps"]
    one[0]["version"] = "1.1.0"
    one[1] |= {"id": "app:new", "name": "new"}
    bundles[0]["app_ids"][1] = "app:new"
    two[0]["state"] = "failed"
    return tree


def start(stage: Stage, name: str, tree: dict[str, Any]) -> str:
    return stage.start(name, {"get_hierarchy": tree, "get_release_state": tree})


def text_of(stage: Stage, path: str) -> str:
    return BeautifulSoup(stage.ask(path).text, "html.parser").get_text(" ", strip=True)


def test_what_is_different_is_counted_and_stands_by_cluster(stage: Stage):
    left, right = start(stage, "r-1", hierarchy(state="deployed")), start(stage, "r-2", tonight())
    path = f"/compare?left={left}&right={right}"
    said = stage.json(path)
    assert said["counts"] == COUNTS | {"version": 1, "added": 3, "removed": 1, "state": 1, "same": 1}
    assert [(each["name"], each["kind"], len(each["apps"])) for each in said["clusters"]] == [
        ("c0", "same", 3),
        ("c1", "same", 1),
        ("c2", "added", 0),
    ]
    versions = said["clusters"][0]["apps"][0]
    assert (versions["left"]["version"], versions["right"]["version"]) == ("1.0.0", "1.1.0")
    move = {"name": "a0-0", "left": "1.0.0", "left_runs": True, "right": "1.1.0"}
    assert said["moves"] == [move | {"count": 1, "planned": 0, "failed": 0}]
    assert rows_of_html(stage.ask(path).text) == list(rows_of_json(said))
    back = stage.json(f"/compare?left={right}&right={left}")["counts"]
    assert back == said["counts"] | {"added": 1, "removed": 3}
    assert "1 cluster only in" in text_of(stage, path)
    assert "still in progress; missing apps may follow" in text_of(stage, path)


def test_a_release_compared_with_itself_has_no_differences(stage: Stage):
    release = start(stage, "same", hierarchy())
    path = f"/compare?left={release}&right={release}"
    assert stage.json(path)["counts"] == COUNTS | {"same": 4}
    assert "No differences" in text_of(stage, path)


def test_what_does_not_answer_is_neither_gone_nor_the_same(stage: Stage):
    left = start(stage, "good", hierarchy())
    right = stage.start("bad", {"get_hierarchy": {"raise": "boom"}, "get_release_state": {"raise": "boom"}})
    path = f"/compare?left={left}&right={right}"
    said = stage.json(path)
    assert (said["counts"], said["whole"]) == (COUNTS | {"unknown": 4}, False)
    assert said["right"]["gaps"]
    assert "The comparison is incomplete" in text_of(stage, path)
    both = stage.json(f"/compare?left={right}&right={right}")
    assert (both["counts"], both["whole"]) == (COUNTS, False)
    assert "No differences in the loaded part" in text_of(stage, f"/compare?left={right}&right={right}")


@pytest.mark.parametrize("moving", [0, 1], ids=["left", "right"])
def test_an_open_page_is_told_when_either_release_moves(stage: Stage, moving: int):
    sides = start(stage, "one", hierarchy()), start(stage, "two", hierarchy())
    path = "/compare?left={}&right={}".format(*sides)
    first = stage.browser.get(path, headers={"HX-Request": "true"})
    tree = deepcopy(hierarchy())
    tree["waves"][0]["clusters"][0]["bundle"]["apps"][0]["version"] = "2"
    stage.tell(sides[moving], {"get_hierarchy": tree})
    asked = {"HX-Request": "true", "HX-PTag": first.headers["HX-PTag"]}

    def told() -> bool:
        return stage.browser.get(path, headers=asked).status_code == 200

    eventually(told)
    assert "version changed" in parsed(stage.browser.get(path, headers=asked).text)


@pytest.mark.parametrize(
    ("query", "status", "told"),
    [
        (f"left={'x' * 1001}&right={{there}}", 422, "1,000 bytes"),
        ("left={there}&right=wave:x", 404, "wave:x"),
        ("left={there}&right=release:never", 404, "release:never"),
        ("left=release:neither&right={there}", 404, "release:neither"),
        ("left={there}&right={there}&right_run=1", 422, "right_run"),
        ("left={there}&right={there}&right_run=01234567-89ab-cdef-0123-456789abcdef", 404, "01234567"),
    ],
)
def test_an_id_that_cannot_be_or_is_not_there_is_named(stage: Stage, query: str, status: int, told: str):
    path = f"/compare?{query.format(there=start(stage, 'there', hierarchy()))}"
    assert told in stage.json(path, status)["error"]["message"]
    assert stage.ask(path).status_code == status


def test_a_release_to_compare_with_is_chosen_from_the_newest_and_the_one_before_is_offered(stage: Stage):
    older, newer = start(stage, "pay-1", hierarchy()), start(stage, "pay-2", hierarchy())
    stage.listed("pay-1", "pay-2")
    eventually(lambda: len(stage.json("/compare")["choices"]) == 2)
    said = stage.json(f"/compare?left={newer}")
    assert (said["left"], said["right"]) == (newer, None)
    assert [(each["left"], each["right"]) for each in said["choices"]] == [(older, newer)]
    page = BeautifulSoup(stage.ask(f"/compare?left={newer}").text, "html.parser")
    field = page.select_one("form input[name=left]")
    assert field is not None
    assert field["value"] == newer
    assert stage.ask(f"/compare?left={newer}&right=").status_code == 200
