"""Rows: entities as pages and JSON show them, nested as the rollout is."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2s
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue

from dashboard.domain.entities import Entity
from dashboard.domain.ids import EntityType
from dashboard.domain.narrowing import EVERYTHING, Narrowing
from dashboard.domain.phases import Phase
from dashboard.domain.problems import ProblemCode
from dashboard.domain.rollup import tally, tally_apps
from dashboard.pages.base import ProblemView, part
from dashboard.pages.views import AttemptView, ChildRunView, Progress

MAX_LABEL = 50


@part
class Row:
    """One entity. `state` is the rollout's own word, whole; `phase` is one of nine for colour, order and counting."""

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
    child_run: Annotated[
        ChildRunView | None, Field(description="The child workflow that works on this entity, until it ends.")
    ]
    details: Mapping[str, JsonValue]
    overruled: Annotated[bool, Field(exclude=True)]
    unread_below: Annotated[bool, Field(exclude=True)]
    place: Annotated[str, Field(exclude=True)]

    @property
    def key(self) -> str:
        """An HTML id that stays the same from one rendering to the next. JSON needs none."""
        return key_of(self.place)

    @property
    def word(self) -> str:
        """The rollout's own word as a row has room for it."""
        state = self.state or "not known"
        return state if len(state) <= MAX_LABEL else f"{state[: MAX_LABEL - 1]}…"

    @property
    def label(self) -> str:
        """What to call the state: the rollout's own word, unless that is no longer true."""
        return self.phase.replace("_", " ") if self.overruled else self.word

    @property
    def spoken(self) -> str:
        """The phase in words for those who do not see its shape; empty where the label says it already."""
        phase = self.phase.replace("_", " ")
        return "" if self.label.replace("_", " ").lower() == phase else phase

    @property
    def cause(self) -> str | None:
        """The line that says why this row is in trouble, or that it is still to be read."""
        cause = self.error_message or (self.attempt.cause if self.attempt else None)
        if cause or self.problem is None or self.problem.code == ProblemCode.NOT_OPENED:
            return cause
        return self.problem.message

    @property
    def calm(self) -> bool:
        """Whether its cause is no trouble."""
        trouble = self.error_message or (self.attempt and self.attempt.cause)
        return not trouble and self.problem is not None and self.problem.awaited

    @property
    def addressable(self) -> bool:
        """Whether the row has an id that a link can carry."""
        return bool(self.id) and not (self.problem and self.problem.code == "malformed")

    @property
    def rows(self) -> tuple["Row", ...]:
        """The rows below this one."""
        return ()


@part
class AppRow(Row):
    """An app in a bundle."""

    type: Literal["app"]
    bundle_id: str
    version: str | None


@part
class BundleRow(Row):
    """The bundle of a cluster."""

    type: Literal["bundle"]
    cluster_id: str
    app_ids: tuple[str, ...]
    progress: Progress
    apps: tuple[AppRow, ...]

    @property
    def rows(self) -> tuple[Row, ...]:
        """Its apps."""
        return self.apps


@part
class ClusterRow(Row):
    """A cluster. While `open` is false its bundle is left out (null): ask the hierarchy, or this entity."""

    type: Literal["cluster"]
    wave_id: str
    bundle_id: str | None
    progress: Progress
    open: bool
    bundle: BundleRow | None

    @property
    def rows(self) -> tuple[Row, ...]:
        """Its bundle, if it is open and has one."""
        return (self.bundle,) if self.bundle else ()


@part
class WaveRow(Row):
    """A wave. `progress` counts apps, `cluster_progress` clusters. While `open` is false its clusters are left out."""

    type: Literal["wave"]
    release_id: str
    sequence: int | None
    cluster_ids: tuple[str, ...]
    progress: Progress
    cluster_progress: Progress
    open: bool
    clusters: tuple[ClusterRow, ...] | None
    lazy: Annotated[bool, Field(exclude=True)]

    @property
    def rows(self) -> tuple[Row, ...]:
        """Its clusters, if it is open."""
        return self.clusters or ()


AnyRow = Annotated[WaveRow | ClusterRow | BundleRow | AppRow, Field(discriminator="type")]


@dataclass(frozen=True, slots=True)
class Folding:
    """Which waves and clusters show what is below them: all, or those named; waves always do unless `fold_waves`.

    What was not read is never shown as open.
    """

    every: bool = False
    open_ids: frozenset[str] = frozenset()
    fold_waves: bool = False
    narrowing: Narrowing = EVERYTHING

    def opens_wave(self, wave: Entity) -> bool:
        """Whether this wave is shown with its clusters."""
        wanted = self.every or not self.fold_waves or wave.id in self.open_ids
        return wanted and not wave.unopened and self.narrowing.reaches(EntityType.CLUSTER)

    def opens_cluster(self, cluster: Entity) -> bool:
        """Whether this cluster is shown with its bundle."""
        wanted = self.every or cluster.id in self.open_ids
        return wanted and not cluster.unopened and self.narrowing.reaches(EntityType.BUNDLE)

    def below(self, entity: Entity) -> list[tuple[int, Entity]]:
        """The children that are shown, each with its position among all of them."""
        if self.narrowing.everything:
            return list(enumerate(entity.children))
        return [(position, child) for position, child in enumerate(entity.children) if self.narrowing.shows(child)]


UNFOLDED = Folding(every=True)


def place_of(above: str, entity_id: str, position: int) -> str:
    """Where a row stands: the path of ids, and the position where an id is missing: then nothing else tells rows apart.

    No id holds the character between them.
    """
    return f"{above}\0{entity_id or f'#{position}'}"


def place_of_path(path: Iterable[tuple[str, int]]) -> str:
    """The place of a row of the tree, from the ids and positions of all entities from the release down to it."""
    place = ""
    for entity_id, position in path:
        place = place_of(place, entity_id, position)
    return place


def key_of(place: str) -> str:
    """The HTML id of a row at this place."""
    return f"r{blake2s(place.encode(), digest_size=6).hexdigest()}"


def wave_row(wave: Entity, release_id: str, folding: Folding, place: str) -> WaveRow:
    """The row of a wave with its clusters."""
    is_open = folding.opens_wave(wave)
    clusters = tuple(
        cluster_row(cluster, wave.id, folding, place_of(place, cluster.id, position))
        for position, cluster in (folding.below(wave) if is_open else ())
    )
    return WaveRow(
        **common(wave, place),
        type="wave",
        release_id=release_id,
        sequence=wave.sequence,
        cluster_ids=wave.child_ids,
        progress=Progress.of(tally_apps(wave)),
        cluster_progress=Progress.of(tally(wave.children)),
        open=is_open,
        clusters=clusters if is_open else None,
        lazy=folding.fold_waves,
    )


def cluster_row(cluster: Entity, wave_id: str, folding: Folding, place: str) -> ClusterRow:
    """The row of a cluster, with its bundle if the folding opens it."""
    is_open = folding.opens_cluster(cluster)
    bundle = next((bundle for _, bundle in folding.below(cluster)), None) if is_open else None
    return ClusterRow(
        **common(cluster, place),
        type="cluster",
        wave_id=wave_id,
        bundle_id=cluster.child_ids[0] if cluster.child_ids else None,
        progress=Progress.of(tally_apps(cluster)),
        open=is_open,
        bundle=bundle_row(bundle, cluster.id, folding, place_of(place, bundle.id, 0)) if bundle else None,
    )


def bundle_row(bundle: Entity, cluster_id: str, folding: Folding, place: str) -> BundleRow:
    """The row of a bundle with its apps."""
    apps = tuple(app_row(app, bundle.id, place_of(place, app.id, position)) for position, app in folding.below(bundle))
    return BundleRow(
        **common(bundle, place),
        type="bundle",
        cluster_id=cluster_id,
        app_ids=bundle.child_ids,
        progress=Progress.of(tally_apps(bundle)),
        apps=apps,
    )


def app_row(app: Entity, bundle_id: str, place: str) -> AppRow:
    """The row of an app."""
    return AppRow(**common(app, place), type="app", bundle_id=bundle_id, version=app.version)


def common(entity: Entity, place: str) -> dict[str, Any]:
    """The fields that rows of every type share."""
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
        "overruled": entity.overruled,
        "unread_below": entity.unopened,
        "place": place,
    }
