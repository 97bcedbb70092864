"""Rows: entities as pages and JSON show them, nested as the rollout is."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue

from dashboard.domain.entities import Entity
from dashboard.domain.phases import Phase
from dashboard.domain.problems import ProblemCode
from dashboard.domain.truncation import truncate, truncate_details
from dashboard.domain.work_times import WorkTimes
from dashboard.views.shared.details import AttemptView, ChildRunView, Progress
from dashboard.views.shared.html_ids import row_html_id
from dashboard.web.page_model import ProblemView, VersionRuns, page_part

MAX_LABEL_LENGTH = 50
# A field that most rows would have for nothing.
_LEFT_OUT = Field(exclude_if=lambda rows: not rows, description="Rows in an unexpected place in the hierarchy.")
# What a row's own line does not show.
_NOT_OWN = frozenset({"details", "waves", "clusters", "bundle", "apps", "children", "cluster_ids", "app_ids"})
# Where a row names those below it.
_NAMED_IN = {"release": "wave_ids", "wave": "cluster_ids", "cluster": "bundle_id", "bundle": "app_ids"}


@page_part
class EntityRow:
    """An entity. `state` is the full state as the rollout reports it; `phase` is one of nine."""

    id: str
    # Each kind of row names its own; plain text where there are thousands, as enums take long to be written as JSON.
    type: str
    name: str
    state: str
    phase: Phase
    created_at: datetime | None
    updated_at: datetime | None
    error_message: str | None
    problem: ProblemView | None
    attempt: AttemptView | None
    child_run: Annotated[ChildRunView | None, Field(description="Child workflow that runs this entity, until it ends.")]
    details: Mapping[str, JsonValue]
    cancelling: Annotated[bool, Field(description="Whether cancellation was requested but is not complete.")]
    more_pending: Annotated[int, Field(description="Number of further pending activities besides `attempt`.")]
    overruled: Annotated[bool, Field(exclude=True)]
    unread_below: Annotated[bool, Field(exclude=True)]
    place: Annotated[str, Field(exclude=True)]

    @property
    def key(self) -> str:
        """Return a stable HTML ID, not part of the JSON."""
        return row_html_id(self.place)

    @property
    def word(self) -> str:
        """Return the rollout's own word as a row has room for it."""
        state = self.state or "unknown"
        return state if len(state) <= MAX_LABEL_LENGTH else f"{state[: MAX_LABEL_LENGTH - 1]}…"

    @property
    def shown_phase(self) -> Phase:
        """Return the phase whose shape and colour it has."""
        return self.phase

    @property
    def label(self) -> str:
        """Return what to call the state, with blanks: the rollout's own word, unless that is no longer true."""
        return (self.phase if self.overruled else self.word).replace("_", " ")

    @property
    def spoken(self) -> str:
        """Return the phase for screen readers; empty if the label is the same."""
        phase = self.phase.replace("_", " ")
        return "" if self.label.lower() == phase else phase

    @property
    def cause(self) -> str | None:
        """Return the cause of the row's trouble, or its missing data, in one line."""
        cause = self.error_message or (self.attempt.cause if self.attempt else None)
        cause = truncate(cause) if cause else None
        if cause or self.problem is None or self.problem.code == ProblemCode.NOT_OPENED:
            return cause
        structural = not (self.problem.gap or self.problem.awaited)
        if structural and self.phase.broken:
            return None
        return self.problem.message

    @property
    def calm(self) -> bool:
        """Return whether its cause is no trouble."""
        trouble = self.error_message or (self.attempt and self.attempt.cause)
        return not trouble and self.problem is not None and not self.problem.gap

    @property
    def addressable(self) -> bool:
        """Return whether the row has an id that a link can carry."""
        return bool(self.id) and not (self.problem and self.problem.code == "malformed")

    @property
    def rows(self) -> tuple["EntityRow", ...]:
        """Return the rows below this one."""
        return ()

    @property
    def listed(self) -> bool:
        """Return whether it has rows below it, shown or not."""
        return bool(vars(self).get(_NAMED_IN.get(self.type, "")))

    @property
    def line_id(self) -> str:
        """Return the HTML id of the row's own line."""
        return self.key

    @property
    def frame(self) -> tuple[object, ...]:
        """Return the content around the line and in place of its rows."""
        return (self.place,)

    @property
    def said(self) -> tuple[object, ...]:
        """Return the hashable content of the line, to detect changes."""
        return tuple([value for name, value in vars(self).items() if name not in _NOT_OWN])

    def walk(self) -> Iterator["EntityRow"]:
        """Yield every row from this one down, parents first, in order."""
        yield self
        for row in self.rows:
            yield from row.walk()


@page_part
class TimedRow(EntityRow):
    """A row with the start and end of its work. `created_at` is the creation time of its record."""

    began_at: Annotated[
        datetime | None,
        Field(description="Start of work. Null if it has not started or is unknown."),
    ]
    ended_at: Annotated[datetime | None, Field(description="End of work. Null while in progress or if unknown.")]

    @property
    def since(self) -> datetime | None:
        """Return since when it is in its phase: at work since that began, else since its last change."""
        return self.began_at if self.phase is Phase.RUNNING else self.updated_at or self.ended_at


@page_part
class AppRow(TimedRow):
    """An app. `bundle_id` is its parent: a bundle, or what a team uses instead.

    `children` are rows below it, such as a migration that it runs. Omitted if there are none.
    """

    type: Literal["app"]
    bundle_id: str
    version: str | None
    version_runs: VersionRuns
    children: Annotated[tuple["AnyRow", ...], _LEFT_OUT] = ()

    @property
    def rows(self) -> tuple[EntityRow, ...]:
        """Return what is below it."""
        return self.children

    @property
    def line_id(self) -> str:
        """Return the HTML id of the row's own line."""
        return f"{self.key}-line" if self.children else self.key

    @property
    def frame(self) -> tuple[object, ...]:
        """Return the content around the line and in place of its rows."""
        return (self.place, len(self.children)) if self.children else (self.place,)


@page_part
class BranchRow(TimedRow):
    """A row with rows below it. `progress` counts its apps.

    `children` are rows in an unexpected place in the hierarchy, if a team uses other levels. Omitted if there are none.
    """

    progress: Progress
    children: Annotated[tuple["AnyRow", ...], _LEFT_OUT] = ()

    @property
    def shown_phase(self) -> Phase:
        """Return the phase whose shape and colour it has: what succeeded with failed parts is not well."""
        return self.progress.counted_in(self.phase)

    @property
    def line_id(self) -> str:
        """Return the HTML id of the row's own line."""
        return f"{self.key}-line"

    @property
    def frame(self) -> tuple[object, ...]:
        """Return the content around the line and in place of its rows."""
        known = self.problem is None
        return self.place, self.name, len(self.rows), self.listed, known, self.addressable, self.expectant

    @property
    def expectant(self) -> bool:
        """Return whether nothing is below it that may still come."""
        return not self.rows and (self.phase.unfinished or self.phase is Phase.UNKNOWN)


@page_part
class BundleRow(BranchRow):
    """The bundle of a cluster. Its apps are included even if `open` is false."""

    type: Literal["bundle"]
    cluster_id: str
    app_ids: tuple[str, ...]
    open: bool
    apps: tuple[AppRow, ...]

    @property
    def rows(self) -> tuple[EntityRow, ...]:
        """Its apps, and what else is below it."""
        return (*self.apps, *self.children) if self.children else self.apps

    @property
    def frame(self) -> tuple[object, ...]:
        """Return whether it is open, too."""
        return *super().frame, self.open


@page_part
class ClusterRow(BranchRow):
    """A cluster. If `open` is false, its bundle is null: request the hierarchy or this entity."""

    type: Literal["cluster"]
    wave_id: str
    bundle_id: str | None
    open: bool
    bundle: BundleRow | None

    @property
    def rows(self) -> tuple[EntityRow, ...]:
        """Its bundle, if it is open and has one, and what else is below it."""
        return (*((self.bundle,) if self.bundle else ()), *self.children)

    @property
    def size(self) -> int:
        """Return the number of rows below it, shown or not."""
        return 1 + self.progress.total

    @property
    def frame(self) -> tuple[object, ...]:
        """Return whether its rows are shown, and their number."""
        return *super().frame, self.open, self.size


@page_part
class WaveRow(BranchRow):
    """A wave. `progress` counts apps, `cluster_progress` clusters. If `open` is false, its clusters are omitted."""

    type: Literal["wave"]
    release_id: str
    sequence: int | None
    cluster_ids: tuple[str, ...]
    cluster_progress: Progress
    open: bool
    clusters: tuple[ClusterRow, ...] | None
    lazy: Annotated[bool, Field(exclude=True)]

    @property
    def rows(self) -> tuple[EntityRow, ...]:
        """Its clusters, if it is open, and what else is below it."""
        return (*(self.clusters or ()), *self.children)

    @property
    def frame(self) -> tuple[object, ...]:
        """Return whether its rows are shown or loaded on demand."""
        return *super().frame, self.open, self.lazy


AnyRow = Annotated[WaveRow | ClusterRow | BundleRow | AppRow, Field(discriminator="type")]


def timed_fields(entity: Entity, place: str, work: WorkTimes) -> dict[str, Any]:
    """Return the fields that rows of every type share, and when there was work on it."""
    fields = common_fields(entity, place)
    fields["began_at"], fields["ended_at"] = work.span(entity)
    return fields


def common_fields(entity: Entity, place: str) -> dict[str, Any]:
    """Return the fields that rows of every type share."""
    return {
        "id": entity.id,
        "name": entity.name,
        "state": entity.state,
        "phase": entity.phase,
        "created_at": entity.created_at,
        "updated_at": entity.updated_at,
        "error_message": entity.error,
        # Asked for here: most rows have none of these, and there are thousands.
        "problem": ProblemView.of(entity.problem) if entity.problem else None,
        "attempt": AttemptView.of(entity.attempt) if entity.attempt else None,
        "child_run": ChildRunView.of(entity.child_run) if entity.child_run else None,
        "details": entity.details,
        "cancelling": entity.execution is not None and entity.execution.cancelling,
        "more_pending": len(entity.others),
        "overruled": entity.overruled,
        "unread_below": entity.unopened,
        "place": place,
    }


def truncated_fields(fields: dict[str, Any]) -> dict[str, Any]:
    """Truncate the texts of these fields; the release itself has the full texts."""
    error = fields["error_message"]
    return fields | {
        "error_message": truncate(error) if error else error,
        "details": truncate_details(fields["details"]),
    }
