"""Temporal is well, and what runs the rollouts is not: every page says what is known, since when, and what is not."""

import time
from typing import Any

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetStickyTaskQueueRequest

from tests.support.every_page import ANSWERS, BOUND, Answers, ask_everything, pages_of
from tests.support.harness import Stage, scripted_worker
from tests.support.rollout_makers import hierarchy
from tests.support.waiting import eventually

pytestmark = pytest.mark.timing

NOBODY = {"no_worker", "query_timed_out"}
DEEP = {"raw": "[" * 3000 + "]" * 3000}
ODD = {"raw": '{"state": "deploy\\ud800ing", "cpu": NaN, "load": -Infinity, "waves": [{"id": "wave:a", "state": NaN}]}'}
EVIL = "</script></details><x-evil>\x00\x1b {{ 7*7 }}\n" + "x" * 3000


@pytest.fixture
def stage(unhurried_stage: Stage) -> Stage:
    """The bounds that are held here are those of a dashboard that looks as often as it does in earnest."""
    return unhurried_stage


def asked(stage: Stage, release_id: str) -> Answers:
    """Every page of a release that is in the list by now."""
    stage.listed(release_id.removeprefix(f"{stage.prefix}-"))
    return ask_everything(stage.app, stage.browser, pages_of(release_id), BOUND)


def forget_the_worker(stage: Stage, release_id: str) -> None:
    """Let Temporal hand queries to whoever is there: for 10 seconds it does to the worker that has gone."""
    execution = WorkflowExecution(workflow_id=release_id)
    reset = ResetStickyTaskQueueRequest(namespace="default", execution=execution)
    stage.run(lambda client: client.workflow_service.reset_sticky_task_queue(reset))


def in_trouble(answer: dict[str, Any]) -> dict[str, Any]:
    """Answers that are all the same trouble."""
    return dict.fromkeys(("get_hierarchy", "get_release_state", "get_app_state"), answer)


@pytest.mark.parametrize(
    ("answers", "code", "words"),
    [
        ({}, "query_unknown", "does not support the query"),
        (in_trouble({"raise": "KeyError: 'wave-3'"}), "query_failed", "failed in the workflow"),
        (in_trouble({"raw": "{not json"}), "malformed", "not valid JSON"),
        (in_trouble(["a", "list"]), "malformed", "a list; expected an object"),
        ({"get_hierarchy": None, "get_release_state": None, "get_app_state": ["x"]}, "malformed", "empty"),
        (in_trouble({"raw": "\x00\x01", "encoding": "binary/encrypted"}), "unreadable", "binary/encrypted"),
        (in_trouble({"repeat": 2_200_000}), "too_large", "2 MB"),
        (in_trouble(DEEP), "malformed", ""),
    ],
    ids=["unknown", "raises", "malformed", "not-an-object", "null", "encrypted", "too-large", "deep"],
)
def test_a_release_that_cannot_be_read_says_why_on_every_page(stage: Stage, answers: dict, code: str, words: str):
    release_id = stage.start("faulty", answers)
    found = asked(stage, release_id)
    listing, release, hierarchy_, entity, occurrences, problems, *_ = pages_of(release_id)
    for path in (release, hierarchy_):
        twin = found.twins[path].get_json()
        assert (twin["phase"], twin["status"], twin["problem"]["code"]) == ("running", "RUNNING", code)
        assert twin["as_of"]
        assert words in twin["problem"]["message"]
        # What only a codec could read may be well.
        assert ("Incomplete data" in found.pages[path].text) == (code != "unreadable")
        assert "Running" in found.pages[path].text or "running" in found.pages[path].text
    (item,) = found.twins[listing].get_json()["items"]
    assert (item["phase"], item["problem"]["code"]) == ("running", code)
    assert f'data-entity-id="{release_id}"' in found.pages[listing].text
    assert found.twins[entity].get_json()["error"]["code"] == code, "whether it exists is not known"
    assert found.twins[entity].status_code == found.pages[entity].status_code == 503
    assert found.statuses <= {200, 503}
    gaps = found.twins[occurrences].get_json()
    assert release_id in found.twins[occurrences].text, "a release that did not say is no release without it"
    assert gaps["stale"] is False
    assert found.twins[problems].get_json()["unanswered"] == 1


def test_numbers_that_are_none_and_halves_of_letters_break_no_page(stage: Stage):
    release_id = stage.start("odd", in_trouble(ODD))
    found = asked(stage, release_id)
    for twin in found.twins.values():
        assert "NaN" not in twin.text
        assert "Infinity" not in twin.text
    assert found.twins[f"/releases/{release_id}"].get_json()["state"] == "deploy\N{REPLACEMENT CHARACTER}ing"
    (item,) = found.twins["/releases?page_size=100"].get_json()["items"]
    assert item["state"] == "deploy\N{REPLACEMENT CHARACTER}ing"


@pytest.mark.parametrize("where", ["raised", "told"])
def test_error_texts_are_text_cut_to_a_line_with_the_whole_behind_a_disclosure(stage: Stage, where: str):
    tree = hierarchy(clusters=1, apps=1)
    app = {"id": "app:a0-0", "state": "failed", "error_message": EVIL}
    tree["error_message"] = EVIL
    tree["waves"][0]["clusters"][0]["bundle"]["apps"] = [app]
    told = ANSWERS | {"get_hierarchy": tree, "get_app_state": {"by_id": {"app:a0-0": app}}}
    release_id = stage.start("evil", told if where == "told" else in_trouble({"raise": EVIL}))
    found = asked(stage, release_id)
    for page in found.pages.values():
        assert not [part for part in ("<x-evil", "\x00", "\x1b") if part in page.text]
    assert "x" * 3000 in found.twins[f"/releases/{release_id}"].text, "the JSON keeps the whole"
    whole = found.pages[f"/releases/{release_id}"].text
    assert "x" * 3000 in whole[whole.index('<details class="whole"') :]


def test_a_slow_worker_costs_nobody_more_than_the_deadline(stage: Stage, tmp_path):
    queue = f"{stage.prefix}-slow"
    with scripted_worker(stage.address, queue, tmp_path / "worker.log"):
        names = [f"slow-{number}" for number in range(3)]
        ids = [stage.start(name, in_trouble({"slow": 3.0}), task_queue=queue) for name in names]
        stage.listed(*names)
        found = ask_everything(stage.app, stage.browser, pages_of(ids[0]), BOUND)
        items = found.twins["/releases?page_size=100"].get_json()["items"]
        assert {item["problem"]["code"] for item in items} == {"query_timed_out"}
        assert [item["phase"] for item in items] == ["running"] * 3
        release = found.twins[f"/releases/{ids[0]}"].get_json()
        assert (release["phase"], release["problem"]["code"]) == ("running", "query_timed_out")
        assert "did not answer the query" in found.pages[f"/releases/{ids[0]}"].text
        assert found.twins["/problems"].get_json()["unanswered"] == 3


def test_a_worker_that_goes_is_noticed_within_10_seconds_and_its_return_within_5(stage: Stage, tmp_path):
    queue = f"{stage.prefix}-queue"
    with scripted_worker(stage.address, queue, tmp_path / "worker.log"):
        release_id = stage.start("orphan", ANSWERS, task_queue=queue)
        path = f"/releases/{release_id}"
        asked(stage, release_id)
        eventually(lambda: stage.json(path)["as_of"] and not stage.json(path)["stale"], 60)
        good = stage.json(path)
    gone = time.monotonic()
    # Nothing happens in the release: that nobody works for it has to be found out all the same.
    eventually(lambda: stage.json(path)["stale"], 10 - (time.monotonic() - gone))
    eventually(lambda: stage.listed("orphan")["orphan"]["problem"], 10 - (time.monotonic() - gone))
    found = ask_everything(stage.app, stage.browser, pages_of(release_id), BOUND)
    assert found.statuses == {200}
    for path in pages_of(release_id)[1:4]:
        twin = found.twins[path].get_json()
        assert (twin["stale"], twin["reason"]["code"] in NOBODY) == (True, True)
        assert "Out of date" in found.pages[path].text
        assert twin["as_of"][:19] in found.pages[path].text, "since when"
    path = f"/releases/{release_id}"
    assert found.twins[path].get_json()["waves"] == good["waves"]
    (item,) = found.twins["/releases?page_size=100"].get_json()["items"]
    assert (item["state"], item["problem"]["code"] in NOBODY, bool(item["said_at"])) == ("in_progress", True, True)
    eventually(lambda: stage.json("/problems")["unanswered"] == 1, 60)
    forget_the_worker(stage, release_id)
    with scripted_worker(stage.address, queue, tmp_path / "again.log"):
        eventually(lambda: not stage.json(path)["stale"], 60)
        eventually(lambda: stage.listed("orphan")["orphan"]["problem"] is None, 60)


def test_a_release_that_is_too_large_and_slow_costs_nobody_more_than_the_deadline(stage: Stage, tmp_path):
    waves = [f"wave:w{number}" for number in range(6)]
    answers = {
        "get_hierarchy": {"repeat": 2_200_000},
        "get_release_state": {"state": "in_progress", "wave_ids": waves},
        "get_wave_hierarchy": {"slow": 0.4, "wave_of": {"clusters": 1, "apps": 1}},
    }
    queue = f"{stage.prefix}-slow"
    with scripted_worker(stage.address, queue, tmp_path / "worker.log"):
        release_id = stage.start("large", answers, task_queue=queue)
        found = asked(stage, release_id)
        twin = found.twins[f"/releases/{release_id}/hierarchy"].get_json()
        assert [wave["id"] for wave in twin["waves"]] == waves
        assert twin["unread"], "it says which waves are still to come"
        eventually(lambda: not stage.json(f"/releases/{release_id}")["unread"])
