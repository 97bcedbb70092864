"""The status badge of a release."""

from typing import ClassVar, Self

from dashboard.domain.display import display_text
from dashboard.domain.entities import Entity, Release
from dashboard.domain.ids import release_name
from dashboard.domain.levels import waves_in
from dashboard.domain.overall import overall_state
from dashboard.domain.phases import Phase
from dashboard.domain.rollup import count_app_phases, count_phases
from dashboard.domain.snapshot import Snapshot
from dashboard.web.page_model import PageModel

MAX_BADGE_NAME_LENGTH, MAX_BADGE_STATE_LENGTH = 40, 60


class Badge(PageModel):
    """The label, text and phase of a badge. If the state is unknown, it has no phase and therefore no colour."""

    template: ClassVar[str] = "badges/badge.svg"

    name: str
    said: str
    phase: Phase | None

    @property
    def spoken(self) -> str:
        """Return all of it, for those who do not see it."""
        return f"{self.name}: {self.said}"

    @classmethod
    def of(cls, snapshot: Snapshot[Release]) -> Self:
        """Return the badge of a release."""
        root, found = snapshot.value.root, overall_state(snapshot.value)
        said = [
            _shown(found.short, MAX_BADGE_STATE_LENGTH),
            *_progress(root),
            *(["out of date"] if snapshot.stale else []),
        ]
        return cls(name=_shown(root.name), said=", ".join(said), phase=None if snapshot.stale else found.phase)

    @classmethod
    def without(cls, release_id: str, why: str) -> Self:
        """Return a badge without a state."""
        return cls(name=_shown(release_name(release_id)), said=why, phase=None)


def _progress(root: Entity) -> list[str]:
    """Return the progress in apps, or in waves if not all apps were loaded; empty if there are none."""
    counts = count_app_phases(root)
    noun = counts.noun
    if counts.unopened:
        counts, noun = count_phases(waves_in(root), "wave"), "wave"
    if not counts.total:
        return []
    return [f"{counts.of(Phase.SUCCEEDED):,}/{counts.total:,} {noun}{'' if counts.total == 1 else 's'}"]


def _shown(name: str, most: int = MAX_BADGE_NAME_LENGTH) -> str:
    """Return a text truncated to one line, with hidden characters made visible."""
    cut = name = " ".join(name.split())
    while len(display_text(cut)) > most:
        cut = name[: min(len(cut), most) - 1]
    return cut if cut == name else f"{cut}…"
