"""Runs that were reset after their end: each release is one row and counted once, by its latest run."""

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import ResetReapplyType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client

from tests.integration.test_retries_schedules_resets import items
from tests.support.harness import Stage
from tests.support.waiting import eventually

Counts = dict[str, int]


def run_of(stage: Stage, release_id: str) -> str:
    return str(stage.on(release_id, lambda handle: handle.describe()).run_id)


def first_task(stage: Stage, release_id: str, run_id: str) -> int:
    """The first workflow task that a run has completed, once it has."""
    found: list[int] = []

    async def look(client: Client) -> bool:
        events = client.get_workflow_handle(release_id, run_id=run_id).fetch_history_events()
        found[:] = [e.event_id async for e in events if e.HasField("workflow_task_completed_event_attributes")]
        return bool(found)

    eventually(lambda: stage.run(look))
    return found[0]


def reset(stage: Stage, release_id: str, run_id: str, end: str = "") -> str:
    """Reset a run to its first task, without the signals that came later, and let it end so; returns the new run's
    id."""
    task = first_task(stage, release_id, run_id)

    async def ask(client: Client) -> str:
        request = ResetWorkflowExecutionRequest(
            namespace="default",
            workflow_execution=WorkflowExecution(workflow_id=release_id, run_id=run_id),
            reason="the registry was down",
            workflow_task_finish_event_id=task,
            request_id=f"{run_id}-{task}-{end}",
            reset_reapply_type=ResetReapplyType.RESET_REAPPLY_TYPE_NONE,
        )
        return (await client.workflow_service.reset_workflow_execution(request)).run_id

    new = stage.run(ask)
    # A signal that comes before its first task is kept when it is reset again.
    first_task(stage, release_id, new)
    if end:
        stage.end(release_id, end)
    return new


def failed(stage: Stage, name: str) -> tuple[str, str]:
    """A release that has failed, and its run's id."""
    release_id = stage.start_tree(name)
    first_task(stage, release_id, run_of(stage, release_id))
    stage.end(release_id, "disk full")
    return release_id, run_of(stage, release_id)


def shown(stage: Stage, query: str = "") -> tuple[list[str], Counts, int]:
    page = stage.json(f"/releases{query}")
    return sorted(item["run_id"] for item in page["items"]), page["counts"], page["total"]


def anew(stage: Stage) -> None:
    """Look with a dashboard that has seen nothing."""
    stage.show(f"WorkflowId STARTS_WITH '{stage.prefix}'")


def test_a_release_that_failed_was_reset_and_failed_again_is_one_failed_release(stage: Stage):
    release_id, first = failed(stage, "again")
    eventually(lambda: shown(stage, "?phase=failed") == ([first], {"failed": 1}, 1))
    second = reset(stage, release_id, first)
    eventually(lambda: shown(stage) == ([second], {"running": 1}, 1))
    eventually(lambda: shown(stage, "?phase=failed") == ([], {"running": 1}, 0))
    assert (stage.json("/releases")["overview"]["ended"], stage.json("/problems")["groups"]) == ({}, [])
    stage.end(release_id, "disk full again")
    for look in range(2):
        for query in ("", "?phase=failed"):
            eventually(lambda query=query: shown(stage, query) == ([second], {"failed": 1}, 1))
        page = stage.json("/releases")
        assert (page["overview"]["ended"], page["earlier"], page["counts_exact"]) == ({"failed": 1}, 1, True)
        assert page["overview"]["needs_somebody"]["count"] == 1
        eventually(lambda: "disk full again" in str(stage.json("/problems")["groups"]))
        assert stage.json("/problems")["broken"] == 1
        if not look:
            anew(stage)
            assert shown(stage, "?phase=failed")[0] == [second], "a first look shows no other"


def test_reset_twice_and_reset_of_a_reset_are_one_release_also_where_the_id_is_used_again(stage: Stage):
    release_id, first = failed(stage, "often")
    reset(stage, release_id, first, "no")
    third = reset(stage, release_id, first, "no, not either")
    last = reset(stage, release_id, third, "nor so")
    eventually(lambda: shown(stage, "?phase=failed") == ([last], {"failed": 1}, 1))
    fresh = stage.start_tree("often")
    assert fresh == release_id
    latest = run_of(stage, release_id)
    eventually(lambda: shown(stage) == (sorted([last, latest]), {"failed": 1, "running": 1}, 2))
    anew(stage)
    assert shown(stage, "?phase=failed")[0] == [last]


def test_of_whatever_end_a_run_was_reset_from_its_release_is_one(stage: Stage):
    names = [stage.start_tree(name) for name in ("well", "stopped", "cancelled")]
    for each in names:
        first_task(stage, each, run_of(stage, each))
    stage.end(names[0], "well")
    stage.on(names[1], lambda handle: handle.terminate())
    stage.on(names[2], lambda handle: handle.cancel())
    stage.wait_until_closed(names[2])
    before = [run_of(stage, each) for each in names]
    eventually(lambda: shown(stage)[1] == {"succeeded": 1, "terminated": 1, "cancelled": 1})
    after = [
        reset(stage, *run, end)
        for run, end in zip(zip(names, before, strict=True), ("disk full", "well", "no"), strict=True)
    ]
    expected = {"failed": 2, "succeeded": 1}
    eventually(lambda: shown(stage) == (sorted(after), expected, 3))
    assert stage.json("/releases")["overview"]["ended"] == expected
    assert shown(stage, "?phase=succeeded")[0] == [after[1]]
    for phase in ("terminated", "cancelled"):
        assert shown(stage, f"?phase={phase}")[0] == []


def test_another_release_of_the_same_id_is_counted_beside_one_that_was_reset(stage: Stage):
    release_id, own = failed(stage, "shared")
    _, first = failed(stage, "shared")
    last = reset(stage, release_id, first, "disk full")
    eventually(lambda: shown(stage) == (sorted([own, last]), {"failed": 2}, 2))
    older = reset(stage, release_id, own, "well")
    eventually(lambda: shown(stage) == (sorted([last, older]), {"failed": 1, "succeeded": 1}, 2))
    anew(stage)
    assert shown(stage, "?phase=failed")[0] == [last]


def test_a_release_that_had_continued_as_new_is_one_after_its_reset_from_any_of_its_runs(stage: Stage):
    release_id, first = failed(stage, "plain")
    release_id = stage.start_tree("long")
    first_task(stage, release_id, run_of(stage, release_id))
    begin = run_of(stage, release_id)
    stage.on(release_id, lambda handle: handle.signal("finish", "again"))
    eventually(lambda: run_of(stage, release_id) != begin)
    second = run_of(stage, release_id)
    first_task(stage, release_id, run_of(stage, release_id))
    stage.end(release_id, "disk full")
    third = reset(stage, release_id, second, "no")
    eventually(lambda: shown(stage) == (sorted([first, third]), {"failed": 2}, 2))
    last = reset(stage, release_id, begin, "nor so")
    eventually(lambda: shown(stage) == (sorted([first, last]), {"failed": 2}, 2))
    anew(stage)
    assert shown(stage, "?phase=failed")[0] == sorted([first, last])
    assert {item["began_at"] for item in items(stage)} == {
        stage.json(f"/releases/{each}")["began_at"] for each in (release_id, f"{stage.prefix}-plain")
    }


def test_runs_that_were_reset_push_no_failed_release_off_a_page(stage: Stage):
    other, own = failed(stage, "other")
    release_id, run_id = failed(stage, "often")
    runs = [run_id]
    for number in range(3):
        runs.append(reset(stage, release_id, runs[-1], f"no {number}"))

    def pages() -> tuple[list[list[str]], set[int]]:
        found = [stage.json(f"/releases?phase=failed&page_size=1&page={number}") for number in (1, 2)]
        return [[item["run_id"] for item in page["items"]] for page in found], {page["total"] for page in found}

    eventually(lambda: pages() == ([[runs[-1]], [own]], {2}))
    assert other in str(stage.json("/problems"))
