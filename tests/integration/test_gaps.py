"""What a dashboard shows when something does not answer: a gap with its reason, never a missing row."""

import pytest

from tests.integration.test_worker_trouble import forget_the_worker
from tests.support.harness import Stage, scripted_worker
from tests.support.rollout_makers import hierarchy
from tests.support.stalled_machine import within
from tests.support.waiting import eventually

TREE = hierarchy()
STATE = {key: value for key, value in TREE.items() if key != "waves"}


def test_one_release_that_fails_does_not_hide_the_others(stage: Stage):
    stage.start("good", {"get_release_state": STATE})
    stage.start("bad", {"get_release_state": {"raise": "boom"}})
    items = stage.listed("good", "bad")
    assert items["good"]["problem"] is None
    assert items["bad"]["problem"]["detail"]
    assert stage.json("/releases")["total"] == 2


@pytest.mark.timing
def test_a_release_that_no_worker_serves_is_shown_with_what_temporal_knows(stage: Stage):
    release_id = stage.start("alone", {"get_hierarchy": TREE}, task_queue="nobody-polls-this")
    page = within(2.5, stage, lambda: stage.json(f"/releases/{release_id}"))
    assert page["problem"]["code"] in {"no_worker", "query_timed_out"}
    item = stage.listed("alone")["alone"]
    assert item["phase"] == "running"
    assert item["problem"]["code"] in {"no_worker", "query_timed_out"}


def test_when_the_worker_goes_the_last_known_tree_stays_and_says_since_when(stage: Stage, tmp_path):
    queue = f"{stage.prefix}-queue"
    with scripted_worker(stage.address, queue, tmp_path / "worker.log"):
        release_id = stage.start("orphan", {"get_hierarchy": TREE, "get_release_state": STATE}, task_queue=queue)
        good = stage.json(f"/releases/{release_id}")
        assert stage.listed("orphan")["orphan"]["state"] == "in_progress"
    stage.tell(release_id, {})  # the history grows, so that there is something to ask
    eventually(lambda: stage.json(f"/releases/{release_id}")["stale"])
    stale = stage.json(f"/releases/{release_id}")
    assert stale["waves"] == good["waves"]
    assert stale["reason"]["code"] in {"no_worker", "query_timed_out"}
    assert stale["as_of"] < stage.ask("/api/releases").get_json()["as_of"]
    assert "Out of date" in stage.ask(f"/releases/{release_id}").text
    eventually(lambda: stage.listed("orphan")["orphan"]["problem"])
    item = stage.listed("orphan")["orphan"]
    assert item["said_at"]
    assert (item["state"], item["problem"]["code"]) == ("in_progress", stale["reason"]["code"])
    forget_the_worker(stage, release_id)
    stage.on(release_id, lambda handle: handle.terminate(reason="gave up"))
    eventually(lambda: stage.json(f"/releases/{release_id}")["phase"] == "terminated")
    ended = stage.json(f"/releases/{release_id}/hierarchy")
    assert ended["stale"]
    assert {wave["phase"] for wave in ended["waves"]} == {"terminated"}, "no dead release is shown as running"
    with scripted_worker(stage.address, queue, tmp_path / "again.log"):
        eventually(lambda: not stage.json(f"/releases/{release_id}")["stale"])


def test_an_execution_whose_id_does_not_begin_with_release_is_one_like_any_other(stage: Stage):
    stage.prefix = stage.prefix.replace("release:", "deploy-")
    stage.show(f"WorkflowId STARTS_WITH '{stage.prefix}'")
    stage.start("x", {"get_release_state": STATE})
    item = stage.listed("x")["x"]
    assert (item["problem"], item["name"]) == (None, item["id"])
    assert f'href="/releases/{item["id"]}"' in stage.ask("/releases").text


def test_hostile_words_are_text_on_the_page(stage: Stage):
    evil = '"><img src=x onerror=alert(1)><script>alert(2)</script>{{ 7*7 }}'
    tree = hierarchy(clusters=1, apps=1)
    tree |= {"state": evil, "error_message": evil, evil: evil}
    tree["waves"][0] |= {"state": evil, "name": evil}
    tree["waves"][0]["clusters"][0] |= {"state": evil, "error_message": evil, "name": evil}
    release_id = stage.start("evil", {"get_hierarchy": tree, "get_release_state": tree})
    stage.listed("evil")
    for path in (f"/releases/{release_id}", f"/releases/{release_id}/hierarchy", "/releases"):
        html = stage.ask(path).text
        assert "<img" not in html
        assert "alert(2)</script>" not in html
        assert "{{ 7*7 }}" in html, "what looks like a template is text as well"
    assert stage.json(f"/releases/{release_id}")["state"] == evil, "the JSON keeps the whole word"


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/releases/release:never", 404, "not_found"),
        ("/releases/never", 404, "not_found"),
        ("/releases/wave:one", 404, "not_found"),
        ("/releases/release:two%20words", 404, "not_found"),
        ("/releases/release:nul%00", 404, "not_found"),
        (f"/releases/{'x' * 1001}", 422, "malformed_id"),
        ("/releases/release:never/entities/planet:x", 422, "malformed_id"),
        ("/entities/nothing", 404, "not_found"),
        (f"/entities/{'x' * 1001}", 422, "malformed_id"),
        ("/releases?page=0", 422, "invalid_parameter"),
        ("/releases?page=one", 422, "invalid_parameter"),
        ("/releases?page_size=101", 422, "invalid_parameter"),
        ("/releases?page_size=-1", 422, "invalid_parameter"),
        ("/releases?page=51", 422, "invalid_parameter"),
        ("/releases?page=٣", 422, "invalid_parameter"),
        ("/nowhere", 404, "not_found"),
    ],
)
def test_what_cannot_be_answered_says_why_in_both_forms(still: Stage, path: str, status: int, code: str):
    error = still.json(path, status)["error"]
    assert error["code"] == code
    page = still.ask(path)
    assert page.status_code == status
    assert 'id="main"' in page.text
    assert page.headers["X-Request-ID"] in page.text
    assert "Traceback" not in page.text


def test_an_entity_that_a_known_tree_has_not_is_not_found(stage: Stage):
    release_id = stage.start("known", {"get_hierarchy": TREE})
    error = stage.json(f"/releases/{release_id}/entities/app:nowhere", 404)["error"]
    assert error["code"] == "entity_not_found"
    assert "app:nowhere" in error["message"]


def test_numbers_that_are_none_and_halves_of_letters_break_neither_page_nor_json(stage: Stage):
    raw = '{"state": "deploy\\ud800ing", "cpu": NaN, "load": -Infinity, "waves": [{"id": "wave:a", "state": NaN}]}'
    release_id = stage.start("odd", {"get_hierarchy": {"raw": raw}})
    answer = stage.ask(f"/api/releases/{release_id}")
    assert "NaN" not in answer.text
    page = answer.get_json()
    assert page["state"] == "deploy\N{REPLACEMENT CHARACTER}ing"
    assert page["details"] == {"cpu": "nan", "load": "-inf"}
    assert stage.ask(f"/releases/{release_id}").status_code == 200


def test_a_step_that_no_worker_takes_up_is_told_with_its_task_queue(unhurried_stage: Stage):
    stage = unhurried_stage
    release_id = stage.start("waiting", {"get_hierarchy": TREE}, task_queue="nobody-polls-this")
    path = f"/releases/{release_id}"
    assert stage.json(path)["waiting_since"] is None, "a moment is nothing unusual"
    eventually(lambda: stage.json(path)["waiting_since"])
    page = stage.ask(path).text
    assert "No worker is picking up the next step" in page
    assert "nobody-polls-this" in page
