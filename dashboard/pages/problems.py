"""What is broken now, across releases, grouped by cause."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from hashlib import blake2s
from typing import ClassVar

from pydantic import Field

from dashboard.domain.causes import Broken, Cause, Problems
from dashboard.domain.ids import EntityType
from dashboard.domain.phases import Phase
from dashboard.live.snapshots import Snapshot
from dashboard.pages.base import Line, Model, Page, freshness
from dashboard.pages.rows import Row, common, key_of, place_of, place_of_path
from dashboard.pages.views import AttemptView

MAX_GROUPS = 60
MAX_SHOWN = 40
MAX_SHARES = 10


class BrokenRow(Model, Row):
    """One broken entity where it stands: in which release, and below what. `cause_text` is why, as it came."""

    type: EntityType
    version: str | None
    release_id: str
    release_name: str
    path: tuple[str, ...] = Field(description="The names from the release's waves down to the entity's parent.")
    cluster_id: str | None = Field(description="The cluster to open in the release's tree, to see the row there.")
    activity_id: str | None = Field(description="An activity of the release that belongs to no entity of its own.")
    cause_text: str
    at: datetime = Field(description="The last change that the entity tells of.")
    anchor: str = Field(exclude=True)
    tells_cause: bool = Field(exclude=True)

    @classmethod
    def of(cls, broken: Broken, group: str) -> "BrokenRow":
        """The row of something broken, in a group of this cause."""
        anchor = key_of(place_of_path((step.id, step.position) for step in broken.path))
        own = anchor if broken.activity_id is None else f"{anchor} activity {broken.activity_id}"
        fields = common(broken.entity, place_of("problems", own, 0))
        return cls(
            **fields | {"attempt": AttemptView.of(broken.attempt)},
            type=broken.entity.type,
            version=broken.entity.version,
            release_id=broken.release_id,
            release_name=broken.path[0].name,
            path=tuple(step.name for step in broken.path[1:-1]),
            cluster_id=next((step.id for step in broken.path if step.type is EntityType.CLUSTER), None),
            activity_id=broken.activity_id,
            cause_text=broken.cause,
            at=broken.at,
            anchor=anchor,
            tells_cause=broken.cause != group,
        )


class Share(Model):
    """How much of a group one release has."""

    release_id: str
    name: str
    count: int


class ProblemGroup(Model):
    """All that is broken for one cause, newest first; `more` are counted and not shown.

    In `cause` an ellipsis stands for what differs; `example` is one text as it came. `attempt` is the next to come.
    """

    cause: str
    example: str
    what: str
    count: int
    releases: int
    shares: tuple[Share, ...] = Field(description="The releases that have most of it.")
    failed: int
    retrying: int
    attempt: AttemptView | None
    at: datetime
    entities: tuple[BrokenRow, ...]
    more: int
    key: str = Field(exclude=True)

    @classmethod
    def of(cls, cause: Cause) -> "ProblemGroup":
        """The group of a cause."""
        alike = len({broken.cause for broken in cause.broken}) == 1
        text = cause.example if alike else cause.text
        shown = tuple(BrokenRow.of(broken, text) for broken in cause.broken[:MAX_SHOWN])
        return cls(
            cause=text,
            example=cause.example,
            what=_what(cause),
            count=len(cause.broken),
            releases=len({broken.release_id for broken in cause.broken}),
            shares=_shares(cause),
            failed=sum(broken.entity.phase.broken for broken in cause.broken),
            retrying=sum(broken.attempt is not None and broken.attempt.retrying for broken in cause.broken),
            attempt=_next_attempt(cause),
            at=cause.broken[0].at,
            entities=shown,
            more=len(cause.broken) - len(shown),
            key=f"g{blake2s(cause.text.encode(), digest_size=6).hexdigest()}",
        )

    @property
    def line_id(self) -> str:
        """The HTML id of the line that names the cause."""
        return f"{self.key}-line"

    @property
    def frame(self) -> tuple[object, ...]:
        """What stands above and below the rows."""
        return self.key, self.cause, self.example, self.more, self.shares, self.releases

    @property
    def said(self) -> tuple[object, ...]:
        """All that the line says."""
        return self.cause, self.example, self.what, self.failed, self.retrying, self.attempt, self.at


class ProblemsPage(Page):
    """What is broken in releases that run or failed lately, newest cause first, and what was not looked at."""

    template: ClassVar[str] = "pages/problems.html"
    fragment: ClassVar[str] = "partials/_problems.html"
    parts: ClassVar[tuple[str, ...]] = ("problems_head",)
    line: ClassVar[tuple[str, str]] = ("macros/items.html", "problem")

    groups: tuple[ProblemGroup, ...]
    more_groups: int
    broken: int = Field(description="Everything that is broken, shown or not.")
    total: int = Field(description="How many releases there are.")
    listed: int = Field(description="How many of them were looked at: the newest.")
    relevant: int = Field(description="How many of these run, or failed within the last 24 hours.")
    read: int = Field(description="How many of these were read whole.")
    partly: int = Field(description="How many of these were read in part: they are too large for one answer.")
    unanswered: int = Field(description="How many of these did not answer, or not with their latest.")

    @property
    def title(self) -> str:
        """What the browser's tab says."""
        return f"{self.broken:,} broken" if self.groups else "Problems"

    @property
    def worst(self) -> Phase | None:
        """Failed while anything is broken."""
        return Phase.FAILED if self.groups else None

    @classmethod
    def of(cls, snapshot: Snapshot[Problems]) -> "ProblemsPage":
        """The page of a snapshot."""
        seen = snapshot.value
        return cls(
            groups=tuple(ProblemGroup.of(cause) for cause in seen.causes[:MAX_GROUPS]),
            more_groups=max(len(seen.causes) - MAX_GROUPS, 0),
            broken=sum(len(cause.broken) for cause in seen.causes),
            total=seen.total,
            listed=seen.listed,
            relevant=seen.relevant,
            read=seen.read,
            partly=seen.partly,
            unanswered=seen.unanswered,
            **freshness(snapshot),
        )

    @property
    def frame(self) -> tuple[object, ...]:
        """What stands below the causes."""
        return (self.more_groups,)

    def lines(self) -> Iterator[Line]:
        """Each cause and what is broken for it."""
        for group in self.groups:
            yield group
            yield from group.entities


def _shares(cause: Cause) -> tuple[Share, ...]:
    names = {broken.release_id: broken.path[0].name for broken in cause.broken}
    counts = Counter(broken.release_id for broken in cause.broken)
    return tuple(
        Share(release_id=release_id, name=names[release_id], count=count)
        for release_id, count in counts.most_common(MAX_SHARES)
    )


def _what(cause: Cause) -> str:
    """Such as: 42 apps in 7 clusters of 3 releases."""
    kinds = Counter("activity" if broken.activity_id else broken.entity.type.value for broken in cause.broken)
    below = [broken for broken in cause.broken if broken.entity.type in {EntityType.BUNDLE, EntityType.APP}]
    clusters = {(broken.release_id, broken.path[1:-1][:2]) for broken in below}
    parts = [_plural(count, kind) for kind, count in kinds.items()]
    what = ", ".join(parts) + (f" in {_plural(len(clusters), 'cluster')}" if clusters else "")
    releases = len({broken.release_id for broken in cause.broken})
    return what if set(kinds) == {"release"} else f"{what} of {_plural(releases, 'release')}"


def _plural(count: int, word: str) -> str:
    plural = f"{word[:-1]}ies" if word.endswith("y") else f"{word}s"
    return f"{count:,} {word if count == 1 else plural}"


def _next_attempt(cause: Cause) -> AttemptView | None:
    """Of those being retried, the one whose turn comes next."""
    attempts = [broken.attempt for broken in cause.broken if broken.attempt]
    waiting = sorted((attempt for attempt in attempts if attempt.next_at), key=lambda attempt: str(attempt.next_at))
    return AttemptView.of(next(iter([*waiting, *attempts]), None))
