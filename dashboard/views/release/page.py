"""A release: its facts, what blocks it, and its tree."""

from collections.abc import Iterator
from datetime import datetime
from itertools import chain
from typing import Any, ClassVar, Self

from pydantic import Field

from dashboard.domain.child_details import pollers_text
from dashboard.domain.entities import Release
from dashboard.domain.phases import Phase
from dashboard.domain.problems import ProblemCode
from dashboard.domain.rollup import blockages
from dashboard.domain.snapshot import Snapshot
from dashboard.domain.sort_order import SortOrder
from dashboard.domain.tree_filter import NO_TREE_FILTER, TreeFilter
from dashboard.views.entity.panel import Panel
from dashboard.views.release.blockages import BlockageView, FailingTaskView
from dashboard.views.release.initial_expansion import InitialExpansion, initial_expansion, waves_above
from dashboard.views.release.runs import RunsView
from dashboard.views.release.tree import LARGE_TREE_ROWS, ReleaseTree, TreeExpansion, tree_fields
from dashboard.views.shared.details import AttemptView, ChildRunView
from dashboard.views.shared.rows import EntityRow
from dashboard.views.strip.page import MAX_STRIP_CLUSTERS_ABOVE_TREE, Strip
from dashboard.web.page_model import Page, freshness


class TreePage(Page, ReleaseTree):
    """A release with the requested part of its tree."""

    fragment: ClassVar[str] = "release/_content.html"
    parts: ClassVar[tuple[str, ...]] = (
        "release/_head.html",
        "release/_notices.html",
        "strip/_waves.html",
        "release/_tree_count.html",
        "release/_foot.html",
    )
    line: ClassVar[tuple[str, str]] = ("shared/tree.html", "line")
    strip_alone: ClassVar[bool] = False

    view: ClassVar[str]

    entities: int = Field(description="Number of loaded rows, including the release.")
    left_out: int = Field(description="Number of rows excluded by `depth`, `phase`, `q` and `changed`.")
    matched: int = Field(description="Number of matching rows below the release. Their ancestors are shown as well.")
    picked: bool = Field(exclude=True)
    blocked_by: tuple[BlockageView, ...]
    unread: tuple[str, ...] = Field(description="Rows of a very large release that are yet to be loaded or reloaded.")
    unopened: tuple[str, ...] = Field(
        description="Rows of a very large release whose contents were not loaded. Request them with `?open=` and the "
        "ID, repeated for several, or at that entity's own address."
    )
    by_levels: bool = Field(exclude=True)
    strip: Strip = Field(exclude=True)
    runs: RunsView
    failing_task: FailingTaskView | None = Field(description="Set while the workflow code is failing.")
    waiting_since: datetime | None = Field(
        description="Time since which the workflow's next step has been waiting for a worker, if unusually long."
    )
    polled_by: str = Field(exclude=True)
    also_pending: tuple[AttemptView, ...] = Field(description="Activities that belong to no entity in the tree.")
    other_runs: tuple[ChildRunView, ...] = Field(description="Child workflows that belong to no entity in the tree.")
    left_running: int = Field(description="Number of its child workflows still running after it ended.")
    reasons_unread: bool = Field(exclude=True)

    @property
    def title(self) -> str:
        """Return the page title."""
        return f"{self.name}: {self.short}"

    @property
    def worst(self) -> Phase | None:
        """Failed as soon as anything in it is, or is retrying."""
        return Phase.FAILED if self.troubled else self.overall_phase

    @property
    def troubled(self) -> bool:
        """Return whether anything failed or is retrying; a release that only waits for approval is not in trouble."""
        return bool(self.progress.broken or self.progress.retrying or self.overall_phase.broken)

    @property
    def only_left_running(self) -> bool:
        """Return whether everything that is named above the tree only runs on after the end of the release."""
        return bool(self.blocked_by) and all(wave.left_running for wave in self.blocked_by)

    @property
    def live(self) -> bool:
        """Return an ended release has no news, once it has been read whole."""
        moves = bool(self.unread or self.left_running or self.reasons_unread)
        return self.stale or self.problem is not None or moves or not self.status.closed

    @property
    def opens(self) -> tuple[str, ...] | None:
        """The rows that are open by themselves, as the address names what differs; None where it names nothing."""
        return None

    @property
    def left_closed(self) -> int:
        """Return how many rows were to be open and are not, as the page has no room for what is in them."""
        return 0

    @property
    def owner(self) -> str:
        """Return the release, which all its rows are below."""
        return self.id

    @property
    def frame(self) -> tuple[object, ...]:
        """Return the content around the tree."""
        return self.name, self.entities > 1, self.large

    @property
    def large(self) -> bool:
        """Return whether the page is large enough to skip rendering of rows out of view."""
        return self.entities >= LARGE_TREE_ROWS

    def lines(self) -> Iterator[EntityRow]:
        """Yield the rows of the tree."""
        return chain.from_iterable(row.walk() for row in self.rows)

    @classmethod
    def _of(cls, snapshot: Snapshot[Release], folding: TreeExpansion, **more: Any) -> Self:  # noqa: ANN401 - fields of its own
        release, tree_filter = snapshot.value, folding.tree_filter
        entities = len(release.root.flattened())
        far = tuple(release.root.walk()) if release.levels else release.root.children
        return cls(
            **tree_fields(release, folding, snapshot.as_of),
            **freshness(snapshot),
            **more,
            entities=entities,
            left_out=0 if tree_filter.everything else entities - tree_filter.count(release.root),
            matched=entities - 1 if tree_filter.everything else tree_filter.matching(release.root),
            picked=tree_filter.picks,
            blocked_by=tuple(BlockageView.of(blockage, release) for blockage in blockages(release)),
            unread=tuple(row.id for row in far if row.problem and row.problem.code is ProblemCode.NOT_READ),
            unopened=tuple(row.id for row in far if row.unopened),
            by_levels=release.levels is not None,
            strip=Strip.of(release, MAX_STRIP_CLUSTERS_ABOVE_TREE),
            runs=RunsView.of(release),
            failing_task=FailingTaskView.of(release.execution.failing_task),
            waiting_since=release.execution.waiting_since,
            polled_by=pollers_text(release.execution),
            also_pending=tuple(view for attempt in release.also_pending if (view := AttemptView.of(attempt))),
            other_runs=tuple(child for run in release.other_runs if (child := ChildRunView.of(run))),
            left_running=release.left_running,
            reasons_unread=release.execution.status.closed and _reasons_unread(release),
        )


def _reasons_unread(release: Release) -> bool:
    return any(row.problem and row.problem.code is ProblemCode.REASON_NOT_READ for row in release.root.flattened())


class ReleasePage(TreePage):
    """A release, its waves with progress, and what blocks it. Clusters are collapsed unless something failed in them.

    In a release that is loaded on demand, waves are expanded only if requested.
    """

    template: ClassVar[str] = "release/page.html"
    view: ClassVar[str] = "web.release"

    at_first: InitialExpansion = Field(exclude=True)
    # Not a part of what an open page renews: the panel asks for itself.
    selected: Panel | None = Field(description="The entity named by `?selected=`.")

    @property
    def frame(self) -> tuple[object, ...]:
        """Return what names the tree, and which rows are open whatever the viewer has opened."""
        return *super().frame, self.at_first

    @property
    def opens(self) -> tuple[str, ...]:
        """Return the waves and clusters that are open whatever the viewer has opened."""
        waves = () if self.at_first.fold_waves else (wave.id for wave in self.waves if wave.addressable)
        return (*waves, *sorted(self.at_first.ids))

    @property
    def left_closed(self) -> int:
        """Return how many rows were to be open and are not, as the page has no room for what is in them."""
        return self.at_first.left_closed

    @classmethod
    def of(
        cls,
        snapshot: Snapshot[Release],
        open_ids: frozenset[str] = frozenset(),
        shut: frozenset[str] = frozenset(),
        tree_filter: TreeFilter = NO_TREE_FILTER,
        order: SortOrder = SortOrder.ROLLOUT,
        selected: Panel | None = None,
        **more: Any,  # noqa: ANN401 - fields of its own
    ) -> Self:
        """Return the page of a snapshot, with these rows open as well, and these closed unless they are both.

        What is selected is to be seen, whatever is closed.
        """
        first = initial_expansion(snapshot.value, open_ids, shut, tree_filter)
        open_ids |= selected.above if selected else frozenset()
        opened = open_ids | (first.ids | waves_above(snapshot.value.root, open_ids)) - shut
        folding = TreeExpansion(False, opened, first.fold_waves, shut, tree_filter, order)
        return cls._of(snapshot, folding, at_first=first, selected=selected, **more)

    @classmethod
    def unfolded(
        cls, snapshot: Snapshot[Release], tree_filter: TreeFilter = NO_TREE_FILTER, order: SortOrder = SortOrder.ROLLOUT
    ) -> Self:
        """Return the page with all rows expanded, which contains every row of any viewer's page."""
        first = initial_expansion(snapshot.value, tree_filter=tree_filter)
        folding = TreeExpansion(every=True, fold_waves=first.fold_waves, tree_filter=tree_filter, order=order)
        return cls._of(snapshot, folding, at_first=first, selected=None)


class HierarchyPage(TreePage):
    """The full tree, fully expanded, or the requested part of it. Progress always counts the full tree.

    In a release that is loaded on demand, it is the loaded part of the tree; `unopened` lists what is missing.
    """

    template: ClassVar[str] = "release/hierarchy.html"
    view: ClassVar[str] = "web.hierarchy"

    @property
    def title(self) -> str:
        """Return the page title."""
        return f"{self.name}, full tree: {self.short}"

    @classmethod
    def of(
        cls, snapshot: Snapshot[Release], tree_filter: TreeFilter = NO_TREE_FILTER, order: SortOrder = SortOrder.ROLLOUT
    ) -> Self:
        """Return the page of a snapshot."""
        folding = TreeExpansion(
            every=True, fold_waves=snapshot.value.levels is not None, tree_filter=tree_filter, order=order
        )
        return cls._of(snapshot, folding)
