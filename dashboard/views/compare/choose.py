"""Two releases to compare, to be chosen from the newest."""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice, pairwise
from typing import ClassVar

from pydantic import Field

from dashboard.domain.entities import Release, ReleaseList, Status
from dashboard.domain.phases import Phase
from dashboard.domain.snapshot import Snapshot
from dashboard.web.page_model import Page, PageModel, freshness

# Pairs that are offered before anything is chosen.
MAX_SUGGESTED_PAIRS = 4
_BEFORE_DIGITS = re.compile(r"[^0-9]*")


class ReleaseChoice(PageModel):
    """A release to choose. Choosing it compares `left` with `right`; the older release is on the left."""

    release_id: str
    name: str
    release_phase: Phase
    status: Status
    started_at: datetime
    began_at: datetime | None = Field(
        description="Start of its work, in the first run of a continue-as-new chain. Null if unknown."
    )
    left: str
    right: str | None


class SuggestedPair(PageModel):
    """A release and its predecessor among releases with similar names."""

    left: str
    left_name: str
    right: str
    right_name: str


class ChoosePage(Page):
    """The newest releases to choose from. `left` and `right` are already chosen."""

    template: ClassVar[str] = "compare/choose.html"
    fragment: ClassVar[str] = "compare/_choose.html"

    left: str | None
    right: str | None
    suggested: tuple[SuggestedPair, ...] = Field(
        description="A release and the one before it: what is before its first digit is the same in both names."
    )
    choices: tuple[ReleaseChoice, ...]
    total: int = Field(description="Total number of releases.")
    runs: tuple[str | None, str | None] = Field(exclude=True)

    @classmethod
    def of(
        cls,
        snapshot: Snapshot[ReleaseList],
        left: str | None,
        right: str | None,
        runs: tuple[str | None, str | None] = (None, None),
    ) -> "ChoosePage":
        """Return the page of a list of which one release, or none, is chosen already, in one of these runs."""
        releases = tuple(_latest_runs(snapshot.value.releases))
        given = left or right
        begun = {release.id: release.chain_began_at for release in releases}
        return cls(
            left=left,
            right=right,
            suggested=tuple(islice(_suggested(releases, given), MAX_SUGGESTED_PAIRS)),
            choices=tuple(_choice(release, given, begun) for release in releases if release.id != given),
            total=snapshot.value.total,
            runs=runs,
            **freshness(snapshot),
        )

    @property
    def title(self) -> str:
        """Return the page title."""
        return "Compare releases"

    @property
    def live(self) -> bool:
        """Return false: the page does not update while the user chooses."""
        return False

    @property
    def given_run(self) -> str | None:
        """Return the run of it, if one is."""
        return self.runs[0] if self.left else self.runs[1]

    def asking(self, pair: ReleaseChoice | SuggestedPair) -> dict[str, str | None]:
        """Return the parameters of a comparison of these two, with the run of the one that is chosen already."""
        asked = {"left": pair.left, "right": pair.right}
        return asked | {f"{side}_run": self.given_run for side, one in asked.items() if one and one == self.given}

    @property
    def given(self) -> str | None:
        """Return the release that is chosen already."""
        return self.left or self.right

    @property
    def frame(self) -> tuple[object, ...]:
        """Return all that it shows: it is sent again as a whole."""
        return self.left, self.right, self.runs, self.suggested, self.choices, self.total, self.stale, self.reason


def _latest_runs(releases: Iterable[Release]) -> Iterator[Release]:
    """Each release once, the one that began last first."""
    latest: dict[str, Release] = {}
    for release in sorted(releases, key=lambda release: release.execution.started_at):
        latest[release.id] = release
    yield from sorted(latest.values(), key=lambda release: release.chain_began_at, reverse=True)


def _choice(release: Release, given: str | None, begun: dict[str, datetime]) -> ReleaseChoice:
    began_at = release.chain_began_at
    newer = given is not None and began_at > begun.get(given, began_at)
    return ReleaseChoice(
        release_id=release.id,
        name=release.root.name,
        release_phase=release.root.phase,
        status=release.execution.status,
        started_at=release.execution.started_at,
        began_at=release.began_at,
        left=given if given and newer else release.id,
        right=release.id if newer else given,
    )


def _suggested(releases: tuple[Release, ...], given: str | None) -> Iterator[SuggestedPair]:
    """Yield the chosen release and the one before it; of each name the two newest, if none is chosen."""
    families: dict[str, list[Release]] = {}
    for release in releases:
        families.setdefault(_family(release.id), []).append(release)
    for family in families.values():
        for newer, older in pairwise(family):
            if given in {None, newer.id}:
                yield SuggestedPair(
                    left=older.id, left_name=older.root.name, right=newer.id, right_name=newer.root.name
                )
                break


def _family(release_id: str) -> str:
    return _BEFORE_DIGITS.match(release_id)[0]  # type: ignore[index]  # it matches nothing, too
