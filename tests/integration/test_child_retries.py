"""Child workflows that a retry or a schedule began anew: one row each, with how the run before it failed."""

from typing import Any

from tests.integration.test_retries_schedules_resets import part, words
from tests.support.harness import Stage
from tests.support.waiting import eventually


def test_a_child_that_is_tried_again_is_one_row_with_its_attempt(stage: Stage):
    child = part(stage, "retried", "image pull back-off") | {"retry": 600.0}
    release_id = stage.start_tree("child", child)

    def wave() -> dict[str, Any]:
        return stage.json(f"/releases/{release_id}")["waves"][0]

    eventually(lambda: stage.json(f"/releases/{release_id}")["waves"] and wave()["attempt"])
    eventually(lambda: wave()["phase"] != "failed")
    attempt = wave()["attempt"]
    assert (attempt["number"], attempt["retrying"]) == (2, True)
    assert attempt["last_failure"]["message"] == "image pull back-off"
    assert attempt["next_at"] is not None
    # A page is as of when its read began: what began meanwhile is in it.
    eventually(lambda: wave()["began_at"] < stage.json(f"/releases/{release_id}")["as_of"] < attempt["next_at"])
    assert len(stage.json(f"/releases/{release_id}")["waves"]) == 1
    text = words(stage, f"/releases/{release_id}")
    assert "attempt 2" in text
    assert "image pull back-off" in text


def test_of_a_child_that_is_at_its_next_attempt_no_other_is_next(stage: Stage):
    child = part(stage, "second") | {"retry": 1.0, "end": None}
    release_id = stage.start_tree("child", child)
    eventually(lambda: stage.json(f"/releases/{release_id}")["waves"])
    stage.on(child["id"], lambda handle: handle.signal("finish", "image pull back-off"))

    def attempt() -> dict[str, Any]:
        waves = stage.json(f"/releases/{release_id}")["waves"]
        return (waves[0]["attempt"] if waves else None) or {}

    eventually(lambda: attempt().get("number") == 2 and attempt()["next_at"] is None)
    assert attempt()["last_failure"]["message"] == "image pull back-off"


def test_a_child_on_a_schedule_says_until_its_time_comes_how_its_last_run_failed(stage: Stage):
    child = part(stage, "smoke", "error rate 7% > 1%") | {"cron": "@every 5s"}
    release_id = stage.start_tree("nightly", child)

    def wave() -> dict[str, Any]:
        return (stage.json(f"/releases/{release_id}")["waves"] or [{}])[0]

    eventually(lambda: wave().get("phase") == "pending" and wave()["error_message"])
    assert wave()["error_message"] == "Last run failed: RolloutFailed: error rate 7% > 1%"
    assert stage.json(f"/releases/{release_id}")["summary"] == "running"
