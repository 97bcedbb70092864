"""Knows which task queues answer no query now, so that waiting for one costs the releases of the others nothing."""

import time
from collections.abc import Callable

from cachetools import LRUCache
from google.protobuf.message import Message
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse, ListWorkflowExecutionsResponse
from temporalio.service import RPCError, RPCStatusCode

from dashboard.temporal.backoff import Backoff

# Seconds that a task queue is left alone at first and at last. A worker that comes back is to be noticed soon.
INITIAL_QUERY_PAUSE_SECONDS, MAX_QUERY_PAUSE_SECONDS = 0.5, 4.0
# Workflows of which the task queue is remembered. A long list is one of child workflows, which are asked less often.
MAX_KNOWN_WORKFLOWS = 10_000
MAX_SHORT_LIST_RUNS = 200

WorkflowKey = tuple[str, str]
"""A namespace and a workflow id."""


class QueryCircuitBreakers:
    """Circuit breakers for queries: one per task queue, and one per named query that timed out.

    A slow workflow says nothing of its task queue; a second one there that does not answer either does.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._queues: LRUCache[WorkflowKey, str] = LRUCache(MAX_KNOWN_WORKFLOWS)
        self._reasons: LRUCache[object, RPCError] = LRUCache(MAX_KNOWN_WORKFLOWS)
        self._slow: LRUCache[tuple[str, str], str] = LRUCache(MAX_KNOWN_WORKFLOWS)
        self._backoff = Backoff(first=INITIAL_QUERY_PAUSE_SECONDS, longest=MAX_QUERY_PAUSE_SECONDS, clock=clock)

    def learn(self, namespace: str, answer: Message) -> None:
        """Remember on which task queues workflows are, from what Temporal told of them."""
        if isinstance(answer, DescribeWorkflowExecutionResponse):
            infos = [answer.workflow_execution_info]
        elif isinstance(answer, ListWorkflowExecutionsResponse) and len(answer.executions) <= MAX_SHORT_LIST_RUNS:
            infos = list(answer.executions)
        else:
            return
        for info in infos:
            if info.task_queue:
                self._queues[namespace, info.execution.workflow_id] = info.task_queue

    def check(self, namespace: str, workflow_id: str, query: str) -> None:
        """Raise what the last query met, if the same is to be expected of this one now."""
        for key in self._keys(namespace, workflow_id, query):
            reason = self._reasons.get(key)
            if reason is not None and self._backoff.closed(key):
                raise RPCError(reason.message, reason.status, reason.raw_grpc_status)

    def answered(self, namespace: str, workflow_id: str, query: str) -> None:
        """A query was answered, or refused by the workflow itself."""
        for key in self._keys(namespace, workflow_id, query):
            self._reasons.pop(key, None)
            self._backoff.answered(key)
        queue = self._queues.get((namespace, workflow_id))
        if queue is not None:
            self._slow.pop((namespace, queue), None)

    def failed(self, namespace: str, workflow_id: str, query: str, reason: RPCError) -> None:
        """A query was not answered for want of a worker, or not in time."""
        own, *shared = self._keys(namespace, workflow_id, query)
        queue = self._queues.get((namespace, workflow_id), "")
        late = reason.status in {RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED}
        first = self._slow.setdefault((namespace, queue), workflow_id) if late else ""
        whole = not late or first != workflow_id
        mine = (own,) if query else ()
        for key in (*mine, *shared) if whole else mine:
            self._reasons[key] = reason
            self._backoff.failed(key)

    def _keys(self, namespace: str, workflow_id: str, query: str) -> list[object]:
        queue = self._queues.get((namespace, workflow_id))
        own = (namespace, workflow_id, query)
        return [own] if queue is None else [own, (namespace, queue)]
