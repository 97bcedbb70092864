"""Rows: entities as pages and JSON show them, nested as the rollout is."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2s
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue

from dashboard.domain.entities import Attempt, Entity, Failure
from dashboard.domain.ids import EntityType
from dashboard.domain.phases import Phase
from dashboard.domain.rollup import Tally, tally, tally_apps
from dashboard.pages.base import Model, ProblemView

MAX_LABEL = 50


class FailureView(Model):
    """A failure as Temporal keeps it. `causes` are what led to it, outermost first."""

    type: str
    message: str
    causes: tuple["FailureView", ...] = ()

    @classmethod
    def of(cls, failure: Failure) -> "FailureView":
        """The view of a failure with its causes."""
        return cls(type=failure.type, message=failure.message, causes=tuple(cls.of(cause) for cause in failure.causes))


class AttemptView(Model):
    """A pending activity of this row: attempt `number` of `maximum` (null: not limited), and when the next begins."""

    number: int
    maximum: int | None
    retrying: bool
    next_at: datetime | None
    last_failure: FailureView | None
    worker: str | None

    @classmethod
    def of(cls, attempt: Attempt | None) -> "AttemptView | None":
        """The view of an attempt, or None for none."""
        if attempt is None:
            return None
        return cls(
            number=attempt.number,
            maximum=attempt.maximum,
            retrying=attempt.retrying,
            next_at=attempt.next_at,
            last_failure=FailureView.of(attempt.last_failure) if attempt.last_failure else None,
            worker=attempt.worker,
        )


class Progress(Model):
    """How many stand in each phase; `retrying` are those among them whose activity has failed before."""

    total: int
    pending: int = 0
    running: int = 0
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    terminated: int = 0
    timed_out: int = 0
    paused: int = 0
    unknown: int = 0
    retrying: int = 0

    @classmethod
    def of(cls, counts: Tally) -> "Progress":
        """The view of a tally."""
        return cls(total=counts.total, retrying=counts.retrying, **{phase.value: counts.of(phase) for phase in Phase})

    @property
    def broken(self) -> int:
        """Failed or timed out."""
        return self.failed + self.timed_out

    @property
    def waiting(self) -> int:
        """Not begun, or paused."""
        return self.pending + self.paused

    @property
    def stopped(self) -> int:
        """Cancelled or terminated."""
        return self.cancelled + self.terminated


class Row(Model):
    """One entity. `state` is the rollout's own word, whole; `phase` is one of nine for colour, order and counting."""

    id: str
    type: EntityType
    name: str
    state: str
    phase: Phase
    created_at: datetime | None
    updated_at: datetime | None
    error_message: str | None
    problem: ProblemView | None
    attempt: AttemptView | None
    details: Mapping[str, JsonValue]
    overruled: bool = Field(exclude=True)
    key: str = Field(exclude=True)

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
    def cause(self) -> str | None:
        """The line that says why this row is in trouble."""
        if self.error_message or not (self.attempt and self.attempt.last_failure):
            return self.error_message or (self.problem.message if self.problem else None)
        failure = self.attempt.last_failure
        return f"{failure.type}: {failure.message}" if failure.type else failure.message

    @property
    def addressable(self) -> bool:
        """Whether the row has an id that a link can carry."""
        return bool(self.id) and not (self.problem and self.problem.code == "malformed")

    @property
    def rows(self) -> tuple["Row", ...]:
        """The rows below this one."""
        return ()


class AppRow(Row):
    """An app in a bundle."""

    type: Literal[EntityType.APP]
    bundle_id: str
    version: str | None


class BundleRow(Row):
    """The bundle of a cluster."""

    type: Literal[EntityType.BUNDLE]
    cluster_id: str
    app_ids: tuple[str, ...]
    progress: Progress
    apps: tuple[AppRow, ...]

    @property
    def rows(self) -> tuple[Row, ...]:
        """Its apps."""
        return self.apps


class ClusterRow(Row):
    """A cluster. While `open` is false its bundle is left out (null): ask the hierarchy, or this entity."""

    type: Literal[EntityType.CLUSTER]
    wave_id: str
    bundle_id: str | None
    progress: Progress
    open: bool
    bundle: BundleRow | None

    @property
    def rows(self) -> tuple[Row, ...]:
        """Its bundle, if it is open and has one."""
        return (self.bundle,) if self.bundle else ()


class WaveRow(Row):
    """A wave. `progress` counts apps, `cluster_progress` clusters."""

    type: Literal[EntityType.WAVE]
    release_id: str
    sequence: int | None
    cluster_ids: tuple[str, ...]
    progress: Progress
    cluster_progress: Progress
    clusters: tuple[ClusterRow, ...]

    @property
    def rows(self) -> tuple[Row, ...]:
        """Its clusters."""
        return self.clusters


AnyRow = Annotated[WaveRow | ClusterRow | BundleRow | AppRow, Field(discriminator="type")]


@dataclass(frozen=True, slots=True)
class Folding:
    """Which clusters show what is below them: all, or those named."""

    every: bool = False
    open_ids: frozenset[str] = frozenset()

    def opens(self, cluster: Entity) -> bool:
        """Whether this cluster is shown with its bundle."""
        return self.every or cluster.id in self.open_ids


UNFOLDED = Folding(every=True)


def key_of(parent_key: str, entity_id: str, position: int) -> str:
    """An HTML id for a row that stays the same from one rendering to the next.

    Built from the path of ids, and from the position where an id is missing: then nothing else tells rows apart.
    """
    own = entity_id or f"#{position}"
    return f"r{blake2s(f'{parent_key} {own}'.encode(), digest_size=6).hexdigest()}"


def wave_row(wave: Entity, release_id: str, folding: Folding, key: str) -> WaveRow:
    """The row of a wave with its clusters."""
    clusters = tuple(
        cluster_row(cluster, wave.id, folding, key_of(key, cluster.id, position))
        for position, cluster in enumerate(wave.children)
    )
    return WaveRow(
        **common(wave, key),
        release_id=release_id,
        sequence=wave.sequence,
        cluster_ids=wave.child_ids,
        progress=Progress.of(tally_apps(wave)),
        cluster_progress=Progress.of(tally(wave.children)),
        clusters=clusters,
    )


def cluster_row(cluster: Entity, wave_id: str, folding: Folding, key: str) -> ClusterRow:
    """The row of a cluster, with its bundle if the folding opens it."""
    is_open = folding.opens(cluster)
    bundle = cluster.children[0] if cluster.children and is_open else None
    return ClusterRow(
        **common(cluster, key),
        wave_id=wave_id,
        bundle_id=cluster.child_ids[0] if cluster.child_ids else None,
        progress=Progress.of(tally_apps(cluster)),
        open=is_open,
        bundle=bundle_row(bundle, cluster.id, key_of(key, bundle.id, 0)) if bundle else None,
    )


def bundle_row(bundle: Entity, cluster_id: str, key: str) -> BundleRow:
    """The row of a bundle with its apps."""
    apps = tuple(app_row(app, bundle.id, key_of(key, app.id, position)) for position, app in enumerate(bundle.children))
    return BundleRow(
        **common(bundle, key),
        cluster_id=cluster_id,
        app_ids=bundle.child_ids,
        progress=Progress.of(tally_apps(bundle)),
        apps=apps,
    )


def app_row(app: Entity, bundle_id: str, key: str) -> AppRow:
    """The row of an app."""
    return AppRow(**common(app, key), bundle_id=bundle_id, version=app.version)


def common(entity: Entity, key: str) -> dict[str, Any]:
    """The fields that rows of every type share."""
    return {
        "id": entity.id,
        "type": entity.type,
        "name": entity.name,
        "state": entity.state,
        "phase": entity.phase,
        "created_at": entity.created_at,
        "updated_at": entity.updated_at,
        "error_message": entity.error,
        "problem": ProblemView.of(entity.problem),
        "attempt": AttemptView.of(entity.attempt),
        "details": entity.details,
        "overruled": entity.overruled,
        "key": key,
    }
