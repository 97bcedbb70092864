"""Which workers poll a task queue: asked only where a step waits there, and remembered for a moment."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from cachetools import TTLCache
from temporalio.api.enums.v1 import WorkerVersioningMode
from temporalio.api.taskqueue.v1 import PollerInfo
from temporalio.api.workflowservice.v1 import DescribeTaskQueueResponse

from dashboard.domain.entities import Execution, Pollers
from dashboard.domain.problems import Problem
from dashboard.temporal.budget import Budget
from dashboard.temporal.client import Client
from dashboard.temporal.decode import clean_text
from dashboard.temporal.errors import ASKING_ERRORS
from dashboard.temporal.pending import named_version
from dashboard.temporal.salvage import attempt

# Seconds for which an answer is used again, and task queues remembered at most.
REMEMBERED = 5.0
KEEP = 1_000
# A poll lasts a minute. Temporal lists workers for five minutes after their last one.
POLLED_LATELY = timedelta(seconds=75)
UNVERSIONED = "__unversioned__"


class QueuePollers:
    """Reads who polls the task queues of one namespace."""

    def __init__(self) -> None:
        self._known: TTLCache[str, Pollers] = TTLCache(KEEP, REMEMBERED)

    async def with_pollers(self, client: Client, run: Execution, budget: Budget) -> Execution:
        """An execution with who polls its task queue, where its next step waits there; one call then, and only then."""
        if run.waiting_since is None or not run.task_queue:
            return run
        pollers = self._known.get(run.task_queue)
        if pollers is None:
            pollers = await self._read(client, run.task_queue, budget)
        if pollers is None:
            return run
        self._known[run.task_queue] = pollers
        return replace(run, pollers=pollers)

    async def _read(self, client: Client, task_queue: str, budget: Budget) -> Pollers | None:
        try:
            async with budget.bounds():
                answer = await client.describe_task_queue(task_queue, budget)
        except ASKING_ERRORS:
            return None  # Who polls adds to what describe said; without it the step is still shown as waiting.
        return attempt("Who polls the task queue", lambda: decode_pollers(answer, datetime.now(UTC)), _nothing)


def _nothing(_problem: Problem) -> None:
    return None


def decode_pollers(answer: DescribeTaskQueueResponse, now: datetime) -> Pollers:
    """Those that polled lately, as far as Temporal lists them."""
    polled = [(poller, poller.last_access_time.ToDatetime(tzinfo=UTC)) for poller in answer.pollers]
    lately = [(poller, at) for poller, at in polled if now - at < POLLED_LATELY]
    current = answer.versioning_info.current_deployment_version
    name = named_version(current.deployment_name, current.build_id)
    if not current.build_id:
        name = answer.versioning_info.current_version.replace(UNVERSIONED, "").replace(".", ":", 1)
    versions = sorted({_version_of(poller) for poller, _ in lately})
    return Pollers(tuple(versions), max((at for _, at in lately), default=None), clean_text(name))


def _version_of(poller: PollerInfo) -> str:
    options = poller.deployment_options
    if options.worker_versioning_mode == WorkerVersioningMode.WORKER_VERSIONING_MODE_VERSIONED:
        return clean_text(named_version(options.deployment_name, options.build_id))
    capabilities = poller.worker_version_capabilities
    return clean_text(capabilities.build_id) if capabilities.use_versioning else ""
