"""A wall screen: one release at a time, readable from across the room, and which others have their turn."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field

from dashboard.domain.entities import Release, Status
from dashboard.domain.ids import EntityType
from dashboard.domain.kiosk import KioskRotation
from dashboard.domain.levels import waves_in
from dashboard.domain.overall import overall_state
from dashboard.domain.phases import Phase
from dashboard.domain.rollup import blockages, count_app_phases, count_phases
from dashboard.domain.snapshot import Snapshot
from dashboard.domain.timeline import build_timeline
from dashboard.views.release.blockages import BlockageView, FailingTaskView
from dashboard.views.release.runs import RunsView
from dashboard.views.shared.details import Progress
from dashboard.views.shared.html_ids import row_place
from dashboard.views.shared.release_row import ReleaseRow, release_common
from dashboard.views.shared.rows import truncated_fields
from dashboard.views.strip.page import MAX_STRIP_CLUSTERS, Strip
from dashboard.views.timeline.page import EstimateView
from dashboard.web.page_model import Page, PageModel, freshness, page_part

# Thresholds for large cells (few clusters) and for narrow waves (many waves).
FEW_CLUSTERS, MANY_WAVES, VERY_MANY_WAVES = 28, 10, 20


class KioskTurn(PageModel):
    """A release in the rotation, with its state in words and whether it is currently shown."""

    release_id: str
    name: str
    word: str
    turn_phase: Phase
    shown: bool

    @classmethod
    def of(cls, release: Release, *, shown: bool) -> "KioskTurn":
        """Return the view of a release of the list."""
        root, found = release.root, overall_state(release)
        word = (root.phase if root.overruled else root.state or "unknown").replace("_", " ")
        words = found.label or (f"{word}, {found.note}" if found.note else word)
        return cls(release_id=release.id, name=root.name, word=words, turn_phase=found.phase, shown=shown)


class EndedRelease(PageModel):
    """A recently finished release."""

    release_id: str
    name: str
    word: str
    ended_as: Phase
    ended_at: datetime | None

    @classmethod
    def of(cls, release: Release) -> "EndedRelease":
        """Return the view of a release of the list that has ended."""
        turn = KioskTurn.of(release, shown=False)
        at = release.execution.closed_at
        return cls(release_id=turn.release_id, name=turn.name, word=turn.word, ended_as=turn.turn_phase, ended_at=at)


class KioskRotationView(PageModel):
    """The rotation: releases that need attention, then those waiting for approval, then those in progress."""

    every: int = Field(description="Seconds per release.")
    place: int = Field(description="Position of the release that is shown, from 1. 0 if there is none.")
    turns: tuple[KioskTurn, ...]
    pageless: int = Field(0, description="Always 0.", deprecated=True)
    looked_at: int = Field(description="Number of releases checked, from the start of the list.")
    whole: bool = Field(description="Whether no further release down the list belongs here.")
    ended: tuple[EndedRelease, ...] = Field(description="Most recently finished releases.")

    @classmethod
    def of(cls, found: KioskRotation, shown: str | None, every: int) -> "KioskRotationView":
        """Return the view of the rotation while this release is shown."""
        return cls(
            every=every,
            place=found.place_of(shown) + 1 if shown else 0,
            turns=tuple(KioskTurn.of(release, shown=release.id == shown) for release in found.releases),
            looked_at=found.looked_at,
            whole=found.whole,
            ended=tuple(map(EndedRelease.of, found.ended)),
        )

    @property
    def next_id(self) -> str | None:
        """Return the next release, if there is another one."""
        return self.turns[self.place % len(self.turns)].release_id if len(self.turns) > 1 else None


@page_part
class KioskRelease(ReleaseRow):
    """The release that is shown, with its waves as a strip. `estimate` is null if there is none."""

    type: EntityType
    workflow_id: str
    run_id: str
    status: Status
    closed_at: datetime | None
    progress: Progress
    wave_progress: Progress
    strip: Strip
    blocked_by: tuple[BlockageView, ...]
    failing_task: FailingTaskView | None
    waiting_since: datetime | None
    estimate: EstimateView | None
    earlier: Annotated[bool, Field(description="Whether this is an earlier run.")]

    @classmethod
    def of(cls, release: Release, known_at: datetime) -> "KioskRelease":
        """Return the view of a release as it was read at this moment."""
        execution, root = release.execution, release.root
        runs = RunsView.of(release)
        return cls(
            **truncated_fields(release_common(release, row_place("", release.id, 0))),
            workflow_id=release.id,
            run_id=execution.run_id,
            status=execution.status,
            closed_at=execution.closed_at,
            progress=Progress.of(count_app_phases(root)),
            wave_progress=Progress.of(count_phases(waves_in(root), "wave")),
            strip=Strip.of(release, MAX_STRIP_CLUSTERS),
            blocked_by=tuple(BlockageView.of(blockage, release) for blockage in blockages(release)),
            failing_task=FailingTaskView.of(execution.failing_task),
            waiting_since=execution.waiting_since,
            # Of a release that is read as it is opened there is none, and it has thousands of rows.
            estimate=None if release.levels else EstimateView.of(build_timeline(release, known_at).estimate),
            earlier=runs.earlier,
        )

    @property
    def troubled(self) -> bool:
        """Return whether anything failed or is retrying; a release that only waits for approval is not in trouble."""
        own = self.overall_phase.broken or self.failing_task
        return bool(self.progress.broken or self.progress.retrying or own)

    @property
    def crowding(self) -> str:
        """Return how much room its waves have; empty for enough."""
        waves = len(self.strip.waves)
        return "crowd" if waves > VERY_MANY_WAVES else "many" if waves > MANY_WAVES else ""

    @property
    def size(self) -> str:
        """How large its cells are."""
        few = self.strip.clusters <= FEW_CLUSTERS and len(self.strip.waves) <= MANY_WAVES
        return "few" if few else self.strip.width


class KioskPage(Page):
    """A wall screen: a release, or the message that no release is in progress."""

    template: ClassVar[str] = "kiosk/page.html"
    fragment: ClassVar[str] = "kiosk/_content.html"

    turns: KioskRotationView | None = Field(description="Null if the screen shows a single release.")
    release: KioskRelease | None = Field(description="Null if no release is in progress or needs attention.")
    asked: Mapping[str, str] = Field(exclude=True)

    @property
    def title(self) -> str:
        """Return the page title."""
        if self.release is None:
            return "No releases in progress"
        return f"{self.release.name}: {self.release.short}"

    @property
    def worst(self) -> Phase | None:
        """Failed as soon as anything in the release is, or is retrying."""
        if self.release is None:
            return None
        return Phase.FAILED if self.release.troubled else self.release.overall_phase

    @property
    def narrowed(self) -> tuple[tuple[str, str], ...]:
        """Return the filter as given."""
        return tuple((name, value) for name, value in self.asked.items() if name in {"q", "phase", "since", "until"})

    @property
    def every(self) -> int:
        """Seconds after which a screen without a script asks again, or for the next release."""
        return self.turns.every if self.turns else 12

    @property
    def next(self) -> dict[str, str] | None:
        """Return the parameters of the address that shows the next release; None where this one stays."""
        next_id = self.turns.next_id if self.turns else None
        return {**self.asked, "show": next_id} if next_id else None

    @property
    def frame(self) -> tuple[object, ...]:
        """Return all displayed content."""
        return tuple([repr(value) for name, value in self if name not in {"as_of", "content_version"}])

    @classmethod
    def of(
        cls, seen: Snapshot[Any], release: Release | None, turns: KioskRotationView | None, asked: Mapping[str, str]
    ) -> Self:
        """Return the page of a rotation showing this release. `asked` are the parameters to keep."""
        view = KioskRelease.of(release, seen.as_of) if release else None
        return cls(**freshness(seen), turns=turns, release=view, asked=asked)
