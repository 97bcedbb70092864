"""Which queries are not sent, by a clock that only the test moves."""

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse, ListWorkflowExecutionsResponse
from temporalio.service import RPCError, RPCStatusCode

from dashboard.temporal.backoff import Backoff
from dashboard.temporal.query_breakers import MAX_QUERY_PAUSE_SECONDS, QueryCircuitBreakers

NO_WORKER = RPCError("no poller seen for task queue recently", RPCStatusCode.FAILED_PRECONDITION, b"")
LATE = RPCError("deadline", RPCStatusCode.DEADLINE_EXCEEDED, b"")


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queues(clock: Clock) -> QueryCircuitBreakers:
    """Releases a and b are on one task queue, c is on another."""
    queues = QueryCircuitBreakers(clock)
    infos = [
        WorkflowExecutionInfo(execution=WorkflowExecution(workflow_id=name), task_queue=queue)
        for name, queue in (("a", "dead"), ("b", "dead"), ("c", "well"))
    ]
    queues.learn("default", ListWorkflowExecutionsResponse(executions=infos[:2]))
    queues.learn("default", DescribeWorkflowExecutionResponse(workflow_execution_info=infos[2]))
    return queues


def sent(queues: QueryCircuitBreakers, workflow_id: str, query: str = "get_hierarchy") -> bool:
    try:
        queues.check("default", workflow_id, query)
    except RPCError:
        return False
    return True


def test_a_task_queue_without_a_worker_is_left_alone_and_no_other(queues: QueryCircuitBreakers):
    queues.failed("default", "a", "get_hierarchy", NO_WORKER)
    assert [sent(queues, name) for name in "abc"] == [False, False, True]
    assert sent(queues, "unknown")


def test_after_a_pause_one_query_finds_out_and_the_others_wait_for_it(queues: QueryCircuitBreakers, clock: Clock):
    queues.failed("default", "a", "get_hierarchy", NO_WORKER)
    clock.now += MAX_QUERY_PAUSE_SECONDS
    assert [sent(queues, "b"), sent(queues, "b", "other"), sent(queues, "b")] == [True, False, False]
    queues.answered("default", "b", "get_hierarchy")
    assert sent(queues, "b", "other")


def test_a_slow_workflow_says_nothing_of_its_task_queue_until_another_is_slow_too(queues: QueryCircuitBreakers):
    queues.failed("default", "a", "get_hierarchy", LATE)
    queues.failed("default", "a", "get_hierarchy", LATE)
    assert [sent(queues, "a"), sent(queues, "a", "get_release_state"), sent(queues, "b")] == [False, True, True]
    queues.failed("default", "b", "get_hierarchy", LATE)
    assert [sent(queues, "a", "get_release_state"), sent(queues, "b"), sent(queues, "c")] == [False, False, True]


def test_an_answer_in_between_shows_that_the_worker_is_there(queues: QueryCircuitBreakers):
    queues.failed("default", "a", "get_hierarchy", LATE)
    queues.answered("default", "b", "get_hierarchy")
    queues.failed("default", "b", "get_hierarchy", LATE)
    assert sent(queues, "a", "get_release_state")


def test_a_pause_is_longer_each_time_and_bounded_and_for_one_key_alone(clock: Clock):
    backoff = Backoff(first=1, longest=4, clock=clock)
    pauses = []
    for _ in range(4):
        backoff.failed("a")
        began = clock.now
        while backoff.closed("a"):
            clock.now += 0.5
        pauses.append(clock.now - began)
    assert pauses == [1, 2, 4, 4]
    assert not backoff.closed("b")
    backoff.answered("a")
    assert not backoff.closed("a")
