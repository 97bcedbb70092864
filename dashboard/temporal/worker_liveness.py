"""Whether a release still has a worker: while its history stands still, nothing else would tell that it has gone."""

from cachetools import TTLCache

from dashboard.domain.entities import Status
from dashboard.domain.phases import Phase
from dashboard.domain.problems import Problem
from dashboard.domain.source import ReleaseReading
from dashboard.temporal.client import RunHandle
from dashboard.temporal.deadline import Deadline
from dashboard.temporal.queries import probe_worker

# How long an answer shows that somebody polls a task queue, in seconds.
LIVENESS_TTL_SECONDS = 5.0
# Task queues remembered at most.
MAX_LIVE_QUEUES = 1_000


class WorkerLiveness:
    """Remembers the task queues from which an answer came lately; the others are asked one small query at a time."""

    def __init__(self) -> None:
        self._heard: TTLCache[str, bool] = TTLCache(MAX_LIVE_QUEUES, LIVENESS_TTL_SECONDS)

    def heard(self, task_queue: str) -> None:
        """An answer has come from this task queue."""
        self._heard[task_queue] = True

    async def missing(self, handle: RunHandle, known: ReleaseReading, budget: Deadline) -> Problem | None:
        """Return why nobody would answer for a release that has not moved; None where somebody does or nobody has to.

        A release that has ended, that waits for approval, or that Temporal alone tells about needs no worker now.
        """
        run, said = known.execution, known.said
        if (
            run.status.closed
            or run.status is Status.PAUSED
            or known.listed
            or said is None
            or said.phase is Phase.PAUSED
        ):
            return None
        if run.task_queue in self._heard:
            return None
        # Releases that are looked at in the same moment need not all ask.
        self.heard(run.task_queue)
        problem = await probe_worker(handle, budget, run.task_queue)
        if problem:
            self._heard.pop(run.task_queue, None)
        return problem
