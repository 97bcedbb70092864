"""One look at the source at a time, made a snapshot of; what it told lately is remembered where it tells no more."""

from collections.abc import Callable, Hashable
from dataclasses import replace
from datetime import datetime, timedelta

from dashboard.bridge import LoopThread
from dashboard.domain.entities import Entity, Occurrence, Occurrences, ReleaseList
from dashboard.domain.problems import Problem, ReleaseNotFound
from dashboard.domain.source import ReleaseSource, RunEntity, Search
from dashboard.domain.truth import settle
from dashboard.live.asker import Asker
from dashboard.live.breaker import OfRelease
from dashboard.live.last_seen import LastSeen
from dashboard.live.list_looks import ListLooks
from dashboard.live.memory import Memory
from dashboard.live.movements import Movements
from dashboard.live.row_looks import RowLooks
from dashboard.live.snapshots import Snapshot, now, version_of
from dashboard.live.trees import Seen, remembering, seen_or_last
from dashboard.live.wanted import Wanted

RunKey = tuple[str, str | None]
"""A release id, and a run id or None for its latest run."""

# How many releases a look-up by entity id alone asks, newest first. It says so.
SEARCH_LIMIT = 50
# For how many seconds after somebody last asked for it what was opened in a large release is kept up with, in how many
# releases, and how much of one at most.
KEEP_OPEN = 30.0
OPEN_RELEASES = 64
MAX_OPEN, OPEN_CHARACTERS = 1_000, 64_000
# Bytes of a release or another entity without what is below it, with its execution; and of how one last stood.
STATE_BYTES = 1_500
SEEN_BYTES = 300


class Looks:
    """Asks the source, within `timeout` seconds and past its breakers. What is remembered takes `memory` bytes."""

    def __init__(
        self,
        source: ReleaseSource,
        loop: LoopThread,
        *,
        timeout: float,
        count_age: float,
        max_age: float,
        memory: int,
        stuck_after: timedelta,
        clock: Callable[[], float],
    ) -> None:
        self._asker = Asker(source, loop, timeout, clock)
        states = memory // 4 // STATE_BYTES
        self._final_entities: Memory[RunEntity, Entity | None] = Memory(states)
        self._movements = Movements(states, stuck_after)
        self._last_seen = LastSeen(memory // 4 // SEEN_BYTES)
        self._wanted: Wanted = Wanted(
            seconds=KEEP_OPEN, releases=OPEN_RELEASES, ids=MAX_OPEN, characters=OPEN_CHARACTERS, clock=clock
        )
        self._rows = RowLooks(
            self._asker, self._movements, max_age=max_age, memory=memory // 2, keep=states, clock=clock
        )
        self.rows = self._rows.store
        lists = ListLooks(
            self._asker,
            self._rows,
            self._movements,
            self._last_seen,
            max_age=max_age,
            count_age=count_age,
            keep=memory // 4,
            clock=clock,
        )
        self.page = lists.page

    def trouble(self, key: Hashable) -> Problem | None:
        """Why this release, list or search cannot be read at present, as far as was found out."""
        return self._asker.trouble(key)

    def open(self, key: RunKey, opened: frozenset[str]) -> None:
        """These rows of a release that is read as it is opened are looked at now."""
        self._wanted.note(key, opened)

    def tree(self, key: RunKey, last: Snapshot[Seen] | None, seconds: float | None) -> Snapshot[Seen]:
        """A release with its tree, read within so many seconds; where it does not answer, its last words, marked."""
        release_id, run_id = key
        known = last.value.reading if last and last.value.reading.said else None
        as_of = now()
        opened = self._wanted.of(key)
        budget = seconds or self._asker.timeout
        try:
            reading = self._asker.ask(
                lambda: self._asker.source.read(release_id, known, budget, run_id=run_id, opened=opened),
                OfRelease(release_id),
            )
        except ReleaseNotFound as exc:
            raise ReleaseNotFound(release_id, self._last_seen.words(release_id)) from exc
        seen = remembering(seen_or_last(reading, known, last, as_of), last, as_of)
        self._last_seen.keep(seen.value.release, as_of)
        self._rows.feed(seen)
        return seen if seen.stale else self._with_movement(seen, as_of)

    def _with_movement(self, seen: Snapshot[Seen], as_of: datetime) -> Snapshot[Seen]:
        """The same, and whether nothing has moved in the release for long."""
        release = seen.value.release
        self._movements.note(release, seen.value.reading.execution.history_length, as_of)
        judged = self._movements.judged(release, as_of)
        if judged.stuck is None:
            return seen
        version = version_of(seen.version, judged.stuck)
        return replace(seen, value=replace(seen.value, release=judged), version=version)

    def search(
        self, entity_id: str, _last: Snapshot[Occurrences] | None, _seconds: float | None
    ) -> Snapshot[Occurrences]:
        """An entity wherever it occurs, as far as is looked."""
        as_of = now()
        search = self._asker.ask(
            lambda: self._asker.source.search(entity_id, SEARCH_LIMIT, self._final_entities, self._asker.timeout),
            entity_id,
        )
        for run, entity in search.answers:
            if run.status.closed and not (entity and entity.problem):
                self._final_entities.keep((run.run_id, entity_id), entity)
        value = _occurrences(entity_id, search)
        return Snapshot(value, as_of, version_of(value))


def _occurrences(entity_id: str, search: Search) -> Occurrences:
    seen = [Occurrence(run, settle(run, entity)) for run, entity in search.answers if entity is not None]
    seen.sort(key=lambda occurrence: occurrence.release.started_at, reverse=True)
    found = tuple(occurrence for occurrence in seen if occurrence.entity.state)
    unanswered_by = tuple(occurrence for occurrence in seen if not occurrence.entity.state)
    return Occurrences(entity_id, found, unanswered_by, len(search.answers), search.total)


def list_weight(found: ReleaseList) -> int:
    """About how many bytes a page of the list takes."""
    return STATE_BYTES * (1 + len(found.releases))


def search_weight(found: Occurrences) -> int:
    """About how many bytes an entity takes wherever it was found."""
    return STATE_BYTES * (1 + len(found.found) + len(found.unanswered))
