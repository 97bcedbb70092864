"""What child workflows say of themselves, asked of those alone whose type is known to answer."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress

from cachetools import TTLCache

from dashboard.domain.child_runs import Word
from dashboard.domain.children import Teller
from dashboard.domain.entities import Entity, Execution
from dashboard.domain.entity_map import EntityMap
from dashboard.domain.ids import EntityType
from dashboard.domain.problems import Problem, ProblemCode
from dashboard.temporal.budget import Budget
from dashboard.temporal.child_shape import queries_of
from dashboard.temporal.client import Client, Handle
from dashboard.temporal.query_shape import RELEASE_STATE, ask_entity, ask_release

# Runs asked in one look at most, and types of which it is found out what they answer.
ASKED = 50
LEARNT = 10
# Queries under way at once: a worker answers them one after the other anyway.
AT_ONCE = 8
# Seconds that a look waits for words: what has not come by then keeps its status as its state.
PATIENCE = 1.2
# What a type answers changes with the worker's code; after so many seconds it is asked again.
REMEMBER_TYPE = 600.0
# For so many seconds a task queue from which nothing came is left alone, so that a dead worker costs no look its time;
# and so is a type that did not say what it answers.
LEAVE_ALONE = 10.0
KEEP = 1_000

# What says nothing of the run that was asked, only that no worker was there for it in time.
UNHEARD = frozenset(
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
UNANSWERED = UNHEARD | {
    ProblemCode.QUERY_UNKNOWN,
    ProblemCode.QUERY_FAILED,
    ProblemCode.TASK_FAILING,
    ProblemCode.PAUSED,
}

_Kind = tuple[str, str]
"""A workflow type and its task queue: the same type may have other code elsewhere."""


class ChildWords:
    """Asks runs for their state. Belongs to one namespace and remembers which types answer what."""

    def __init__(self, entity_map: EntityMap) -> None:
        self._map = entity_map
        self._answers: TTLCache[_Kind, frozenset[str]] = TTLCache(KEEP, REMEMBER_TYPE)
        self._left_alone: TTLCache[str | _Kind, bool] = TTLCache(KEEP, LEAVE_ALONE)

    async def ask(
        self, client: Client, tellers: Sequence[Teller], known: Mapping[str, Word], budget: Budget
    ) -> dict[str, Word]:
        """The words of these runs, by run id: those of closed runs once for all, of the others as far as asked now."""
        look = _Look(client, self._map, budget)
        reachable = [teller for teller in tellers if teller.run.task_queue not in self._left_alone]
        with suppress(TimeoutError):
            async with Budget.of(PATIENCE).bounds(), budget.bounds():
                await self._learn(look, reachable)
                wanted = [teller for teller in reachable if self._tells(teller) and not _final(teller, known)]
                wanted.sort(key=lambda teller: known[teller.run.run_id].asked_at if teller.run.run_id in known else 0.0)
                await _each(look.ask, wanted[:ASKED])
        for queue in look.asked - look.heard:
            self.leave_alone(queue)
        return {run_id: _kept(word) for run_id, word in known.items()} | look.words

    def leave_alone(self, task_queue: str) -> None:
        """Ask nothing of this task queue for some seconds: no worker answers there."""
        self._left_alone[task_queue] = True

    async def _learn(self, look: "_Look", tellers: Sequence[Teller]) -> None:
        """Find out which queries the types answer that are not known yet, from one run of each."""
        samples: dict[_Kind, Teller] = {}
        for teller in tellers:
            # One that runs is likely to be in its worker's memory; a closed one has to be replayed.
            kind = _kind(teller.run)
            if kind in self._answers or kind in self._left_alone:
                continue
            if kind not in samples or samples[kind].run.status.closed:
                samples[kind] = teller
        await _each(lambda teller: self._learn_from(look, teller), list(samples.values())[:LEARNT])

    async def _learn_from(self, look: "_Look", teller: Teller) -> None:
        names = await look.queries_of(teller)
        if names is None:
            self._left_alone[_kind(teller.run)] = True
        else:
            # What cannot be read is no word either.
            self._answers[_kind(teller.run)] = frozenset() if isinstance(names, Problem) else names

    def _tells(self, teller: Teller) -> bool:
        return _query_of(teller.type) in self._answers.get(_kind(teller.run), ())


class _Look:
    """The questions of one look, which task queues they went to, and from which something came back."""

    def __init__(self, client: Client, entity_map: EntityMap, budget: Budget) -> None:
        self._client = client
        self._map = entity_map
        self._budget = budget
        self.asked: set[str] = set()
        self.heard: set[str] = set()
        self.silent: set[str] = set()
        self.words: dict[str, Word] = {}

    async def queries_of(self, teller: Teller) -> frozenset[str] | Problem | None:
        self.asked.add(teller.run.task_queue)
        names = await queries_of(self._handle(teller.run), self._budget)
        if names is not None:
            self.heard.add(teller.run.task_queue)
        return names

    async def ask(self, teller: Teller) -> None:
        queue = teller.run.task_queue
        if queue in self.silent:
            return  # Each further question would wait as long for nothing.
        self.asked.add(queue)
        said, problem = await self._said(teller)
        heard = problem is None or problem.code not in UNHEARD
        (self.heard if heard else self.silent).add(queue)
        if problem and problem.code in UNANSWERED:
            said = None
        final = heard and teller.run.status.closed
        self.words[teller.run.run_id] = Word(said and self._map.reword(said), time.monotonic(), final)

    async def _said(self, teller: Teller) -> tuple[Entity | None, Problem | None]:
        handle = self._handle(teller.run)
        if teller.type is not EntityType.RELEASE:
            entity = await ask_entity(handle, teller.entity_id, teller.type, self._budget)
            return entity, entity.problem if entity else None
        answer = await ask_release(handle, RELEASE_STATE, self._budget)
        return (None, answer) if isinstance(answer, Problem) else (answer[0], None)

    def _handle(self, run: Execution) -> Handle:
        return self._client.get_workflow_handle(run.workflow_id, run_id=run.run_id)


async def _each(ask: Callable[[Teller], Awaitable[None]], tellers: Iterable[Teller]) -> None:
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(teller: Teller) -> None:
        async with gate:
            await ask(teller)

    await asyncio.gather(*(one(teller) for teller in tellers))


def _kind(run: Execution) -> _Kind:
    return run.workflow_type, run.task_queue


def _query_of(entity_type: EntityType) -> str:
    return f"get_{entity_type}_state"


def _final(teller: Teller, known: Mapping[str, Word]) -> bool:
    word = known.get(teller.run.run_id)
    return word is not None and word.final


def _kept(word: Word) -> Word:
    """A word of an earlier look: one that may have changed since is not shown again, only when it was asked for."""
    return word if word.final else Word(None, word.asked_at)
