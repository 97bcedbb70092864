"""Determine the overall phase of a release from its own state and its parts."""

from dataclasses import dataclass, replace

from dashboard.domain.entities import Release
from dashboard.domain.ids import EntityType
from dashboard.domain.parts import PartsSummary, ReleasePart, parts_of, paused_activity_part
from dashboard.domain.phases import Phase


@dataclass(frozen=True, slots=True)
class OverallState:
    """The overall state of a release in words.

    `phase` is the release's own, but failed if it succeeded with failed parts, and paused if it is running, something
    in it waits for approval, and nothing fails. `label` replaces a misleading own state, `note` adds to it; both may be
    empty. `attention` tells that something failed permanently or was left running, and `cancelling` that cancellation
    is pending.
    """

    phase: Phase
    label: str = ""
    note: str = ""
    attention: bool = False
    cancelling: bool = False
    waits: ReleasePart | None = None

    @property
    def short(self) -> str:
        """Return a short text for titles and badges."""
        words = self.label or (waiting_part_text(self.waits) if self.waits else self.phase.replace("_", " "))
        return f"{words}, cancelling" if self.cancelling else words

    @property
    def summary(self) -> str:
        """Return a summary in one line."""
        own = "" if self.waits else self.label or self.phase.replace("_", " ")
        words = ", ".join(part for part in (own, self.note) if part)
        return f"{words}, cancelling" if self.cancelling else words


def overall_state(release: Release) -> OverallState:
    """Return the overall state of a release."""
    found = _counted(release)
    return replace(found, cancelling=True) if release.execution.cancelling else found


def _counted(release: Release) -> OverallState:
    phase, execution = release.root.phase, release.execution
    parts = parts_of(release)
    left = left_running_text(parts) if parts else ""
    if phase is Phase.SUCCEEDED:
        return _succeeded(parts, left) if parts else OverallState(phase)
    if execution.status.closed or phase.broken:
        return OverallState(phase, note=left, attention=phase.broken or bool(left))
    failed, waits = failed_text(parts) if parts else "", _waits(release, parts)
    if waits and not failed and not _fails(release, parts):
        return OverallState(Phase.PAUSED, note=_waiting_text(waits, parts), waits=waits)
    retrying = retrying_text(parts.retrying if parts else sum(attempt.retrying for attempt in release.also_pending))
    stalled = stalled_text(parts) if parts else ""
    texts = (_own_text(release), failed, stalled, retrying, _waiting_text(waits, parts) if waits else "")
    return OverallState(phase, note=", ".join(filter(None, texts)), attention=bool(failed))


def _own_text(release: Release) -> str:
    """Describe a problem of the release's own workflow."""
    if release.execution.failing_task:
        return "workflow code is failing"
    return "no worker is picking up its next step" if release.execution.waiting_since else ""


def failed_text(parts: PartsSummary) -> str:
    """Say how many parts failed, such as "2 of 6 apps failed"; empty where none did."""
    if not parts.failed:
        return ""
    noun = parts.level or EntityType.APP
    return f"{parts.failed:,} of {parts.total:,} {noun}{'' if parts.total == 1 else 's'} failed"


def left_running_text(parts: PartsSummary) -> str:
    """Say how many child workflows run on after the end of their release; empty where none does."""
    if not parts.left_running:
        return ""
    return f"{parts.left_running:,} child workflow{'' if parts.left_running == 1 else 's'} left running"


def stalled_text(parts: PartsSummary) -> str:
    """Say of how many parts no worker takes the next step; empty where there are none."""
    if not parts.stalled:
        return ""
    return f"no worker is picking up the next step of {parts.stalled:,} part{'' if parts.stalled == 1 else 's'}"


def retrying_text(count: int) -> str:
    """Say how many activities, or tasks of a workflow, failed and are retried; empty where none is."""
    return f"{count:,} retrying" if count else ""


def _waiting_text(waits: ReleasePart, parts: PartsSummary | None) -> str:
    more = f" and {parts.waiting - 1:,} more" if parts and parts.waiting > 1 else ""
    return f"{waiting_part_text(waits)}{f': {waits.text}' if waits.text else ''}{more}"


def waiting_part_text(part: ReleasePart) -> str:
    """Say in which part a release waits for approval."""
    return f"waiting in {part.place}" if part.type else f"waiting for activity {part.name}"


def _succeeded(parts: PartsSummary, left: str) -> OverallState:
    if parts.failed:
        label = f"succeeded with {parts.failed:,} of {parts.total:,} failed"
        cause = parts.cause
        note = f"{cause.name}: {cause.text}" if cause and cause.text else failed_text(parts)
        return OverallState(Phase.FAILED, label, ", ".join(filter(None, (note, left))), attention=True)
    label = f"succeeded with {parts.cancelled:,} of {parts.total:,} cancelled" if parts.cancelled else ""
    return OverallState(Phase.SUCCEEDED, label, left, attention=bool(left))


def _fails(release: Release, parts: PartsSummary | None) -> bool:
    """Return whether something in an active release is retrying or stuck."""
    if release.execution.failing_task or release.execution.waiting_since:
        return True
    return bool(parts.retrying or parts.stalled) if parts else any(attempt.retrying for attempt in release.also_pending)


def _waits(release: Release, parts: PartsSummary | None) -> ReleasePart | None:
    if release.root.phase is Phase.PAUSED:
        return None  # Its own word says so.
    if parts and parts.waits:
        return parts.waits
    return next((paused_activity_part(attempt) for attempt in release.also_pending if attempt.paused), None)
