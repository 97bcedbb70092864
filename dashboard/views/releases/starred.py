"""The starred releases of a viewer."""

from typing import ClassVar

from dashboard.domain.entities import ReleaseList
from dashboard.domain.ids import release_name
from dashboard.domain.phases import Phase
from dashboard.domain.problems import Problem
from dashboard.domain.snapshot import Snapshot
from dashboard.views.releases.page import ListPage, ReleaseItem
from dashboard.web.page_model import PageModel, ProblemView, freshness


class UnavailableRelease(PageModel):
    """A starred release that is not available. `problem` has the reason."""

    id: str
    state: str = ""
    phase: Phase = Phase.UNKNOWN
    problem: ProblemView

    @classmethod
    def of(cls, release_id: str, problem: Problem) -> "UnavailableRelease":
        """Return the item of an id."""
        return cls(
            id=release_id, problem=ProblemView(code=problem.code, message=problem.message, detail=problem.detail)
        )

    @property
    def name(self) -> str:
        """Return what follows the type in the id."""
        return release_name(self.id)


class StarredPage(ListPage):
    """The latest run of each starred release, most recently started first. `absent` releases are not available."""

    template: ClassVar[str] = "releases/starred.html"
    fragment: ClassVar[str] = "releases/_starred.html"
    parts: ClassVar[tuple[str, ...]] = ("releases/_starred_head.html",)
    called: ClassVar[str] = "Starred"

    absent: tuple[UnavailableRelease, ...]
    total: int

    @classmethod
    def of(cls, snapshot: Snapshot[ReleaseList]) -> "StarredPage":
        """Return the page of a list requested by IDs."""
        listed = snapshot.value
        return cls(
            items=tuple(ReleaseItem.of(release, superseded=False) for release in listed.releases),
            absent=tuple(UnavailableRelease.of(release_id, problem) for release_id, problem in listed.absent),
            total=len(listed.releases) + len(listed.absent),
            **freshness(snapshot),
        )

    @property
    def frame(self) -> tuple[object, ...]:
        """Return the content below the list."""
        return (self.absent,)
