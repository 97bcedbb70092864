"""Translate errors of Temporal calls. Unknown codes are shown unchanged."""

import re

import structlog
from temporalio.service import RPCError, RPCStatusCode

from dashboard.domain.entities import Status
from dashboard.domain.execution_problem import paused_problem
from dashboard.domain.problems import Problem, ProblemCode, SourceUnavailable
from dashboard.temporal.client import QueryRejected
from dashboard.temporal.decode import clean_text
from dashboard.temporal.executions import decode_status

log = structlog.get_logger()

# Every error that asking Temporal may end with. The SDK raises a bare RuntimeError when it cannot connect; any other
# one is a fault, which is logged and costs that answer alone.
CALL_ERRORS = (RPCError, QueryRejected, RuntimeError, TimeoutError)

# Characters kept of an error's text.
MAX_ERROR_TEXT_LENGTH = 100_000

_CONNECT_FAILED = "Failed client connect"
# Who is refused at the SDK's first call hears it in this form only: there is no RPCError then.
_CONNECT_REFUSED = re.compile(r'Status \{ code: (\w+), message: "((?:[^"\\]|\\.)*)"')
_UNKNOWN_QUERY = re.compile(r"expected but not found|unknown query ?type", re.IGNORECASE)
_TOO_LARGE = re.compile(r"blob data size exceeds limit|grpc message too large|larger than max", re.IGNORECASE)
_TASK_FAILING = re.compile(r"workflow task in failed state", re.IGNORECASE)
_NO_POLLER = re.compile(r"no poller", re.IGNORECASE)

_SOURCE = {
    RPCStatusCode.UNAVAILABLE.name: (ProblemCode.UNAVAILABLE, "Temporal cannot be reached."),
    RPCStatusCode.DEADLINE_EXCEEDED.name: (ProblemCode.TIMED_OUT, "Temporal did not respond in time."),
    RPCStatusCode.CANCELLED.name: (ProblemCode.TIMED_OUT, "Temporal did not respond in time."),
    RPCStatusCode.PERMISSION_DENIED.name: (
        ProblemCode.DENIED,
        "Temporal does not allow this dashboard to read the namespace. Check its API key or certificate.",
    ),
    RPCStatusCode.UNAUTHENTICATED.name: (
        ProblemCode.DENIED,
        "Temporal rejected this dashboard's credentials. Check its API key or certificate.",
    ),
    RPCStatusCode.RESOURCE_EXHAUSTED.name: (
        ProblemCode.REFUSED,
        "Temporal is rate-limiting this dashboard.",
    ),
}


def is_not_found(exc: BaseException) -> bool:
    """Return whether the workflow (and not the namespace) does not exist."""
    return isinstance(exc, RPCError) and exc.status is RPCStatusCode.NOT_FOUND and not _namespace_missing(exc)


def lacks_paused_status(exc: RPCError) -> bool:
    """Return whether the server is too old for the status `Paused`."""
    return exc.status is RPCStatusCode.INVALID_ARGUMENT and "Paused" in exc.message


def source_unavailable(exc: BaseException) -> SourceUnavailable:
    """Return the exception for a failed describe, list or count."""
    return SourceUnavailable(source_problem(exc))


def source_problem(exc: BaseException) -> Problem:
    """Return the problem of a failed call to Temporal."""
    if isinstance(exc, RPCError):
        if _namespace_missing(exc):
            return _told(ProblemCode.NAMESPACE_MISSING, "The namespace does not exist in Temporal.", exc.message)
        return _of_status(exc.status.name, exc.message)
    if isinstance(exc, TimeoutError):
        return Problem(ProblemCode.TIMED_OUT, "Temporal did not respond in time.")
    if not str(exc).startswith(_CONNECT_FAILED):
        log.error("asking_failed", exc_info=exc)
        return _told(ProblemCode.REFUSED, "The request to Temporal failed.", f"{type(exc).__name__}: {exc}")
    if refusal := _CONNECT_REFUSED.search(str(exc)):
        return _of_status(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", refusal[1]).upper(), refusal[2])
    return _told(ProblemCode.UNAVAILABLE, "Temporal cannot be reached.", str(exc))


def _of_status(name: str, detail: str) -> Problem:
    code, message = _SOURCE.get(name, (ProblemCode.REFUSED, f"Temporal returned {name}."))
    return _told(code, message, detail)


def query_problem(exc: BaseException, query: str, task_queue: str = "") -> Problem:
    """Return the problem of a failed query."""
    if isinstance(exc, QueryRejected):
        return _rejected(exc, query)
    if isinstance(exc, RPCError):
        return _refused_query(exc, query, task_queue)
    if isinstance(exc, TimeoutError):
        return _slow(query)
    return source_problem(exc)


def _rejected(exc: QueryRejected, query: str) -> Problem:
    if decode_status(exc.code) is Status.PAUSED:
        return paused_problem(None)
    return _told(ProblemCode.QUERY_FAILED, f"Temporal rejected the query {query}.", str(exc))


def _refused_query(exc: RPCError, query: str, task_queue: str) -> Problem:
    # So it hands on the error with which a worker answered; how long that is, is for the worker to say.
    if exc.status is RPCStatusCode.INVALID_ARGUMENT:
        return _failed_query(exc.message[:MAX_ERROR_TEXT_LENGTH], query)
    if exc.status is RPCStatusCode.FAILED_PRECONDITION and _NO_POLLER.search(exc.message):
        queue = f" {task_queue}" if task_queue else ""
        text = f"No worker is polling the task queue{queue}, so the rollout cannot report its state."
        return _told(ProblemCode.NO_WORKER, text, exc.message)
    if _TASK_FAILING.search(exc.message):
        text = "Workflow code is failing, so the rollout cannot report its state."
        return _told(ProblemCode.TASK_FAILING, text, exc.message)
    if _TOO_LARGE.search(exc.message):
        return _failed_query(exc.message, query)
    if exc.status is RPCStatusCode.DEADLINE_EXCEEDED:
        return _slow(query)
    return source_problem(exc)


def _failed_query(message: str, query: str) -> Problem:
    if _TOO_LARGE.search(message):
        text = f"The response to {query} exceeds Temporal's limit of 2 MB."
        return _told(ProblemCode.TOO_LARGE, text, message)
    if _UNKNOWN_QUERY.search(message):
        return _told(ProblemCode.QUERY_UNKNOWN, f"The workflow does not support the query {query}.", message)
    return _told(ProblemCode.QUERY_FAILED, f"The query {query} failed in the workflow.", message)


def _slow(query: str) -> Problem:
    return Problem(ProblemCode.QUERY_TIMED_OUT, f"The worker did not answer the query {query} in time.")


def _told(code: ProblemCode, message: str, said: str) -> Problem:
    """Return a problem with the source's error text, which may contain workflow data."""
    return Problem(code, message, clean_text(said[:MAX_ERROR_TEXT_LENGTH]))


def _namespace_missing(exc: RPCError) -> bool:
    # The same code as for a workflow that does not exist: only the detail's type tells them apart.
    return exc.status is RPCStatusCode.NOT_FOUND and any(
        detail.type_url.endswith("NamespaceNotFoundFailure") for detail in exc.grpc_status.details
    )
