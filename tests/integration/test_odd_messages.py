"""What servers may send that this dashboard has never seen: each costs its own row, and the page is there."""

from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from temporalio.api.enums.v1 import PendingActivityState
from temporalio.api.workflowservice.v1 import (
    CountWorkflowExecutionsResponse,
    DescribeWorkflowExecutionResponse,
    ListWorkflowExecutionsRequest,
    ListWorkflowExecutionsResponse,
)

from tests.support.every_page import ANSWERS, pages_of
from tests.support.grpc_gate import CountingGate, counting_gate
from tests.support.harness import Stage
from tests.support.waiting import eventually


@pytest.fixture
def gate(stage: Stage) -> Iterator[CountingGate]:
    """A gate before the server, through which the dashboard of the stage looks."""
    with counting_gate(stage.address) as gate:
        yield gate


class Refused(grpc.RpcError):
    """A refusal by an older server."""

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.INVALID_ARGUMENT

    def details(self) -> str:
        return "invalid query: invalid expression: invalid ExecutionStatus value 'Paused'"

    def trailing_metadata(self) -> tuple[Any, ...]:
        return ()


def look_through(stage: Stage, gate: CountingGate) -> None:
    """Let the dashboard look through the gate; the test's own client does not."""
    direct, stage.address = stage.address, gate.address
    stage.show(f"WorkflowId STARTS_WITH '{stage.prefix}'")
    stage.address = direct


def altering(release_id: str, change: Callable[[Any], None]) -> Callable[[str, bytes, Callable[[], bytes]], bytes]:
    """Change what lists and describes tell of one workflow."""

    def around(method: str, _request: bytes, forward: Callable[[], bytes]) -> bytes:
        answer = forward()
        if method == "ListWorkflowExecutions":
            listed = ListWorkflowExecutionsResponse.FromString(answer)
            for info in listed.executions:
                if info.execution.workflow_id == release_id:
                    change(info)
            return listed.SerializeToString()
        if method == "DescribeWorkflowExecution":
            described = DescribeWorkflowExecutionResponse.FromString(answer)
            if described.workflow_execution_info.execution.workflow_id == release_id:
                change(described.workflow_execution_info)
                described.workflow_extended_info.original_start_time.seconds = -(2**50)
            return described.SerializeToString()
        return answer

    return around


def of_status(number: int) -> Callable[[Any], None]:
    return lambda info: setattr(info, "status", number)


def started_at(seconds: int) -> Callable[[Any], None]:
    return lambda info: setattr(info.start_time, "seconds", seconds)


def item(stage: Stage, release_id: str) -> Any:
    found = [each for each in stage.json("/releases?page_size=100")["items"] if each["id"] == release_id]
    return found[0] if found else None


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (of_status(99), "unknown_status", "a status that this dashboard does not support (code 99)"),
        (of_status(9), "unknown_status", "(code 9)"),
        (started_at(-(2**60)), "undecodable", "The start could not be decoded"),
        (started_at(2**60), "undecodable", "The start could not be decoded"),
        (lambda info: setattr(info.close_time, "seconds", 2**60), "undecodable", "The end could not be decoded"),
        (lambda info: setattr(info.execution_time, "nanos", -(2**31)), None, ""),
    ],
)
def test_an_execution_that_is_not_understood_is_a_row_that_says_so(
    stage: Stage, gate: CountingGate, change: Callable[[Any], None], code: str | None, said: str
):
    odd, well = stage.start("odd", ANSWERS), stage.start("well", ANSWERS)
    stage.listed("odd", "well")
    gate.around = altering(odd, change)
    look_through(stage, gate)
    eventually(lambda: item(stage, odd) and (code is None or item(stage, odd)["problem"]))
    problem = item(stage, odd)["problem"]
    assert code is None or (problem["code"], said in problem["message"]) == (code, True), problem
    assert item(stage, well)["problem"] is None
    for path in pages_of(odd):
        assert stage.ask(path).status_code in {200, 404}, path
    eventually(lambda: stage.json(f"/releases/{odd}")["entities"] > 3)


def test_a_number_that_does_not_exist_yet_is_named_in_the_json_of_its_release(stage: Stage, gate: CountingGate):
    odd = stage.start("odd", ANSWERS)
    stage.listed("odd")
    gate.around = altering(odd, of_status(99))
    look_through(stage, gate)
    page = stage.json(f"/releases/{odd}")
    assert (page["status"], page["status_code"]) == ("UNKNOWN", 99)


def test_a_word_for_a_status_that_does_not_exist_yet_is_counted(stage: Stage, gate: CountingGate):
    def around(method: str, _request: bytes, forward: Callable[[], bytes]) -> bytes:
        answer = forward()
        if method != "CountWorkflowExecutions":
            return answer
        counted = CountWorkflowExecutionsResponse.FromString(answer)
        for group in counted.groups:
            group.group_values[0].data = b'"Hibernating"'
        broken = counted.groups.add(count=1)
        broken.group_values.add(data=b"\xff\xfe", metadata={"encoding": b"\xff"})
        return counted.SerializeToString()

    stage.start("r", ANSWERS)
    stage.listed("r")
    gate.around = around
    look_through(stage, gate)
    assert stage.ask("/releases").status_code == 200
    assert stage.json("/releases?page_size=1")["counts"]


def test_a_server_that_knows_no_pause_has_no_paused_releases_and_refuses_no_page(stage: Stage, gate: CountingGate):
    def around(method: str, request: bytes, forward: Callable[[], bytes]) -> bytes:
        if method == "ListWorkflowExecutions":
            query = ListWorkflowExecutionsRequest.FromString(request).query
            if "'Paused'" in query:
                raise Refused
        return forward()

    release_id = stage.start("r", ANSWERS)
    stage.listed("r")
    gate.around = around
    look_through(stage, gate)
    assert stage.json("/releases?phase=paused")["items"] == []
    both = stage.json("/releases?phase=paused&phase=running")
    assert [each["id"] for each in both["items"]] == [release_id]


def test_activities_in_states_that_do_not_exist_yet_are_shown_as_pending(stage: Stage, gate: CountingGate):
    def around(method: str, _request: bytes, forward: Callable[[], bytes]) -> bytes:
        answer = forward()
        if method != "DescribeWorkflowExecution":
            return answer
        described = DescribeWorkflowExecutionResponse.FromString(answer)
        for activity in described.pending_activities:
            activity.state = max(PendingActivityState.values()) + 7
            activity.next_attempt_schedule_time.seconds = 2**60
            activity.heartbeat_details.payloads.add(data=b"\xff" * 3_000_000, metadata={"encoding": b"json/\xff"})
            activity.last_failure.application_failure_info.category = 99
        described.pending_workflow_task.state = 77
        return described.SerializeToString()

    release_id = stage.start("r", ANSWERS)
    stage.listed("r")
    stage.on(release_id, lambda handle: handle.signal("retry", "app:a0-0"))
    gate.around = around
    look_through(stage, gate)
    entity = lambda: stage.json(f"/releases/{release_id}/entities/app:a0-0")["entity"]  # noqa: E731
    eventually(lambda: entity()["attempt"] and entity()["attempt"]["last_failure"])
    assert entity()["attempt"]["next_at"] is None
    assert "could not be decoded" in entity()["problem"]["message"]
    assert stage.json(f"/releases/{release_id}")["problem"] is None


def test_an_activity_of_no_row_says_itself_what_of_it_cannot_be_read(stage: Stage, gate: CountingGate):
    def around(method: str, _request: bytes, forward: Callable[[], bytes]) -> bytes:
        answer = forward()
        if method != "DescribeWorkflowExecution":
            return answer
        described = DescribeWorkflowExecutionResponse.FromString(answer)
        for activity in described.pending_activities:
            activity.next_attempt_schedule_time.seconds = 2**60
        return described.SerializeToString()

    release_id = stage.start("r", ANSWERS)
    stage.listed("r")
    stage.on(release_id, lambda handle: handle.signal("retry", "cleanup"))
    gate.around = around
    look_through(stage, gate)
    pending = lambda: stage.json(f"/releases/{release_id}")["also_pending"]  # noqa: E731
    eventually(lambda: pending() and pending()[0]["problem"])
    assert "could not be decoded" in pending()[0]["problem"]["message"]
    assert "could not be decoded" in stage.ask(f"/releases/{release_id}").text
