"""Query child workflows for their state if their type is known to support it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress

from cachetools import TTLCache

from dashboard.domain.child_runs import ReportedState
from dashboard.domain.children import StateReporter
from dashboard.domain.entities import Entity, Execution
from dashboard.domain.entity_map import EntityMap
from dashboard.domain.ids import EntityType
from dashboard.domain.problems import Problem, ProblemCode
from dashboard.temporal.child_metadata import supported_queries
from dashboard.temporal.client import NamespaceClient, RunHandle
from dashboard.temporal.deadline import Deadline
from dashboard.temporal.queries import RELEASE_STATE_QUERY, query_entity, query_release

# The maximum number of runs queried per read, and of types whose queries are detected.
MAX_RUNS_QUERIED = 50
MAX_TYPES_PROBED = 10
# Concurrent queries: a worker answers them one after another anyway.
MAX_CONCURRENT_STATE_QUERIES = 8
# The timeout for reported states per read; other runs show their Temporal status.
STATE_QUERIES_TIMEOUT_SECONDS = 1.2
# How long detected queries of a type are cached, in seconds, as worker code changes.
SUPPORTED_QUERIES_TTL_SECONDS = 600.0
# How long an unresponsive task queue is skipped, in seconds, so that a dead worker does not delay each read; also for
# types whose queries could not be detected.
SILENT_QUEUE_PAUSE_SECONDS = 10.0
MAX_KNOWN_WORKFLOW_TYPES = 1_000

# What says nothing of the run that was asked, only that no worker was there for it in time.
NO_WORKER_PROBLEMS = frozenset(
    {
        ProblemCode.NO_WORKER,
        ProblemCode.QUERY_TIMED_OUT,
        ProblemCode.UNAVAILABLE,
        ProblemCode.TIMED_OUT,
        ProblemCode.REFUSED,
        ProblemCode.DENIED,
    }
)
# A query that did not work: it leaves the run's status to speak.
UNANSWERED_PROBLEMS = NO_WORKER_PROBLEMS | {
    ProblemCode.QUERY_UNKNOWN,
    ProblemCode.QUERY_FAILED,
    ProblemCode.TASK_FAILING,
    ProblemCode.PAUSED,
}

_QueueAndType = tuple[str, str]
"""A workflow type and its task queue: the same type may have other code elsewhere."""


class ChildStates:
    """Queries runs for their state in one namespace, caching which types support which queries."""

    def __init__(self, entity_map: EntityMap) -> None:
        self._map = entity_map
        self._answers: TTLCache[_QueueAndType, frozenset[str]] = TTLCache(
            MAX_KNOWN_WORKFLOW_TYPES, SUPPORTED_QUERIES_TTL_SECONDS
        )
        self._left_alone: TTLCache[str | _QueueAndType, bool] = TTLCache(
            MAX_KNOWN_WORKFLOW_TYPES, SILENT_QUEUE_PAUSE_SECONDS
        )

    async def ask(
        self,
        client: NamespaceClient,
        reporters: Sequence[StateReporter],
        known: Mapping[str, ReportedState],
        budget: Deadline,
    ) -> dict[str, ReportedState]:
        """Return the reported states by run ID: of closed runs cached, of others as queried now."""
        look = _StateQueries(client, self._map, budget)
        reachable = [reporter for reporter in reporters if reporter.run.task_queue not in self._left_alone]
        with suppress(TimeoutError):
            async with Deadline.of(STATE_QUERIES_TIMEOUT_SECONDS).bounds(), budget.bounds():
                await self._learn(look, reachable)
                wanted = [reporter for reporter in reachable if self._tells(reporter) and not _final(reporter, known)]
                wanted.sort(
                    key=lambda reporter: known[reporter.run.run_id].asked_at if reporter.run.run_id in known else 0.0
                )
                await _each(look.ask, wanted[:MAX_RUNS_QUERIED])
        for queue in look.asked - look.heard:
            self.back_off(queue)
        return {run_id: _kept(word) for run_id, word in known.items()} | look.words

    def back_off(self, task_queue: str) -> None:
        """Skip this task queue for some seconds, as no worker responds."""
        self._left_alone[task_queue] = True

    async def _learn(self, look: "_StateQueries", reporters: Sequence[StateReporter]) -> None:
        """Detect which queries unknown types support, using one run of each."""
        samples: dict[_QueueAndType, StateReporter] = {}
        for reporter in reporters:
            # One that runs is likely to be in its worker's memory; a closed one has to be replayed.
            kind = _kind(reporter.run)
            if kind in self._answers or kind in self._left_alone:
                continue
            if kind not in samples or samples[kind].run.status.closed:
                samples[kind] = reporter
        await _each(lambda reporter: self._learn_from(look, reporter), list(samples.values())[:MAX_TYPES_PROBED])

    async def _learn_from(self, look: "_StateQueries", reporter: StateReporter) -> None:
        names = await look.queries_of(reporter)
        if names is None:
            self._left_alone[_kind(reporter.run)] = True
        else:
            # What cannot be read is no word either.
            self._answers[_kind(reporter.run)] = frozenset() if isinstance(names, Problem) else names

    def _tells(self, reporter: StateReporter) -> bool:
        return _query_of(reporter.type) in self._answers.get(_kind(reporter.run), ())


class _StateQueries:
    """The queries of one read, with the task queues queried and those that responded."""

    def __init__(self, client: NamespaceClient, entity_map: EntityMap, budget: Deadline) -> None:
        self._client = client
        self._map = entity_map
        self._budget = budget
        self.asked: set[str] = set()
        self.heard: set[str] = set()
        self.silent: set[str] = set()
        self.words: dict[str, ReportedState] = {}

    async def queries_of(self, reporter: StateReporter) -> frozenset[str] | Problem | None:
        self.asked.add(reporter.run.task_queue)
        names = await supported_queries(self._handle(reporter.run), self._budget)
        if names is not None:
            self.heard.add(reporter.run.task_queue)
        return names

    async def ask(self, reporter: StateReporter) -> None:
        queue = reporter.run.task_queue
        if queue in self.silent:
            return  # Each further question would wait as long for nothing.
        self.asked.add(queue)
        said, problem = await self._said(reporter)
        heard = problem is None or problem.code not in NO_WORKER_PROBLEMS
        (self.heard if heard else self.silent).add(queue)
        if problem and problem.code in UNANSWERED_PROBLEMS:
            said = None
        final = heard and reporter.run.status.closed
        self.words[reporter.run.run_id] = ReportedState(said and self._map.reword(said), time.monotonic(), final)

    async def _said(self, reporter: StateReporter) -> tuple[Entity | None, Problem | None]:
        handle = self._handle(reporter.run)
        if reporter.type is not EntityType.RELEASE:
            entity = await query_entity(handle, reporter.entity_id, reporter.type, self._budget)
            return entity, entity.problem if entity else None
        answer = await query_release(handle, RELEASE_STATE_QUERY, self._budget)
        return (None, answer) if isinstance(answer, Problem) else (answer[0], None)

    def _handle(self, run: Execution) -> RunHandle:
        return self._client.get_workflow_handle(run.workflow_id, run_id=run.run_id)


async def _each(ask: Callable[[StateReporter], Awaitable[None]], reporters: Iterable[StateReporter]) -> None:
    gate = asyncio.Semaphore(MAX_CONCURRENT_STATE_QUERIES)

    async def one(reporter: StateReporter) -> None:
        async with gate:
            await ask(reporter)

    await asyncio.gather(*(one(reporter) for reporter in reporters))


def _kind(run: Execution) -> _QueueAndType:
    return run.workflow_type, run.task_queue


def _query_of(entity_type: EntityType) -> str:
    return f"get_{entity_type}_state"


def _final(reporter: StateReporter, known: Mapping[str, ReportedState]) -> bool:
    word = known.get(reporter.run.run_id)
    return word is not None and word.final


def _kept(word: ReportedState) -> ReportedState:
    """Return a report of an earlier read, without its state if that may have changed."""
    return word if word.final else ReportedState(None, word.asked_at)
