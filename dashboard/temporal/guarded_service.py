"""The single access to Temporal: counts calls, and applies budgets and breakers."""

import asyncio
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

from google.protobuf.message import Message
from temporalio.api.workflowservice.v1 import QueryWorkflowRequest
from temporalio.service import RPCError, RPCStatusCode, ServiceClient

from dashboard.concurrency.call_log import note_call
from dashboard.temporal.query_breakers import QueryCircuitBreakers
from dashboard.temporal.visibility_budget import VisibilityBudget

R = TypeVar("R", bound=Message)

# Seconds for a call that brings no limit of its own.
DEFAULT_CALL_TIMEOUT_SECONDS = 30.0
# How much of its time a call that was cancelled must have had to count as one that was not answered in time.
TIMED_OUT_SHARE = 0.75

_LISTING = ("list_", "count_", "scan_")
_NO_WORKER = "no poller"
_LATE = frozenset({RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED})


class VisibilityBudgets:
    """Visibility budgets per namespace, in calls per second."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._budgets: dict[str, VisibilityBudget] = {}

    def of(self, namespace: str) -> VisibilityBudget:
        """Return the budget of a namespace."""
        return self._budgets.setdefault(namespace, VisibilityBudget(self._rate))


class GuardedService(ServiceClient):
    """A wrapper of the SDK's service client.

    Visibility calls wait for their budget and are not retried by the SDK. Queries are not sent to task queues known not
    to respond. `heard_at` is the time of the last response, by a monotonic clock.
    """

    def __init__(self, inner: ServiceClient, budgets: VisibilityBudgets, queues: QueryCircuitBreakers) -> None:
        super().__init__(inner.config)
        self._inner = inner
        self._budgets = budgets
        self._queues = queues
        self.heard_at = 0.0

    @property
    def worker_service_client(self) -> Any:  # noqa: ANN401 - a private class of the SDK
        """Return the client for workers."""
        return self._inner.worker_service_client

    def update_rpc_metadata(self, metadata: Mapping[str, str | bytes]) -> None:
        """Replace the RPC metadata."""
        self._inner.update_rpc_metadata(metadata)

    def update_api_key(self, api_key: str | None) -> None:
        """Replace the API key."""
        self._inner.update_api_key(api_key)

    async def _rpc_call(
        self,
        rpc: str,
        req: Message,
        resp_type: type[R],
        *,
        service: str,
        retry: bool,
        metadata: Mapping[str, str | bytes],
        timeout: timedelta | None,  # noqa: ASYNC109 - as the SDK calls it
    ) -> R:
        async def call(*, retry: bool, timeout: timedelta | None) -> R:  # noqa: ASYNC109
            note_call()
            return await self._heard(
                rpc, req, resp_type, service=service, retry=retry, metadata=metadata, timeout=timeout
            )

        if rpc.startswith(_LISTING) and rpc.endswith("_executions"):
            answer: R = await self._listed(call, _namespace(req), timeout)
        elif isinstance(req, QueryWorkflowRequest):
            with self._asking(req, timeout):
                answer = await call(retry=retry, timeout=timeout)
        else:
            answer = await call(retry=retry, timeout=timeout)
        self._queues.learn(_namespace(req), answer)
        return answer

    async def _heard(self, rpc: str, req: Message, resp_type: type[R], **options: Any) -> R:  # noqa: ANN401
        try:
            answer = await self._inner._rpc_call(rpc, req, resp_type, **options)
        except RPCError as exc:
            if exc.status not in _LATE | {RPCStatusCode.UNAVAILABLE}:
                self.heard_at = time.monotonic()
            raise
        self.heard_at = time.monotonic()
        return answer

    async def _listed(self, call: Any, namespace: str, timeout: timedelta | None) -> Any:  # noqa: ANN401, ASYNC109
        """Make a visibility call within its budget, without SDK retries, which would bypass it."""
        budget = self._budgets.of(namespace)
        until = time.monotonic() + (timeout.total_seconds() if timeout else DEFAULT_CALL_TIMEOUT_SECONDS)
        await budget.take(until - time.monotonic())
        try:
            return await call(retry=False, timeout=_left(until))
        except RPCError as exc:
            if exc.status is RPCStatusCode.RESOURCE_EXHAUSTED:
                budget.refused()
                raise
            if exc.status is not RPCStatusCode.UNAVAILABLE:
                raise
        # A connection that was lost is replaced by the SDK at a second try.
        await budget.take(until - time.monotonic())
        return await call(retry=True, timeout=_left(until))

    @contextmanager
    def _asking(self, req: QueryWorkflowRequest, timeout: timedelta | None) -> Iterator[None]:
        """Make a query, tracking whether its task queue responds."""
        # One that names an entity says nothing about the others that the same workflow may be asked for.
        query = "" if req.query.query_args.payloads else req.query.query_type
        asked = (req.namespace, req.execution.workflow_id, query)
        self._queues.check(*asked)
        began = time.monotonic()
        try:
            yield
        except RPCError as exc:
            if _NO_WORKER in exc.message.lower() or exc.status in _LATE:
                self._queues.failed(*asked, exc)
            else:
                self._queues.answered(*asked)
            raise
        except asyncio.CancelledError:
            if timeout and time.monotonic() - began > TIMED_OUT_SHARE * timeout.total_seconds():
                late = RPCError("The query was not answered in time.", RPCStatusCode.DEADLINE_EXCEEDED, b"")
                self._queues.failed(*asked, late)
            raise
        self._queues.answered(*asked)


def _namespace(req: Message) -> str:
    return str(getattr(req, "namespace", ""))


def _left(until: float) -> timedelta:
    return timedelta(seconds=max(until - time.monotonic(), 0.001))
