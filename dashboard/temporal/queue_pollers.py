"""Read which workers poll a task queue, only if a step is waiting there; cached briefly."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from cachetools import TTLCache
from temporalio.api.enums.v1 import WorkerVersioningMode
from temporalio.api.taskqueue.v1 import PollerInfo
from temporalio.api.workflowservice.v1 import DescribeTaskQueueResponse

from dashboard.domain.child_details import unpolled_activity_problem
from dashboard.domain.entities import Attempt, Execution, WorkerPollers
from dashboard.domain.problems import Problem
from dashboard.temporal.client import NamespaceClient
from dashboard.temporal.deadline import Deadline
from dashboard.temporal.decode import clean_text
from dashboard.temporal.errors import CALL_ERRORS
from dashboard.temporal.pending import worker_version_text
from dashboard.temporal.salvage import decode_or_replace

# Seconds for which an answer is used again, and task queues remembered at most.
POLLERS_TTL_SECONDS = 5.0
MAX_CACHED_QUEUES = 1_000
# A poll lasts a minute. Temporal lists workers for five minutes after their last one.
MAX_POLL_AGE = timedelta(seconds=75)
UNVERSIONED_BUILD_ID = "__unversioned__"
# How many task queues of a workflow's activities are checked per read.
MAX_QUEUES_PER_WORKFLOW = 3


class QueuePollerReader:
    """Reads the pollers of task queues in one namespace."""

    def __init__(self) -> None:
        self._known: TTLCache[tuple[str, bool], WorkerPollers] = TTLCache(MAX_CACHED_QUEUES, POLLERS_TTL_SECONDS)

    async def with_pollers(self, client: NamespaceClient, run: Execution, budget: Deadline) -> Execution:
        """Add the pollers of its task queue to an execution whose next step is waiting, with one call.

        The same applies to waiting activities: those without pollers get a problem.
        """
        untaken = {each.task_queue for each in run.attempts.values() if each.untaken_since} if run.attempts else set()
        if untaken:
            run = await self._with_untaken(client, run, sorted(untaken - {""})[:MAX_QUEUES_PER_WORKFLOW], budget)
        if run.waiting_since is None or not run.task_queue:
            return run
        pollers = await self._pollers(client, run.task_queue, budget)
        return run if pollers is None else replace(run, pollers=pollers)

    async def _with_untaken(
        self, client: NamespaceClient, run: Execution, queues: list[str], budget: Deadline
    ) -> Execution:
        unpolled = set()
        for task_queue in queues:
            pollers = await self._pollers(client, task_queue, budget, activities=True)
            # Where some poll, an activity may wait for its turn, as many do.
            if pollers is not None and pollers.last_at is None:
                unpolled.add(task_queue)

        def judged(each: Attempt) -> Attempt:
            waits = each.untaken_since is not None and each.task_queue in unpolled and each.problem is None
            return replace(each, problem=unpolled_activity_problem(each)) if waits else each

        return replace(run, attempts={name: judged(each) for name, each in run.attempts.items()}) if unpolled else run

    async def _pollers(
        self, client: NamespaceClient, task_queue: str, budget: Deadline, *, activities: bool = False
    ) -> WorkerPollers | None:
        found = self._known.get((task_queue, activities))
        if found is None:
            found = await self._read(client, task_queue, budget, activities=activities)
            if found is not None:
                self._known[task_queue, activities] = found
        return found

    async def _read(
        self, client: NamespaceClient, task_queue: str, budget: Deadline, *, activities: bool
    ) -> WorkerPollers | None:
        try:
            async with budget.bounds():
                answer = await client.describe_task_queue(task_queue, budget, activities=activities)
        except CALL_ERRORS:
            return None  # Who polls adds to what describe said; without it the step is still shown as waiting.
        return decode_or_replace(
            "Who polls the task queue", lambda: decode_pollers(answer, datetime.now(UTC)), _nothing
        )


def _nothing(_problem: Problem) -> None:
    return None


def decode_pollers(answer: DescribeTaskQueueResponse, now: datetime) -> WorkerPollers:
    """Decode the workers that polled recently."""
    polled = [(poller, poller.last_access_time.ToDatetime(tzinfo=UTC)) for poller in answer.pollers]
    lately = [(poller, at) for poller, at in polled if now - at < MAX_POLL_AGE]
    current = answer.versioning_info.current_deployment_version
    name = worker_version_text(current.deployment_name, current.build_id)
    if not current.build_id:
        name = answer.versioning_info.current_version.replace(UNVERSIONED_BUILD_ID, "").replace(".", ":", 1)
    versions = sorted({_version_of(poller) for poller, _ in lately})
    return WorkerPollers(tuple(versions), max((at for _, at in lately), default=None), clean_text(name))


def _version_of(poller: PollerInfo) -> str:
    options = poller.deployment_options
    if options.worker_versioning_mode == WorkerVersioningMode.WORKER_VERSIONING_MODE_VERSIONED:
        return clean_text(worker_version_text(options.deployment_name, options.build_id))
    capabilities = poller.worker_version_capabilities
    return clean_text(capabilities.build_id) if capabilities.use_versioning else ""
