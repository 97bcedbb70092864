"""Raw Temporal calls and messages: the SDK's enumerations may lack values of newer servers.

Calls receive the remaining time and are mostly retried by the SDK within it. Nothing is decoded here.
"""

import json
from collections.abc import AsyncIterator, Sequence

from pydantic import JsonValue
from temporalio.api.common.v1 import Payload, WorkflowExecution
from temporalio.api.enums.v1 import HistoryEventFilterType, TaskQueueType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    CountWorkflowExecutionsRequest,
    CountWorkflowExecutionsResponse,
    DescribeTaskQueueRequest,
    DescribeTaskQueueResponse,
    DescribeWorkflowExecutionRequest,
    DescribeWorkflowExecutionResponse,
    GetWorkflowExecutionHistoryRequest,
    GetWorkflowExecutionHistoryReverseRequest,
    ListWorkflowExecutionsRequest,
    ListWorkflowExecutionsResponse,
    QueryWorkflowRequest,
)
from temporalio.client import Client as Connected

from dashboard.temporal.deadline import Deadline


class QueryRejected(Exception):
    """Temporal rejected a query because of the workflow's status, which is `code` in the protocol."""

    def __init__(self, code: int) -> None:
        super().__init__(f"status {code}")
        self.code = code


class NamespaceClient:
    """Read calls for one namespace over an SDK connection."""

    def __init__(self, connected: Connected) -> None:
        self._service = connected.workflow_service
        self._namespace = connected.namespace

    def get_workflow_handle(self, workflow_id: str, *, run_id: str | None = None) -> "RunHandle":
        """Return a handle of a workflow run, or of the latest run. It need not exist."""
        return RunHandle(self, workflow_id, run_id or "")

    async def list_executions(
        self, query: str, budget: Deadline, *, page_size: int, token: bytes = b""
    ) -> ListWorkflowExecutionsResponse:
        """Return a page of the results of a visibility query."""
        request = ListWorkflowExecutionsRequest(
            namespace=self._namespace, query=query, page_size=page_size, next_page_token=token
        )
        return await self._service.list_workflow_executions(request, retry=True, timeout=budget.left)

    async def count_executions(self, query: str, budget: Deadline) -> CountWorkflowExecutionsResponse:
        """Return the counts of a visibility query, in total or by group."""
        request = CountWorkflowExecutionsRequest(namespace=self._namespace, query=query)
        return await self._service.count_workflow_executions(request, retry=True, timeout=budget.left)

    async def describe(self, execution: WorkflowExecution, budget: Deadline) -> DescribeWorkflowExecutionResponse:
        """Return the description of a run."""
        request = DescribeWorkflowExecutionRequest(namespace=self._namespace, execution=execution)
        return await self._service.describe_workflow_execution(request, retry=True, timeout=budget.left)

    async def query(
        self, execution: WorkflowExecution, name: str, args: Sequence[JsonValue], budget: Deadline
    ) -> Payload:
        """Query a run; an empty payload if it returns nothing. Raises QueryRejected."""
        request = QueryWorkflowRequest(namespace=self._namespace, execution=execution)
        request.query.query_type = name
        request.query.query_args.payloads.extend(map(_payload, args))
        answer = await self._service.query_workflow(request, retry=True, timeout=budget.left)
        if answer.HasField("query_rejected"):
            raise QueryRejected(answer.query_rejected.status)
        return answer.query_result.payloads[0] if answer.query_result.payloads else Payload()

    async def events(
        self, execution: WorkflowExecution, budget: Deadline, *, last_only: bool = False
    ) -> Sequence[HistoryEvent]:
        """Return the first event of a run or, with `last_only`, its closing event."""
        kinds = HistoryEventFilterType
        kind = kinds.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT if last_only else kinds.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT
        request = GetWorkflowExecutionHistoryRequest(
            namespace=self._namespace,
            execution=execution,
            maximum_page_size=1,
            history_event_filter_type=kind,
            skip_archival=True,
        )
        answer = await self._service.get_workflow_execution_history(request, retry=True, timeout=budget.left)
        return answer.history.events

    async def history(
        self, execution: WorkflowExecution, budget: Deadline, *, pages: int
    ) -> AsyncIterator[HistoryEvent]:
        """Return a run's first events, up to a number of pages."""
        token = b""
        for _ in range(pages):
            request = GetWorkflowExecutionHistoryRequest(
                namespace=self._namespace, execution=execution, next_page_token=token, skip_archival=True
            )
            answer = await self._service.get_workflow_execution_history(request, retry=True, timeout=budget.left)
            for event in answer.history.events:
                yield event
            token = answer.next_page_token
            if not token:
                return

    async def first_events(
        self, execution: WorkflowExecution, budget: Deadline, *, limit: int
    ) -> Sequence[HistoryEvent]:
        """Return up to a number of events, oldest first."""
        request = GetWorkflowExecutionHistoryRequest(
            namespace=self._namespace, execution=execution, maximum_page_size=limit, skip_archival=True
        )
        answer = await self._service.get_workflow_execution_history(request, retry=True, timeout=budget.left)
        return answer.history.events

    async def newest_events(
        self, execution: WorkflowExecution, budget: Deadline, *, limit: int
    ) -> Sequence[HistoryEvent]:
        """Return up to a number of events, newest first."""
        request = GetWorkflowExecutionHistoryReverseRequest(
            namespace=self._namespace, execution=execution, maximum_page_size=limit
        )
        answer = await self._service.get_workflow_execution_history_reverse(request, timeout=budget.left)
        return answer.history.events

    async def describe_task_queue(
        self, name: str, budget: Deadline, *, activities: bool = False
    ) -> DescribeTaskQueueResponse:
        """Return the workers that poll a task queue for workflow or activity tasks."""
        kinds = TaskQueueType
        request = DescribeTaskQueueRequest(
            namespace=self._namespace,
            task_queue=TaskQueue(name=name),
            task_queue_type=kinds.TASK_QUEUE_TYPE_ACTIVITY if activities else kinds.TASK_QUEUE_TYPE_WORKFLOW,
        )
        return await self._service.describe_task_queue(request, retry=True, timeout=budget.left)


class RunHandle:
    """A handle of a workflow run, or of the latest run if `run_id` is empty. `id` is the workflow ID."""

    def __init__(self, client: NamespaceClient, workflow_id: str, run_id: str) -> None:
        self.id = workflow_id
        self.run_id = run_id
        self._client = client

    def __repr__(self) -> str:
        return f"RunHandle({self.id!r}, {self.run_id!r})"

    async def describe(self, budget: Deadline) -> DescribeWorkflowExecutionResponse:
        """Return the description of the run."""
        return await self._client.describe(self._execution, budget)

    async def query(self, name: str, budget: Deadline, *args: JsonValue) -> Payload:
        """Query the run. Raises QueryRejected."""
        return await self._client.query(self._execution, name, args, budget)

    async def first_event(self, budget: Deadline) -> HistoryEvent | None:
        """Return the first event."""
        events = await self._client.events(self._execution, budget)
        return events[0] if events else None

    async def first_events(self, budget: Deadline, *, limit: int) -> Sequence[HistoryEvent]:
        """Return the first events, oldest first."""
        return await self._client.first_events(self._execution, budget, limit=limit)

    async def closing_event(self, budget: Deadline) -> HistoryEvent | None:
        """Return the closing event."""
        events = await self._client.events(self._execution, budget, last_only=True)
        return events[-1] if events else None

    def history(self, budget: Deadline, *, pages: int) -> AsyncIterator[HistoryEvent]:
        """Return the first events, up to a number of pages."""
        return self._client.history(self._execution, budget, pages=pages)

    async def newest_events(self, budget: Deadline, *, limit: int) -> Sequence[HistoryEvent]:
        """Return the newest events, newest first."""
        return await self._client.newest_events(self._execution, budget, limit=limit)

    @property
    def _execution(self) -> WorkflowExecution:
        return WorkflowExecution(workflow_id=self.id, run_id=self.run_id)


def _payload(value: JsonValue) -> Payload:
    return Payload(metadata={"encoding": b"json/plain"}, data=json.dumps(value).encode())
