"""The lines of a comparison: differing apps by cluster, with counts."""

from collections import Counter
from collections.abc import Iterator, Mapping

from pydantic import Field

from dashboard.domain.compare import AppPair, ClusterPair, Comparison, DiffKind
from dashboard.domain.entities import Entity
from dashboard.domain.phases import Phase
from dashboard.views.shared.rows import MAX_LABEL_LENGTH
from dashboard.web.page_model import PageModel, VersionRuns, page_part


@page_part
class ComparedEntity:
    """An entity in one of the releases. Its label is its state, or its phase if the state is overruled."""

    id: str
    name: str
    version: str | None
    version_runs: VersionRuns
    state: str
    phase: Phase
    overruled: bool

    @classmethod
    def of(cls, row: Entity) -> "ComparedEntity":
        """Return the standing of a row."""
        return cls(
            id=row.id,
            name=row.name,
            version=row.version,
            version_runs=row.version_runs,
            state=row.state,
            phase=row.phase,
            overruled=row.overruled,
        )

    @property
    def label(self) -> str:
        """Return what to call its state, with blanks, as a line has room for it."""
        state = (self.phase if self.overruled else self.state or "unknown").replace("_", " ")
        return state if len(state) <= MAX_LABEL_LENGTH else f"{state[: MAX_LABEL_LENGTH - 1]}…"

    @property
    def spoken(self) -> str:
        """Return the phase for screen readers; empty if the label is the same."""
        phase = self.phase.replace("_", " ")
        return "" if self.label.lower() == phase else phase


@page_part
class AppDifference:
    """An app that differs or may differ. A side is null if the app is not confirmed to exist there."""

    kind: DiffKind
    left: ComparedEntity | None
    right: ComparedEntity | None

    @property
    def name(self) -> str:
        """Return what it is called, in the right release if it is there."""
        standing = self.right or self.left
        return standing.name if standing else ""

    @property
    def one_version(self) -> bool:
        """Return whether the version is the same on both sides."""
        return self.left is not None and self.right is not None and self.left.version == self.right.version

    @property
    def one_state(self) -> bool:
        """Return whether the state is the same on both sides."""
        left, right = self.left, self.right
        return left is not None and right is not None and (left.label, left.phase) == (right.label, right.phase)

    @classmethod
    def of(cls, pair: AppPair) -> "AppDifference":
        """Return the line of an app."""
        left, right = (ComparedEntity.of(row) if row else None for row in (pair.left, pair.right))
        return cls(kind=pair.kind, left=left, right=right)


class DiffCounts(PageModel):
    """The number of apps by kind of difference. An app counts once for both releases."""

    version: int = Field(description="Different versions, both running, whatever the reported states.")
    planned: int = Field(
        description="Different versions, not running in both: in one release it is planned or its deployment failed."
    )
    added: int = Field(description="Only in the right release.")
    removed: int = Field(description="Only in the left release.")
    state: int = Field(description="Same version, different state or phase.")
    unknown: int = Field(description="Unknown because data was not loaded.")
    same: int

    @classmethod
    def of(cls, counts: Mapping[DiffKind, int]) -> "DiffCounts":
        """Return the view of a count."""
        return cls(**{str(kind): counts.get(kind, 0) for kind in DiffKind})

    @property
    def different(self) -> int:
        """Return how many are known to be different."""
        return self.version + self.planned + self.added + self.removed + self.state

    @property
    def total(self) -> int:
        """Return all of them."""
        return self.different + self.unknown + self.same

    @property
    def shares(self) -> tuple[tuple[str, int, int], ...]:
        """Return the kinds with their offsets and counts."""
        shares, at = [], 0
        for kind in DiffKind:
            count: int = getattr(self, kind)
            if count:
                shares.append((str(kind), at, count))
            at += count
        return tuple(shares)


class ClusterChanges(PageModel):
    """The differences in one cluster. `kind` tells which release has it; if only one has, its apps are only counted."""

    cluster_id: str | None = Field(description="Null for apps without a cluster.")
    name: str
    kind: DiffKind = Field(
        description="added, removed or unknown if only one release is known to have it, otherwise same."
    )
    counts: DiffCounts
    apps: tuple[AppDifference, ...]
    more: int = Field(description="Number of further apps that differ or are unknown.")

    @classmethod
    def of(cls, pair: ClusterPair, apps: tuple[AppDifference, ...], outside: str) -> "ClusterChanges":
        """Return the changes of a cluster, with these of its apps; `outside` is what to call apps that are in none."""
        cluster = pair.right or pair.left
        counts = DiffCounts.of(pair.counts)
        return cls(
            cluster_id=cluster.id if cluster else None,
            name=cluster.name if cluster else outside,
            kind=pair.kind,
            counts=counts,
            apps=apps,
            more=counts.different + counts.unknown - len(apps) if pair.kind is DiffKind.SAME else 0,
        )


class VersionMove(PageModel):
    """A version change of an app. Counts refer to apps of this name across clusters."""

    name: str
    left: str | None
    left_runs: bool = Field(description="Whether the left version was running. False if it was planned or had failed.")
    right: str | None
    count: int = Field(description="Number of clusters in which the right version is running.")
    planned: int = Field(description="Number of clusters in which its deployment is pending or in progress.")
    failed: int = Field(
        description="Number of clusters in which its deployment ended without success. What runs there is unknown."
    )

    @property
    def total(self) -> int:
        """Return all of them, wherever they are on their way."""
        return self.count + self.planned + self.failed

    @classmethod
    def all_of(cls, found: Comparison) -> "tuple[VersionMove, ...]":
        """Return every move of a comparison, those of most apps first."""
        moves: dict[tuple[str, str | None, bool, str | None], Counter[str]] = {}
        for left, right in _moved(found):
            key = right.name, left.version, left.version is None or left.version_runs, right.version
            moves.setdefault(key, Counter())[_progress(right)] += 1
        made = (
            cls(name=name, left=left, left_runs=ran, right=right, **{kind: n[kind] for kind in _PROGRESS})
            for (name, left, ran, right), n in moves.items()
        )
        return tuple(sorted(made, key=lambda move: -move.total))


_PROGRESS = ("count", "planned", "failed")


def _moved(found: Comparison) -> Iterator[tuple[Entity, Entity]]:
    """Yield the apps with different versions."""
    for cluster in found.clusters:
        for app in cluster.apps:
            if app.left and app.right and app.kind in {DiffKind.VERSION, DiffKind.PLANNED}:
                yield app.left, app.right


def _progress(right: Entity) -> str:
    if right.version_runs or (right.version is None and right.phase is Phase.SUCCEEDED):
        return "count"
    return "planned" if right.phase.unfinished or right.phase is Phase.UNKNOWN else "failed"
