"""Releases with queries of their own: names like ours make no gap, and other answers cost their own row alone."""

from typing import Any
from uuid import uuid4

import pytest

from tests.support.harness import Stage
from tests.support.rollout_makers import hierarchy
from tests.support.waiting import eventually

ANSWERS = ["a text", 7, 2.5, True, None, [], ["wave:one"], {}, {"progress": 3, "phase": "canary"}, {"raise": "not now"}]


def child(tag: str) -> dict[str, Any]:
    return {"id": f"app:shop/{tag}", "type": "Part"}


def test_a_query_whose_name_only_begins_like_ours_makes_no_gap(stage: Stage):
    tag = uuid4().hex[:8]
    with_child = stage.start_tree("with", child(tag), kind="ForeignQueries")
    without = stage.start_tree("without", kind="ForeignQueries")
    for item in stage.listed("with", "without").values():
        assert (item["problem"], item["state"], item["phase"]) == (None, "running", "running")
    for release_id in (with_child, without):
        page = stage.json(f"/releases/{release_id}")
        assert (page["problem"], page["blocked_by"]) == (None, [])
        assert "get_hierarchy" not in stage.ask(f"/releases/{release_id}").text
    eventually(lambda: child(tag)["id"] in stage.ask(f"/api/releases/{with_child}/hierarchy").text, 30)
    found = stage.json("/problems")
    assert (found["groups"], found["read"], found["unanswered"]) == ([], 2, 0)


@pytest.mark.parametrize("answer", ANSWERS, ids=repr)
def test_an_answer_of_another_form_is_a_gap_on_its_release_beside_its_child_workflows(stage: Stage, answer: Any):
    tag = uuid4().hex[:8]
    odd = start(stage, "odd", answer, [child(tag)])
    well = stage.start("well", {"get_hierarchy": hierarchy(), "get_release_state": hierarchy()})
    eventually(lambda: child(tag)["id"] in stage.ask(f"/api/releases/{odd}/hierarchy").text, 30)
    page = stage.json(f"/releases/{odd}/hierarchy")
    assert page["problem"] is not None
    assert (page["phase"], page["status"]) == ("running", "RUNNING")
    assert stage.ask(f"/releases/{odd}").status_code == 200
    items = stage.listed("odd", "well")
    assert items["odd"]["problem"] is not None
    assert items["well"]["problem"] is None
    assert stage.json(f"/releases/{well}")["problem"] is None


@pytest.mark.parametrize("answer", ["a text", {"raise": "not now"}], ids=repr)
def test_so_is_one_of_a_handler_for_whatever_is_asked(stage: Stage, answer: Any):
    tag = uuid4().hex[:8]
    release_id = stage.start("any", {"get_hierarchy": answer, "get_release_state": answer})
    stage.on(release_id, lambda handle: handle.signal("spawn", child(tag)))
    eventually(lambda: child(tag)["id"] in stage.ask(f"/api/releases/{release_id}/hierarchy").text, 30)
    assert stage.json(f"/releases/{release_id}/hierarchy")["problem"] is not None


def test_a_state_without_waves_stands_above_the_child_workflows(stage: Stage):
    tag = uuid4().hex[:8]
    release_id = start(stage, "state", {"state": "awaiting_approval"}, [child(tag)])
    eventually(lambda: child(tag)["id"] in stage.ask(f"/api/releases/{release_id}/hierarchy").text, 30)
    page = stage.json(f"/releases/{release_id}/hierarchy")
    assert (page["state"], page["phase"], page["problem"]) == ("awaiting_approval", "paused", None)


def start(stage: Stage, name: str, answer: Any, children: list[dict[str, Any]]) -> str:
    """Start a release that answers both queries so."""
    release_id = f"{stage.prefix}-{name}"
    plan = {"answer": answer, "children": children}
    stage.run(lambda client: client.start_workflow("OtherAnswers", plan, id=release_id, task_queue=stage.task_queue))
    return release_id
