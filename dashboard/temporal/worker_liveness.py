"""Detect releases without workers, which an unchanged history does not reveal."""

from cachetools import TTLCache

from dashboard.domain.entities import Status
from dashboard.domain.phases import Phase
from dashboard.domain.problems import Problem
from dashboard.domain.source import ReleaseReading
from dashboard.temporal.client import RunHandle
from dashboard.temporal.deadline import Deadline
from dashboard.temporal.queries import probe_worker

# How long a response proves that a worker is polling the task queue, in seconds.
LIVENESS_TTL_SECONDS = 5.0
# Task queues remembered at most.
MAX_LIVE_QUEUES = 1_000


class WorkerLiveness:
    """Tracks recently responding task queues, and probes others with a small query, one at a time."""

    def __init__(self) -> None:
        self._heard: TTLCache[str, bool] = TTLCache(MAX_LIVE_QUEUES, LIVENESS_TTL_SECONDS)

    def heard(self, task_queue: str) -> None:
        """Record a response from this task queue."""
        self._heard[task_queue] = True

    async def missing(self, handle: RunHandle, known: ReleaseReading, budget: Deadline) -> Problem | None:
        """Return why an unchanged release has no responding worker; None if it has one or needs none.

        Ended releases, those waiting for approval, and those known from Temporal only need no worker.
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
