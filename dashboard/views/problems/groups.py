"""What is broken for one cause: how much of it, where, since when, and whether it is retrying."""

from collections import Counter
from datetime import datetime
from hashlib import blake2s

from pydantic import Field

from dashboard.domain.causes import AffectedEntity, Cause, CauseStatus, PathStep
from dashboard.domain.ids import EntityType
from dashboard.domain.phases import Phase
from dashboard.domain.problem_filter import count_by_release
from dashboard.views.shared.details import AttemptView
from dashboard.views.shared.html_ids import row_html_id, row_place, row_place_of_path
from dashboard.views.shared.rows import EntityRow, common_fields
from dashboard.web.page_model import PageModel, VersionRuns

MAX_SHOWN_ENTITIES = 40
MAX_SHOWN_RELEASES = 10
MAX_SHOWN_CLUSTERS = 12
MAX_TITLE_LENGTH = 320


class AffectedRow(PageModel, EntityRow):
    """A row that is broken or waiting, with its release and ancestors. `cause_text` is the cause."""

    type: EntityType
    version: str | None
    version_runs: VersionRuns
    release_id: str
    release_name: str
    path: tuple[str, ...] = Field(description="Names of its ancestors, from the wave to the parent.")
    cluster_id: str | None = Field(description="Cluster to expand in the release's tree to see the row.")
    activity_id: str | None = Field(description="Activity of the release that belongs to no entity.")
    cause_text: str
    at: datetime = Field(description="Last reported change of the entity.")
    anchor: str = Field(exclude=True)
    tells_cause: bool = Field(exclude=True)
    shown_name: str = Field(exclude=True)

    @property
    def spoken(self) -> str:
        """Return the phase to show: a paused activity differs from its release."""
        return "" if self._paused else super().spoken

    @property
    def shown_phase(self) -> Phase:
        """Return the phase to show: an activity without a row may be paused itself."""
        return Phase.PAUSED if self._paused else self.phase

    @property
    def label(self) -> str:
        """Return what to call the state, with blanks: its own word, or that its activity is paused."""
        return "paused" if self._paused else super().label

    @property
    def _paused(self) -> bool:
        return bool(self.activity_id and self.attempt and self.attempt.paused)

    @classmethod
    def of(cls, broken: AffectedEntity, group: str, page: str = "problems") -> "AffectedRow":
        """Return the row of a problem in its group; `page` distinguishes rows of the same entity."""
        anchor = row_html_id(row_place_of_path((step.id, step.position) for step in broken.path))
        own = anchor if broken.activity_id is None else f"{anchor} activity {broken.activity_id}"
        fields = common_fields(broken.entity, row_place(page, own, 0))
        return cls(
            **fields | {"attempt": AttemptView.of(broken.attempt)},
            type=broken.entity.type,
            version=broken.entity.version,
            version_runs=broken.entity.version_runs,
            release_id=broken.release_id,
            release_name=broken.path[0].name,
            path=tuple(step.name for step in broken.path[1:-1]),
            cluster_id=next((step.id for step in broken.path if step.type is EntityType.CLUSTER), None),
            activity_id=broken.activity_id,
            cause_text=broken.cause,
            at=broken.at,
            anchor=anchor,
            tells_cause=broken.cause != group,
            shown_name=(broken.attempt.label if broken.activity_id and broken.attempt else "") or broken.entity.name,
        )


class ClusterShare(PageModel):
    """The number of affected rows in one cluster."""

    cluster_id: str
    name: str
    count: int
    anchor: str = Field(exclude=True)


class ReleaseShare(PageModel):
    """The number of affected rows in one release and its clusters. `more` is the number of clusters not listed."""

    release_id: str
    name: str
    count: int
    clusters: tuple[ClusterShare, ...]
    more: int

    @classmethod
    def of(cls, release_id: str, name: str, items: list[AffectedEntity]) -> "ReleaseShare":
        """Return the share of a release, of which these are."""
        paths = [path for item in items if (path := _to_cluster(item))]
        counts = Counter(paths)
        clusters = tuple(
            ClusterShare(
                cluster_id=path[-1].id,
                name=path[-1].name,
                count=count,
                anchor=row_html_id(row_place_of_path((step.id, step.position) for step in path)),
            )
            for path, count in counts.most_common(MAX_SHOWN_CLUSTERS)
        )
        more = len(counts) - len(clusters)
        return cls(release_id=release_id, name=name, count=len(items), clusters=clusters, more=more)


class ProblemGroup(PageModel):
    """All rows that are broken for the same cause, newest first. `more` is the number of rows not listed.

    In `cause`, an ellipsis replaces what differs; `example` is one original text. `attempt` is the next attempt.
    """

    cause: str
    example: str
    standing: CauseStatus = Field(description="Handling of the problem: the worst of its rows.")
    what: str
    count: int
    releases: int
    shares: tuple[ReleaseShare, ...] = Field(description="Releases with the most affected rows.")
    failed: int
    retrying: int
    attempt: AttemptView | None
    tries: int = Field(description="Highest attempt number of the retrying rows. 0 if none.")
    since: datetime = Field(description="Earliest of the last changes.")
    at: datetime = Field(description="Latest of the last changes.")
    entities: tuple[AffectedRow, ...]
    more: int
    key: str = Field(exclude=True)

    @classmethod
    def of(cls, cause: Cause) -> "ProblemGroup":
        """Return the group of a cause."""
        text = cause_text_of(cause)
        shown = tuple(AffectedRow.of(broken, text) for broken in cause.broken[:MAX_SHOWN_ENTITIES])
        retried = [broken.attempt.number for broken in cause.broken if broken.attempt and broken.retrying]
        return cls(
            cause=text,
            example=cause.example,
            standing=cause.standing,
            what=_what(cause),
            count=len(cause.broken),
            releases=len({broken.release_id for broken in cause.broken}),
            shares=_shares(cause),
            failed=sum(broken.failed for broken in cause.broken),
            retrying=len(retried),
            attempt=_next_attempt(cause),
            tries=max(retried, default=0),
            since=min(broken.at for broken in cause.broken),
            at=cause.broken[0].at,
            entities=shown,
            more=len(cause.broken) - len(shown),
            key=f"g{blake2s(cause.text.encode(), digest_size=6).hexdigest()}",
        )

    @property
    def kind(self) -> str:
        """Return the error's type, with which many causes begin; empty where it does not."""
        kind, colon, _ = self.cause.partition(": ")
        return kind if colon and " " not in kind else ""

    @property
    def told(self) -> str:
        """Return the first line of the cause without its type, truncated."""
        rest = self.cause.removeprefix(f"{self.kind}: ") if self.kind else self.cause
        first = rest.strip().partition("\n")[0]
        return first if len(first) <= MAX_TITLE_LENGTH else f"{first[: MAX_TITLE_LENGTH - 1]}…"

    @property
    def told_whole(self) -> bool:
        """Return whether the heading has the full text of the example."""
        return self.example.strip() == (f"{self.kind}: {self.told}" if self.kind else self.told)

    @property
    def line_id(self) -> str:
        """Return the HTML id of what names the cause."""
        return f"{self.key}-line"

    @property
    def frame(self) -> tuple[object, ...]:
        """Return the content around the rows."""
        return self.key, self.standing, self.example, self.count, self.more, self.shares, self.releases

    @property
    def said(self) -> tuple[object, ...]:
        """Return the content of its heading."""
        numbers = self.failed, self.retrying, self.tries, self.releases
        return self.cause, self.standing, self.what, self.shares, self.attempt, self.since, self.at, numbers


def cause_text_of(cause: Cause) -> str:
    """Return the title of a cause: the common text of its rows."""
    alike = len({broken.cause for broken in cause.broken}) == 1
    return cause.example if alike else cause.text


def _to_cluster(item: AffectedEntity) -> tuple[PathStep, ...]:
    """Return the way down to the cluster in which it is; empty if it is in none."""
    depth = next((at for at, step in enumerate(item.path) if step.type is EntityType.CLUSTER), None)
    return () if depth is None else item.path[: depth + 1]


def _shares(cause: Cause) -> tuple[ReleaseShare, ...]:
    most = count_by_release(cause.broken)[:MAX_SHOWN_RELEASES]
    return tuple(
        ReleaseShare.of(release_id, name, [item for item in cause.broken if item.release_id == release_id])
        for release_id, name, _ in most
    )


def _what(cause: Cause) -> str:
    """Such as: 42 apps in 7 clusters of 3 releases."""
    kinds = Counter("activity" if broken.activity_id else broken.entity.type.value for broken in cause.broken)
    below = [broken for broken in cause.broken if broken.entity.type in {EntityType.BUNDLE, EntityType.APP}]
    clusters = {(broken.release_id, path) for broken in below if (path := _to_cluster(broken))}
    parts = [_plural(count, kind) for kind, count in kinds.items()]
    what = ", ".join(parts) + (f" in {_plural(len(clusters), 'cluster')}" if clusters else "")
    releases = len({broken.release_id for broken in cause.broken})
    return what if set(kinds) == {"release"} else f"{what} of {_plural(releases, 'release')}"


def _plural(count: int, word: str) -> str:
    plural = f"{word[:-1]}ies" if word.endswith("y") else f"{word}s"
    return f"{count:,} {word if count == 1 else plural}"


def _next_attempt(cause: Cause) -> AttemptView | None:
    """Of those retrying, the one whose turn comes next."""
    attempts = [broken.attempt for broken in cause.broken if broken.attempt]
    waiting = sorted((attempt for attempt in attempts if attempt.next_at), key=lambda attempt: str(attempt.next_at))
    return AttemptView.of(next(iter([*waiting, *attempts]), None))
