"""The recorded history of an entity: its states, and periods without data."""

from collections.abc import Sequence
from datetime import datetime
from itertools import chain

from pydantic import Field

from dashboard.domain.diff import entity_state
from dashboard.domain.entities import Entity
from dashboard.domain.history import EntityState, History, ObservationGap, ObservedChange
from dashboard.domain.phases import Phase
from dashboard.web.page_model import PageModel


class StateView(PageModel):
    """A state first observed at `seen_at` and not yet at `after`, the preceding read.

    `after` is null if there is no gap between the two reads, and for the `first` known state, which may be older.
    `state` is null if the entity was no longer among the rows.
    """

    seen_at: datetime
    after: datetime | None
    first: bool
    state: str | None
    phase: Phase | None
    attempt: int | None
    overruled: bool = Field(exclude=True)

    @property
    def label(self) -> str:
        """Return what to call it: the rollout's own word, unless it was no longer true."""
        if self.phase is None:
            return "removed"
        return self.phase.replace("_", " ") if self.overruled else self.state or "unknown"

    @property
    def at(self) -> datetime:
        """Return the sort key."""
        return self.seen_at


class GapView(PageModel):
    """A period without data: the release was not read or could not be read."""

    from_at: datetime
    to_at: datetime

    @property
    def at(self) -> datetime:
        """Return the sort key: before the state observed at its end."""
        return self.to_at


class HistoryView(PageModel):
    """The recorded history of an entity since `since`, oldest first. Earlier history is not available."""

    since: datetime
    states: tuple[StateView, ...]
    gaps: tuple[GapView, ...]

    @property
    def stands_since(self) -> datetime | None:
        """Return since when the entity has been in its state, if that was observed."""
        began: StateView | None = None
        for state in reversed(self.states):
            if began and (state.state, state.phase) != (began.state, began.phase):
                break
            began = state
        return None if began is None or began.first or began.after else began.seen_at

    @property
    def lines(self) -> list[StateView | GapView]:
        """Return all of it, newest first."""
        lines: list[StateView | GapView] = [*self.gaps, *self.states]
        return sorted(lines, key=lambda line: line.at)[::-1]

    @classmethod
    def of(cls, history: History, path: Sequence[str], entity: Entity) -> "HistoryView":
        """Return the history of the entity at this path of IDs with its current state."""
        seen = history.of(path)
        first = seen.changes[0].difference.was if seen.changes else entity_state(entity)
        begin = [_view(first, seen.since, first=True)] if first else []
        return cls(
            since=seen.since,
            states=tuple(chain(begin, (_of_change(change, seen.gaps) for change in seen.changes))),
            gaps=tuple(GapView(from_at=gap.from_at, to_at=gap.to_at) for gap in seen.gaps),
        )


def _of_change(change: ObservedChange, gaps: Sequence[ObservationGap]) -> StateView:
    # After a gap, it is only known that the change happened in between.
    unwatched = any(gap.from_at <= change.after and change.seen_at <= gap.to_at for gap in gaps)
    return _view(change.difference.now, change.seen_at, change.after if unwatched else None)


def _view(
    stood: EntityState | None, seen_at: datetime, after: datetime | None = None, *, first: bool = False
) -> StateView:
    return StateView(
        seen_at=seen_at,
        after=after,
        first=first,
        state=stood.state if stood else None,
        phase=stood.phase if stood else None,
        attempt=stood.attempt if stood else None,
        overruled=bool(stood and stood.overruled),
    )
