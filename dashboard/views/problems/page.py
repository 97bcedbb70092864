"""What is broken now, across releases, grouped by cause, and what waits for approval."""

from collections.abc import Iterator
from typing import Any, ClassVar

from pydantic import Field

from dashboard.domain.causes import CauseStatus, ProblemSummary
from dashboard.domain.phases import Phase
from dashboard.domain.problem_filter import ProblemFilter, affected_releases, filter_problems
from dashboard.domain.snapshot import Snapshot
from dashboard.views.problems.groups import AffectedRow, ProblemGroup
from dashboard.web.page_model import Page, PageLine, PageModel, freshness

MAX_PROBLEM_GROUPS = 60
MAX_SHOWN_WAITING = 40
MAX_AFFECTED_RELEASES = 8
CAUSE_STATUS_ORDER = tuple(CauseStatus)


class ProblemFilterView(PageModel):
    """The filter as given; empty if not given."""

    q: str
    release: str


class AffectedRelease(PageModel):
    """A release with problems or waiting rows, and their number."""

    release_id: str
    name: str
    count: int


class ProblemsPage(Page):
    """Problems in releases that are in progress or failed recently, and what was not checked.

    Groups are sorted by handling, worst first: failed without retries, then retrying, then unknown; newest first.
    """

    template: ClassVar[str] = "problems/page.html"
    fragment: ClassVar[str] = "problems/_content.html"
    parts: ClassVar[tuple[str, ...]] = ("problems/_head.html", "problems/_scope.html")
    line: ClassVar[tuple[str, str]] = ("shared/list_items.html", "problem")

    groups: tuple[ProblemGroup, ...]
    more_groups: int
    waiting: tuple[AffectedRow, ...] = Field(description="Rows paused or waiting for approval, longest first.")
    more_waiting: int
    stuck: tuple[AffectedRow, ...] = Field(
        description="Running releases without changes since `at` and with nothing pending, longest first."
    )
    more_stuck: int
    broken: int = Field(description="Number of matching problems, shown or not.")
    affected: tuple[AffectedRelease, ...] = Field(
        description="Releases with the most problems, regardless of the filter."
    )
    filter: ProblemFilterView
    total: int = Field(description="Total number of releases.")
    listed: int = Field(
        description="Number of those that were checked: the first 50 of the list, and of those "
        "that ended within 24 hours the last 50 that failed and the last 50 that completed."
    )
    relevant: int = Field(description="Number of those in progress, or failed within the last 24 hours.")
    read: int = Field(description="Number of those that were fully loaded.")
    partly: int = Field(
        description="Number of those that were loaded in part: too large for one response, paused in Temporal, "
        "or with a busy worker that does not answer queries."
    )
    unanswered: int = Field(
        description="Number of those that did not respond, are out of date, or returned an unreadable response."
    )

    @property
    def title(self) -> str:
        """Return the page title."""
        if self.groups:
            return f"Problems: {self.broken:,}"
        if self.waiting:
            return f"Problems: {len(self.waiting):,} waiting"
        return f"Problems: {len(self.stuck):,} stuck" if self.stuck else "Problems"

    @property
    def worst(self) -> Phase | None:
        """Failed while anything is broken, paused while anything waits."""
        return Phase.FAILED if self.groups else Phase.PAUSED if self.waiting else None

    @classmethod
    def of(cls, snapshot: Snapshot[ProblemSummary], asked: ProblemFilter | None = None) -> "ProblemsPage":
        """Return the page of a snapshot, filtered."""
        asked = asked or ProblemFilter()
        whole = snapshot.value
        seen = filter_problems(whole, asked)
        causes = sorted(seen.causes, key=lambda cause: CAUSE_STATUS_ORDER.index(cause.standing))
        named = (
            AffectedRelease(release_id=each, name=name, count=count) for each, name, count in affected_releases(whole)
        )
        return cls(
            groups=tuple(ProblemGroup.of(cause) for cause in causes[:MAX_PROBLEM_GROUPS]),
            more_groups=max(len(causes) - MAX_PROBLEM_GROUPS, 0),
            waiting=tuple(AffectedRow.of(item, "", "waiting") for item in seen.waiting[:MAX_SHOWN_WAITING]),
            more_waiting=max(len(seen.waiting) - MAX_SHOWN_WAITING, 0),
            stuck=tuple(AffectedRow.of(item, "", "stuck") for item in seen.still[:MAX_SHOWN_WAITING]),
            more_stuck=max(len(seen.still) - MAX_SHOWN_WAITING, 0),
            broken=sum(len(cause.broken) for cause in causes),
            affected=tuple(named)[:MAX_AFFECTED_RELEASES],
            filter=ProblemFilterView(q=asked.text, release=asked.release_id),
            total=whole.total,
            listed=whole.listed,
            relevant=whole.relevant,
            read=whole.read,
            partly=whole.partly,
            unanswered=whole.unanswered,
            **freshness(snapshot),
        )

    @property
    def frame(self) -> tuple[object, ...]:
        """Return the content around causes and rows."""
        shown = len(self.groups), len(self.waiting), len(self.stuck)
        return self.more_groups, self.more_waiting, self.more_stuck, shown, self.filter

    def lines(self) -> Iterator[PageLine]:
        """Each cause and what is broken for it, then what waits."""
        for group in self.groups:
            yield group
            yield from group.entities
        yield from self.waiting
        yield from self.stuck

    def standing(self, standing: str) -> tuple[ProblemGroup, ...]:
        """Return the causes about which this is being done."""
        return tuple(group for group in self.groups if group.standing == standing)

    @property
    def unread(self) -> int:
        """Return the number of relevant releases that were not queried."""
        return self.relevant - self.read - self.partly - self.unanswered

    @property
    def whole(self) -> bool:
        """Return whether all that matters was read."""
        return not (self.unread or self.partly or self.unanswered or self.listed < self.total)

    def asking(self, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - what templates give
        """Return the parameters of this page with some changed; nothing takes one away."""
        return {name: value for name, value in (dict(self.filter) | changes).items() if value}
