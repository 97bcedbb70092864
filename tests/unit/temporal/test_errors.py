"""What each of the SDK's errors means; the errors are the SDK's own."""

import pytest
from structlog.testing import capture_logs
from temporalio.api.common.v1 import GrpcStatus
from temporalio.api.errordetails.v1 import NamespaceNotFoundFailure, QueryFailedFailure
from temporalio.service import RPCError, RPCStatusCode

from dashboard.domain.problems import ProblemCode
from dashboard.temporal.client import QueryRejected
from dashboard.temporal.errors import is_not_found, query_problem, source_problem, source_unavailable


def rpc(status: RPCStatusCode, message: str = "what the server said", detail: object = None) -> RPCError:
    raw = GrpcStatus(code=status.value, message=message)
    if detail is not None:
        raw.details.add().Pack(detail)
    return RPCError(message, status, raw.SerializeToString())


def query_failed(message: str) -> RPCError:
    return rpc(RPCStatusCode.INVALID_ARGUMENT, message, QueryFailedFailure())


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (RPCStatusCode.UNAVAILABLE, ProblemCode.UNAVAILABLE),
        (RPCStatusCode.DEADLINE_EXCEEDED, ProblemCode.TIMED_OUT),
        (RPCStatusCode.CANCELLED, ProblemCode.TIMED_OUT),
        (RPCStatusCode.PERMISSION_DENIED, ProblemCode.DENIED),
        (RPCStatusCode.UNAUTHENTICATED, ProblemCode.DENIED),
        (RPCStatusCode.RESOURCE_EXHAUSTED, ProblemCode.REFUSED),
        (RPCStatusCode.INTERNAL, ProblemCode.REFUSED),
        (RPCStatusCode.INVALID_ARGUMENT, ProblemCode.REFUSED),
    ],
)
def test_each_code_is_an_answer_of_its_own(status: RPCStatusCode, code: ProblemCode):
    error = rpc(status)
    assert source_unavailable(error).problem.code is code
    assert source_unavailable(error).problem.detail == "what the server said"
    assert not is_not_found(error)


def test_a_workflow_that_is_not_there_and_a_namespace_that_is_not_there_are_told_apart():
    assert is_not_found(rpc(RPCStatusCode.NOT_FOUND))
    missing = rpc(RPCStatusCode.NOT_FOUND, detail=NamespaceNotFoundFailure(namespace="nowhere"))
    assert not is_not_found(missing)
    assert source_problem(missing).code is ProblemCode.NAMESPACE_MISSING


def test_a_connection_that_fails_is_unavailable_and_any_other_fault_is_logged_and_costs_one_answer():
    refused = RuntimeError("Failed client connect: connection refused")
    assert source_problem(refused).code is ProblemCode.UNAVAILABLE
    with capture_logs() as logged:
        fault = source_problem(RuntimeError("dictionary changed size during iteration"))
    assert fault.detail == "RuntimeError: dictionary changed size during iteration"
    assert isinstance(logged[0]["exc_info"], RuntimeError), "it is ours to mend"
    assert source_problem(TimeoutError()).code is ProblemCode.TIMED_OUT


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        ("PermissionDenied", ProblemCode.DENIED, "Request unauthorized."),
        ("Unauthenticated", ProblemCode.DENIED, r"no \"key\""),
        ("ResourceExhausted", ProblemCode.REFUSED, "slow down"),
        ("Unavailable", ProblemCode.UNAVAILABLE, ""),
    ],
)
def test_a_refusal_while_connecting_is_told_by_its_status(status: str, code: ProblemCode, message: str):
    raw = f'Status {{ code: {status}, message: "{message}", metadata: MetadataMap {{ headers: {{}} }}, source: None }}'
    problem = source_problem(RuntimeError(f"Failed client connect: `get_system_info` call error: {raw}"))
    assert (problem.code, problem.detail) == (code, message)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (
            query_failed("Query handler for 'q' expected but not found"),
            ProblemCode.QUERY_UNKNOWN,
        ),
        (
            query_failed("unknown queryType q. KnownQueryTypes=[__stack_trace]"),
            ProblemCode.QUERY_UNKNOWN,
        ),
        (query_failed("Unknown query type: q, knownTypes=[]"), ProblemCode.QUERY_UNKNOWN),
        (query_failed("Blob data size exceeds limit."), ProblemCode.TOO_LARGE),
        (query_failed("KeyError: 'wave'"), ProblemCode.QUERY_FAILED),
        (QueryRejected(2), ProblemCode.QUERY_FAILED),
        (QueryRejected(8), ProblemCode.PAUSED),
        (QueryRejected(99), ProblemCode.QUERY_FAILED),
        (rpc(RPCStatusCode.RESOURCE_EXHAUSTED, "GRPC Message too large"), ProblemCode.TOO_LARGE),
        (rpc(RPCStatusCode.FAILED_PRECONDITION, "no poller seen for task queue recently"), ProblemCode.NO_WORKER),
        (rpc(RPCStatusCode.FAILED_PRECONDITION, "something else"), ProblemCode.REFUSED),
        (rpc(RPCStatusCode.DEADLINE_EXCEEDED), ProblemCode.QUERY_TIMED_OUT),
        (rpc(RPCStatusCode.UNAVAILABLE), ProblemCode.UNAVAILABLE),
        (TimeoutError(), ProblemCode.QUERY_TIMED_OUT),
    ],
)
def test_a_query_that_fails_says_how(error: Exception, code: ProblemCode):
    assert query_problem(error, "q", "queue").code is code


def test_without_a_worker_the_task_queue_is_named():
    error = rpc(RPCStatusCode.FAILED_PRECONDITION, "no poller seen for task queue recently, worker may be down")
    assert "task queue edge-rollouts" in query_problem(error, "q", "edge-rollouts").message
    assert "task queue," in query_problem(error, "q").message
