"""Rollouts with levels of their own: what a team does not have is no gap, and nothing that it has is lost."""

import re
from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from tests.support.harness import Stage
from tests.support.waiting import eventually

Plan = dict[str, Any]
PAGES = ("", "/hierarchy", "/strip", "/timeline", "/matrix")


def part(workflow_id: str, *children: Plan, **plan: Any) -> Plan:
    return {"id": workflow_id, "type": "Part", "children": list(children), **plan}


@pytest.fixture
def tag() -> str:
    """Makes the ids of child workflows unique in the namespace."""
    return uuid4().hex[:8]


def shapes(tag: str) -> dict[str, list[Plan]]:
    """Trees by name, none of which has all five levels."""
    return {
        "apps": [part(f"app:shop/a{tag}"), part(f"app:pay/a{tag}")],
        "clusters": [part(f"cluster:eu/b{tag}"), part(f"cluster:us/b{tag}", part(f"app:shop/b{tag}"))],
        "bundles": [part(f"wave:1/c{tag}", part(f"bundle:web/c{tag}", part(f"app:shop/c{tag}")))],
        "waves": [part(f"wave:1/d{tag}", part(f"app:shop/d{tag}"), part(f"app:pay/d{tag}"))],
        "uuids": [part(str(uuid4()), part(str(uuid4()))), part(str(uuid4()))],
        "nested": [part(f"wave:all/e{tag}", part(f"wave:eu/e{tag}", part(f"cluster:e1/e{tag}")))],
        "mixed": [
            part(f"wave:1/f{tag}", part(f"cluster:eu/f{tag}", part(f"bundle:b/f{tag}", part(f"app:a/f{tag}")))),
            part(f"cluster:alone/f{tag}", part(f"app:inside/f{tag}")),
            part(f"app:alone/f{tag}", part(f"migrate-{tag}")),
            part(f"Check the figures {tag}"),
        ],
        "none": [],
    }


def count(plans: list[Plan]) -> int:
    return sum(1 + count(plan["children"]) for plan in plans)


def below(row: dict[str, Any]) -> list[dict[str, Any]]:
    """All rows below one, by every name under which JSON has them."""
    found = [*(row.get("waves") or ()), *(row.get("clusters") or ()), *(row.get("apps") or ())]
    found += [row["bundle"]] if row.get("bundle") else []
    found += row.get("children") or ()
    return [one for child in found for one in (child, *below(child))]


def ended(plans: list[Plan]) -> list[Plan]:
    # Who starts them does not wait for their end.
    return [{**plan, "end": "well", "abandoned": True, "children": ended(plan["children"])} for plan in plans]


@pytest.fixture
def started(stage: Stage, tag: str) -> dict[str, str]:
    """A running release of each shape, by name."""
    ids = {name: stage.start_tree(name, *children) for name, children in shapes(tag).items()}
    for name, children in shapes(tag).items():
        eventually(partial(_whole, stage, ids[name], children), 30)
    return ids


def _whole(stage: Stage, release_id: str, plans: list[Plan], phase: str = "running") -> bool:
    rows = below(stage.json(f"/releases/{release_id}/hierarchy"))
    return len(rows) == count(plans) and all(row["phase"] == phase for row in rows)


def test_no_page_speaks_of_levels_that_are_not_there(stage: Stage, started: dict[str, str]):
    for name, release_id in started.items():
        page = stage.json(f"/releases/{release_id}/hierarchy")
        assert page["problem"] is None
        assert [row["id"] for row in below(page) if row["problem"] or row["phase"] != "running"] == [], name
        assert (page["blocked_by"], page["other_runs"]) == ([], []), name
        for ending in PAGES:
            stage.json(f"/releases/{release_id}{ending}")
            answer = stage.ask(f"/releases/{release_id}{ending}")
            assert answer.status_code == 200, (name, ending)
            for words in (
                "no wave<",
                "no cluster<",
                "no bundle<",
                "No waves yet",
                "unknown.",
                "0 waves",
                "0 clusters",
            ):
                assert words not in answer.text.replace("</b>", "<"), (name, ending, words)
        assert "unknown" not in stage.json(f"/kiosk/releases/{release_id}")
        assert stage.ask(f"/kiosk/releases/{release_id}").status_code == 200


def test_a_list_counts_as_waves_only_what_is_one(stage: Stage, started: dict[str, str]):
    stage.listed(*started)
    waves = {"bundles": 1, "waves": 1, "nested": 1, "mixed": 1}

    def listed() -> dict[str, int]:
        return {item["id"]: len(item["wave_ids"]) for item in stage.json("/releases")["items"] if item["inside"]}

    eventually(lambda: listed() == {id: waves.get(name, 0) for name, id in started.items()}, 30)


def test_nothing_of_them_is_a_problem_or_hides_a_difference(stage: Stage, started: dict[str, str]):
    stage.listed(*started)
    found = stage.json("/problems")
    assert (found["groups"], found["unanswered"]) == ([], 0)
    for release_id in started.values():
        compared = stage.json(f"/compare?left={release_id}&right={started['apps']}")
        assert (compared["whole"], compared["counts"]["unknown"], compared["left"]["gaps"]) == (True, 0, [])
        assert stage.ask(f"/compare?left={release_id}&right={started['apps']}").status_code == 200
        assert stage.json(f"/releases/{release_id}/matrix")["not_read"] == 0


def test_every_row_has_a_page_a_panel_and_a_line_in_the_table(stage: Stage, started: dict[str, str]):
    for name, release_id in started.items():
        rows = below(stage.json(f"/releases/{release_id}/hierarchy"))
        for row in rows:
            entity = stage.json(f"/releases/{release_id}/entities/{row['id']}")["entity"]
            assert entity["id"] == row["id"], name
        csv = stage.ask(f"/api/releases/{release_id}/hierarchy?format=csv")
        assert csv.text.count("\r\n") == len(rows) + 2, name


def test_only_what_exists_is_counted(stage: Stage, started: dict[str, str]):
    def pages() -> dict[str, Any]:
        return {name: stage.json(f"/releases/{release_id}/hierarchy") for name, release_id in started.items()}

    def counted() -> dict[str, tuple[int, int, int]]:
        return {
            name: (page["wave_progress"]["total"], page["cluster_progress"]["total"], page["progress"]["total"])
            for name, page in pages().items()
        }

    expected = {
        "apps": (0, 0, 2),
        "clusters": (0, 2, 2),
        "bundles": (1, 0, 1),
        "waves": (1, 0, 2),
        "uuids": (0, 0, 3),
        "nested": (2, 1, 1),
        "mixed": (1, 2, 5),
        "none": (0, 0, 0),
    }
    # Temporal lists child workflows late, and not always all of them at first.
    eventually(lambda: counted() == expected, 60)
    found = pages()
    nouns = {name: page["progress"]["noun"] for name, page in found.items()}
    assert (nouns["apps"], nouns["clusters"], nouns["nested"]) == ("app", "part", "cluster")
    empty = next(row for row in found["clusters"]["children"] if row["name"].startswith("eu/"))
    assert empty["progress"]["total"] == 0
    # Ids may begin with a 0, too.
    assert not re.search(r"\bof 0\b", stage.ask(f"/releases/{started['clusters']}").text)


def test_a_release_without_parts_says_so_while_it_runs_and_when_it_has_ended(stage: Stage, started: dict[str, str]):
    path = f"/releases/{started['none']}"
    for ending in ("", "/timeline", "/matrix"):
        assert "No parts yet" in stage.ask(f"{path}{ending}").text
    stage.end(started["none"], "well")
    for ending in ("", "/timeline", "/matrix"):
        eventually(partial(_says, stage, f"{path}{ending}", "No parts<"), 60)
        assert "No parts yet" not in stage.ask(f"{path}{ending}").text


def test_all_of_them_end_well(stage: Stage, tag: str):
    ids = {name: stage.start_tree(name, *ended(children)) for name, children in shapes(tag).items()}
    for release_id in ids.values():
        stage.end(release_id, "well")
    for name, release_id in ids.items():
        eventually(partial(_whole, stage, release_id, shapes(tag)[name], "succeeded"), 60)
        page = stage.json(f"/releases/{release_id}/hierarchy")
        assert (page["phase"], page["problem"], page["blocked_by"]) == ("succeeded", None, [])
        assert page["progress"]["succeeded"] == page["progress"]["total"]


def _says(stage: Stage, path: str, words: str) -> bool:
    return words in stage.ask(path).text


def test_a_child_workflow_below_an_app_has_its_row_there_and_its_failure_counts(stage: Stage, tag: str):
    migration = part(f"migrate-{tag}", end="lock wait timeout")
    release_id = stage.start_tree("below", part(f"app:shop/{tag}", migration))
    path = f"/releases/{release_id}/hierarchy"
    eventually(lambda: stage.json(path)["progress"]["failed"] == 1, 30)
    page = stage.json(path)
    (app,) = page["children"]
    (row,) = app["children"]
    assert (app["name"].startswith("shop"), row["name"], row["phase"]) == (True, f"migrate-{tag}", "failed")
    assert page["progress"]["total"] == 2
    assert "Nothing tells" not in stage.ask(f"/releases/{release_id}").text
    obstacle = page["blocked_by"][0]["obstacles"][0]
    assert (obstacle["id"], obstacle["failed"]) == (app["id"], 1)
    stage.listed("below")
    (group,) = stage.json("/problems")["groups"]
    assert group["what"] == "1 app of 1 release"


def test_a_root_with_activities_alone_that_are_tried_until_something_is_ready(stage: Stage, tag: str):
    release_id = f"{stage.prefix}-polls"
    stage.run(
        lambda client: client.start_workflow("Poller", {"stumble": True}, id=release_id, task_queue=stage.task_queue)
    )
    path = f"/releases/{release_id}"
    eventually(lambda: stage.json(path)["also_pending"], 30)
    eventually(lambda: stage.json(path)["also_pending"][0]["number"] > 1, 30)
    page = stage.json(path)
    assert (page["phase"], page["problem"], page["wave_progress"]["total"]) == ("running", None, 0)
    assert "connect timeout to registry" in stage.ask(path).text
    assert stage.ask(f"{path}/timeline").status_code == 200


def test_a_part_of_which_nothing_tells_what_it_is_has_a_page_wherever_it_occurs(stage: Stage, tag: str):
    plain, below = f"smoke-{tag}", f"smoke-{tag}/eu.1"
    release_id = stage.start_tree("tree", part(plain, part(below)))
    eventually(lambda: stage.json(f"/releases/{release_id}")["progress"]["total"] == 2)
    for workflow_id in (plain, below.replace("/", "~2F")):
        page = stage.json(f"/entities/app:{workflow_id}")
        assert [(each["release_id"], each["phase"], each["problem"]) for each in page["occurrences"]] == [
            (release_id, "running", None)
        ]
