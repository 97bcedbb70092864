"""Runs that a retry, a schedule or a reset began: each is a release of its own, and those before it are none."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from bs4 import BeautifulSoup
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client, WorkflowHandle
from temporalio.common import RetryPolicy

from tests.support.harness import Stage
from tests.support.waiting import eventually

SOON = RetryPolicy(initial_interval=timedelta(milliseconds=100), backoff_coefficient=1.0, maximum_attempts=5)
LATER = RetryPolicy(initial_interval=timedelta(minutes=10), maximum_interval=timedelta(minutes=10))


def part(stage: Stage, name: str, end: str = "well") -> dict[str, Any]:
    return {"type": "Part", "id": f"wave:{name}/{stage.prefix}", "end": end}


def items(stage: Stage, query: str = "") -> list[dict[str, Any]]:
    return stage.json(f"/releases{query}")["items"]


def words(stage: Stage, path: str) -> str:
    return BeautifulSoup(stage.ask(path).text, "html.parser").get_text(" ", strip=True)


def phases(stage: Stage, release_id: str) -> dict[str, str]:
    """The phases of a release's waves, by name."""
    return {wave["name"].partition("/")[0]: wave["phase"] for wave in stage.json(f"/releases/{release_id}")["waves"]}


def start_retried(stage: Stage, name: str, policy: RetryPolicy) -> tuple[str, str]:
    """A release whose first attempt has failed, and the id of that run."""
    release_id = stage.start_tree(name, part(stage, name), retry_policy=policy)
    first = stage.json(f"/releases/{release_id}")["run_id"]
    stage.on(release_id, lambda handle: handle.signal("finish", "canary: error rate 7% > 1%"))
    eventually(lambda: stage.json(f"/releases/{release_id}")["run_id"] != first)
    return release_id, first


def test_a_release_that_is_tried_again_is_one_row_that_says_how_its_last_attempt_failed(stage: Stage):
    release_id, first = start_retried(stage, "again", SOON)
    eventually(lambda: len(stage.json(f"/releases/{release_id}")["runs"]["all"]) == 2)
    eventually(lambda: [item["phase"] for item in items(stage)] == ["running"])
    item = items(stage)[0]
    assert (item["origin"]["attempt"], item["origin"]["before"]) == (2, first)
    assert item["origin"]["text"] == "attempt 2, previous attempt failed: RolloutFailed: canary: error rate 7% > 1%"
    page = stage.json("/releases")
    assert (page["counts"], page["total"], page["overview"]["ended"]) == ({"running": 1}, 1, {})
    assert (items(stage, "?phase=failed"), stage.json("/releases?phase=failed")["total"]) == ([], 0)
    assert stage.json("/problems")["groups"] == []
    for path in ("/releases", f"/releases/{release_id}"):
        assert "attempt 2, previous attempt failed: RolloutFailed: canary" in words(stage, path)
    before = stage.json(f"/releases/{release_id}?run={first}")
    assert (before["phase"], before["error_message"]) == ("failed", "RolloutFailed: canary: error rate 7% > 1%")
    assert before["runs"]["earlier"]


def test_a_release_that_waits_for_its_next_attempt_is_scheduled_for_it(stage: Stage):
    release_id, _ = start_retried(stage, "waits", LATER)
    page = stage.json(f"/releases/{release_id}")
    assert (page["phase"], page["state"], page["problem"], page["began_at"]) == ("pending", "scheduled", None, None)
    assert page["scheduled_for"] > page["started_at"]
    assert page["origin"]["last_failure"] == "RolloutFailed: canary: error rate 7% > 1%"
    eventually(lambda: [item["phase"] for item in items(stage)] == ["pending"])
    assert stage.json("/releases")["overview"]["moves"]["count"] == 0
    assert stage.json("/problems")["groups"] == []

    def runs() -> list[str]:
        return [run["phase"] for run in stage.json(f"/releases/{release_id}")["runs"]["all"]]

    eventually(lambda: runs() == ["pending", "failed"], 90)
    shown = BeautifulSoup(stage.ask(f"/releases/{release_id}").text, "html.parser").select(".runs .word")
    assert [word.get_text() for word in shown] == ["scheduled", "failed"], "what waits for its time does not run"


def test_the_last_attempt_that_fails_is_the_failed_release(stage: Stage):
    policy = RetryPolicy(initial_interval=timedelta(milliseconds=100), maximum_attempts=2)
    release_id, _ = start_retried(stage, "gives-up", policy)
    stage.end(release_id, "disk full")
    eventually(lambda: [item["phase"] for item in items(stage)] == ["failed"])
    assert items(stage)[0]["error_message"] == "RolloutFailed: disk full"
    assert stage.json("/releases")["counts"]["failed"] == 1
    assert len(items(stage, "?phase=failed")) == 1
    eventually(lambda: "disk full" in str(stage.json("/problems")["groups"]))


def test_an_attempt_has_the_children_of_its_own_alone(stage: Stage):
    release_id, first = start_retried(stage, "own", SOON)
    stage.on(release_id, lambda handle: handle.signal("spawn", part(stage, "only-now")))
    eventually(lambda: "only-now" in phases(stage, release_id))
    stage.on(release_id, lambda handle: handle.signal("finish", "again, no"))
    eventually(lambda: stage.json(f"/releases/{release_id}")["origin"]["attempt"] == 3)
    eventually(lambda: phases(stage, release_id) == {"own": "succeeded"})
    earlier = stage.json(f"/releases/{release_id}/hierarchy?run={first}")
    assert [wave["name"].partition("/")[0] for wave in earlier["waves"]] == ["own"]


def test_the_pages_past_the_first_leave_out_earlier_attempts_and_say_that_counts_may_have_more(stage: Stage):
    for number in range(3):
        stage.start_tree(f"n{number}")
    start_retried(stage, "again", SOON)
    eventually(lambda: stage.json("/releases")["counts"] == {"running": 4})
    listed = [stage.json(f"/releases?page_size=2&page={number}") for number in (1, 2, 3)]
    assert len({item["id"] for page in listed for item in page["items"] if item["phase"] != "failed"}) == 4
    assert [page["earlier"] for page in listed] == [0, 0, 1]
    assert [page["counts"] for page in listed] == [{"running": 4}] * 3
    assert not listed[0]["counts_exact"]
    assert "The counts may include more earlier runs" in words(stage, "/releases?page_size=2")
    whole = words(stage, "/releases")
    assert "1 earlier run not shown" in whole
    assert "No releases on this page" not in whole
    last = words(stage, "/releases?page_size=2&page=3")
    assert "No releases on this page 1 earlier run is not shown: only the latest run of a release is listed." in last


def test_a_fresh_start_under_the_id_of_a_failed_run_leaves_that_an_earlier_release(stage: Stage):
    release_id = stage.start_tree("twice")
    stage.end(release_id, "no capacity")
    stage.start_tree("twice")
    eventually(lambda: sorted(item["phase"] for item in items(stage)) == ["failed", "running"])
    assert stage.json("/releases")["counts"]["failed"] == 1
    assert stage.json("/releases")["earlier"] == 0


def test_a_release_on_a_schedule_shows_its_own_run_and_how_the_last_one_ended(stage: Stage):
    release_id = stage.start_tree("cron", part(stage, "one"), cron_schedule="@every 2s")
    first = stage.json(f"/releases/{release_id}")
    assert (first["phase"], first["origin"]["cron"]) == ("pending", "@every 2s")
    assert first["origin"]["text"] == "runs on schedule @every 2s", "no run came before this one"
    eventually(lambda: stage.json(f"/releases/{release_id}")["phase"] == "running")
    stage.on(release_id, lambda handle: handle.signal("spawn", part(stage, "two")))
    eventually(lambda: phases(stage, release_id) == {"one": "succeeded", "two": "succeeded"})
    stage.on(release_id, lambda handle: handle.signal("finish", "smoke test failed"))
    eventually(lambda: stage.json(f"/releases/{release_id}")["run_id"] != first["run_id"])
    page = stage.json(f"/releases/{release_id}")
    assert page["origin"]["text"] == "runs on schedule @every 2s, last run failed: RolloutFailed: smoke test failed"
    eventually(lambda: phases(stage, release_id) == {"one": "succeeded"}, 60)
    eventually(lambda: [item["run_id"] for item in items(stage)] == [page["run_id"]])
    assert stage.json("/releases")["overview"]["ended"] == {}
    assert items(stage, "?phase=failed") == []
    stage.on(release_id, lambda handle: handle.signal("finish", "well"))
    eventually(lambda: stage.json(f"/releases/{release_id}")["run_id"] != page["run_id"])
    assert "last run did not fail" in stage.json(f"/releases/{release_id}")["origin"]["text"]
    eventually(lambda: len(items(stage)) == 1 and items(stage)[0]["run_id"] != page["run_id"])
    assert items(stage, "?phase=succeeded") == [], "an earlier run of a schedule is no release of its own"
    stage.on(release_id, lambda handle: handle.terminate())


def reset_to(stage: Stage, release_id: str, is_point: Callable[[Any], bool]) -> None:
    """Reset a release to the first workflow task that has completed after the event that is looked for."""

    async def reset(client: Client) -> None:
        handle: WorkflowHandle[Any, Any] = client.get_workflow_handle(release_id)
        run_id = (await handle.describe()).run_id
        events = [event async for event in handle.fetch_history_events()]
        after = next(at for at, event in enumerate(events) if is_point(event))
        point = next(e.event_id for e in events[after:] if e.HasField("workflow_task_completed_event_attributes"))
        request = ResetWorkflowExecutionRequest(
            namespace="default",
            workflow_execution=WorkflowExecution(workflow_id=release_id, run_id=run_id),
            reason="the registry was down",
            workflow_task_finish_event_id=point,
            request_id=run_id,
        )
        await client.workflow_service.reset_workflow_execution(request)

    stage.run(reset)


def test_a_reset_release_keeps_what_came_before_its_point_and_counts_from_its_first_start(stage: Stage):
    release_id = stage.start_tree("reset", part(stage, "kept"))
    first = stage.json(f"/releases/{release_id}")
    eventually(lambda: phases(stage, release_id) == {"kept": "succeeded"})
    stage.on(release_id, lambda handle: handle.signal("spawn", part(stage, "undone")))
    eventually(lambda: phases(stage, release_id) == {"kept": "succeeded", "undone": "succeeded"})
    done = "child_workflow_execution_completed_event_attributes"
    reset_to(stage, release_id, lambda event: event.HasField(done))
    eventually(lambda: stage.json(f"/releases/{release_id}")["run_id"] != first["run_id"])
    eventually(lambda: phases(stage, release_id).get("kept") == "succeeded")
    page = stage.json(f"/releases/{release_id}")
    assert (page["origin"]["initiator"], page["origin"]["before"]) == ("reset", first["run_id"])
    assert "the registry was down" in page["origin"]["text"]
    assert page["began_at"] == first["started_at"] < page["started_at"]
    eventually(lambda: [item["run_id"] for item in items(stage)] == [page["run_id"]])
    assert stage.json("/releases")["overview"]["ended"] == {}, "the run that was reset has not ended as a release"
    assert items(stage, "?phase=terminated") == []


def test_a_reset_to_the_first_task_keeps_nothing(stage: Stage):
    release_id = stage.start_tree("anew", part(stage, "one"))
    first = stage.json(f"/releases/{release_id}")["run_id"]
    eventually(lambda: phases(stage, release_id) == {"one": "succeeded"})
    stage.on(release_id, lambda handle: handle.signal("spawn", part(stage, "two")))
    eventually(lambda: len(phases(stage, release_id)) == 2)
    reset_to(stage, release_id, lambda event: event.event_id == 1)
    eventually(lambda: stage.json(f"/releases/{release_id}")["run_id"] != first)
    # Temporal gives the reset run the signals that it had before; what it starts for them is its own.
    eventually(lambda: phases(stage, release_id).get("one") == "succeeded")
    run_id = stage.json(f"/releases/{release_id}")["run_id"]
    waves = stage.json(f"/releases/{release_id}/hierarchy")["waves"]
    own = [wave["details"]["run_id"] for wave in waves if wave["id"] == f"wave:one/{stage.prefix}"]

    async def roots(client: Client) -> list[str]:
        found = [client.get_workflow_handle(f"wave:one/{stage.prefix}", run_id=each) for each in own]
        return [(await handle.describe()).raw_info.root_execution.run_id for handle in found]

    assert stage.run(roots) == [run_id]


def test_attempts_that_failed_push_no_failed_release_off_a_page(stage: Stage):
    failed = stage.start_tree("failed", part(stage, "one"))
    stage.on(failed, lambda handle: handle.signal("finish", "disk full"))
    eventually(lambda: [item["id"] for item in items(stage, "?phase=failed")] == [failed])
    release_id, run_id = start_retried(stage, "again", SOON)
    for _ in range(3):
        run_id = stage.json(f"/releases/{release_id}")["run_id"]
        stage.on(release_id, lambda handle: handle.signal("finish", "canary: error rate 7% > 1%"))
        eventually(lambda before=run_id: stage.json(f"/releases/{release_id}")["run_id"] != before)

    def page() -> tuple[list[str], int, dict[str, int]]:
        found = stage.json("/releases?phase=failed&page_size=2")
        return [item["id"] for item in found["items"]], found["total"], found["counts"]

    eventually(lambda: page() == ([failed], 1, {"failed": 1, "running": 1}), 60)
    eventually(lambda: [item["id"] for item in items(stage)] == [release_id, failed])


def test_an_earlier_release_of_the_id_is_not_left_out_with_attempts_of_a_later_one(stage: Stage):
    own = stage.start_tree("shared")
    stage.end(own, "disk full")
    release_id, _ = start_retried(stage, "shared", SOON)
    run_id = stage.json(f"/releases/{release_id}")["run_id"]
    stage.on(release_id, lambda handle: handle.signal("finish", "canary: error rate 7% > 1%"))
    eventually(lambda: stage.json(f"/releases/{release_id}")["run_id"] != run_id)

    def page() -> tuple[list[str], int, dict[str, int]]:
        found = stage.json("/releases?phase=failed&page_size=1")
        return [item["error_message"] for item in found["items"]], found["total"], found["counts"]

    eventually(lambda: page() == (["RolloutFailed: disk full"], 1, {"failed": 1, "running": 1}))
