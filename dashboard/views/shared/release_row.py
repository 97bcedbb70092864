"""Common fields of rows of a release, including its overall state."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from dashboard.domain.entities import Release, Stuck
from dashboard.domain.ids import EntityType
from dashboard.domain.overall import overall_state
from dashboard.domain.parts import PartsSummary, ReleasePart, parts_of
from dashboard.domain.phases import Phase
from dashboard.views.shared.origin import OriginView
from dashboard.views.shared.rows import TimedRow, common_fields
from dashboard.web.page_model import page_part


@page_part
class PartView:
    """A part of a release: an entity, or an activity that belongs to no entity (`type` null). `text` is the reason."""

    id: str
    type: EntityType | None
    name: str
    within: Annotated[str, Field(description="Name of its cluster. Empty if it is in none.")]
    text: str

    @classmethod
    def of(cls, one: ReleasePart | None) -> "PartView | None":
        """Return the view of a part, or None for none."""
        if one is None:
            return None
        return cls(id=one.id, type=one.type, name=one.name, within=one.within, text=one.text)


@page_part
class PartsView:
    """The parts of a release: `failed` of `total` parts at this `level` failed, timed out or were terminated."""

    level: EntityType | None
    total: int
    failed: int
    cancelled: int
    retrying: Annotated[int, Field(description="Number of retrying activities.")]
    waiting: Annotated[int, Field(description="Number of rows and activities that are paused or waiting for approval.")]
    waits: Annotated[PartView | None, Field(description="First of these, innermost.")]
    cause: Annotated[PartView | None, Field(description="First innermost part that failed, with its cause.")]
    left_running: Annotated[int, Field(description="Number of child workflows still running after the release ended.")]
    stalled: Annotated[int, Field(description="Number of parts whose next step no worker is picking up.")]

    @classmethod
    def of(cls, parts: PartsSummary | None) -> "PartsView | None":
        """Return the view of a release's parts, or None where they were not read."""
        if parts is None:
            return None
        return cls(
            level=parts.level,
            total=parts.total,
            failed=parts.failed,
            cancelled=parts.cancelled,
            retrying=parts.retrying,
            waiting=parts.waiting,
            waits=PartView.of(parts.waits),
            cause=PartView.of(parts.cause),
            left_running=parts.left_running,
            stalled=parts.stalled,
        )


@page_part
class StuckView:
    """Since when nothing has changed, and why nothing will change on its own."""

    since: datetime
    why: str

    @classmethod
    def of(cls, stuck: Stuck | None) -> "StuckView | None":
        """Return the view of a release that is stuck, or None."""
        return cls(since=stuck.since, why=stuck.why) if stuck else None


@page_part
class ReleaseRow(TimedRow):
    """A release. `state` and `phase` are its own; `overall_phase` and `summary` include its parts."""

    overall_phase: Annotated[
        Phase,
        Field(
            description="`failed` if the release succeeded with failed parts, `paused` if it is running and one of its "
            "parts is paused or waiting for approval, otherwise its own phase."
        ),
    ]
    summary: Annotated[str, Field(description="`overall_phase` in words, such as: succeeded with 2 of 6 failed.")]
    failed: Annotated[
        int | None,
        Field(description="Number of parts that failed, timed out or were terminated. Null if not loaded."),
    ]
    inside: Annotated[
        PartsView | None, Field(description="Counts of the release's parts. Null if its tree was not loaded.")
    ]
    stuck: Annotated[
        StuckView | None,
        Field(description="Set while it is running without changes for a long time and with nothing pending."),
    ]
    scheduled_for: Annotated[datetime | None, Field(description="Scheduled start, if in the future.")]
    origin: Annotated[
        OriginView | None, Field(description="How its run started, if it follows another run or a schedule.")
    ]
    counted: Annotated[str, Field(exclude=True)]
    note: Annotated[str, Field(exclude=True)]
    short: Annotated[str, Field(exclude=True)]

    @property
    def shown_phase(self) -> Phase:
        """Return the phase whose shape and colour it has."""
        return self.overall_phase

    @property
    def label(self) -> str:
        """Return what to call the state, with blanks: its own word, unless its parts say otherwise."""
        return self.counted or super().label

    @property
    def spoken(self) -> str:
        """Return the phase for screen readers; empty if the label is the same."""
        phase = self.phase.replace("_", " ")
        return "" if self.label.lower().startswith(phase) else phase


def release_common(release: Release, place: str) -> dict[str, Any]:
    """Return the fields that rows of releases share."""
    found, parts = overall_state(release), parts_of(release)
    return {
        **common_fields(release.root, place),
        "began_at": release.began_at,
        "ended_at": release.execution.closed_at,
        "scheduled_for": release.scheduled_for,
        "origin": OriginView.of(release.execution.origin),
        "type": release.root.type,
        "overall_phase": found.phase,
        "summary": found.summary,
        "cancelling": found.cancelling,
        "failed": parts.failed if parts else None,
        "inside": PartsView.of(parts),
        "stuck": StuckView.of(release.stuck),
        "counted": found.label,
        "note": found.note,
        "short": found.short,
    }
