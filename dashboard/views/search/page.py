"""What is found by name: pages, releases and entities."""

from collections.abc import Iterable
from typing import ClassVar

from pydantic import Field

from dashboard.domain.ids import EntityType, MalformedId, parse_entity_id
from dashboard.domain.search import MAX_SEARCH_RESULTS, NameMatch, SearchResults, SearchTerms
from dashboard.domain.snapshot import Snapshot
from dashboard.views.releases.page import ReleaseItem
from dashboard.web.page_model import Page, PageModel, ProblemView, VersionRuns, freshness

# The maximum number of pages and cached releases among the results.
MAX_PAGE_RESULTS = 10
MAX_RECALLED_RESULTS = 4


class PageLink(PageModel):
    """A page of the dashboard. `of` is the name of its release, if any."""

    name: str
    of: str | None
    href: str


class NameView(PageModel):
    """An entity found by name, as of the time its release was loaded. `place` lists the names of its ancestors."""

    id: str
    type: EntityType
    name: str
    version: str | None
    version_runs: VersionRuns
    release_id: str
    place: tuple[str, ...]

    @classmethod
    def of(cls, name: NameMatch) -> "NameView":
        """Return the view of a name."""
        return cls(
            id=name.id,
            type=name.type,
            name=name.name,
            version=name.version,
            version_runs=name.version_runs,
            release_id=name.release_id,
            place=name.place,
        )


class TypedId(PageModel):
    """A full ID entered as the search text, to be looked up directly."""

    id: str
    type: EntityType


class SearchPage(Page):
    """At most 20 results. Exact matches come first, then prefixes, then words with the prefix, then the rest."""

    template: ClassVar[str] = "search/page.html"
    fragment: ClassVar[str] = "search/_content.html"

    q: str
    release_id: str | None = Field(description="Release whose pages are included in the search.")
    pages: tuple[PageLink, ...]
    releases: tuple[ReleaseItem, ...] = Field(
        description="First releases whose ID starts with the text, in Temporal's order. Without text: of all releases."
    )
    releases_total: int = Field(description="Total number of those.")
    recalled: tuple[NameView, ...] = Field(description="Other matching releases that this server has seen.")
    offer: TypedId | None = Field(description="The text as an ID to look up, if it is one.")
    entities: tuple[NameView, ...] = Field(description="Best matches among entities of recently loaded releases.")
    entities_total: int = Field(description="Total number of those.")
    looked_in: int = Field(description="Number of recently loaded releases that were searched, newest first.")
    unlisted: ProblemView | None = Field(description="Why the list from Temporal is missing, if it is.")

    @classmethod
    def of(
        cls, snapshot: Snapshot[SearchResults], q: str, release_id: str | None, links: Iterable[PageLink]
    ) -> "SearchPage":
        """Return the page of what was found for a text, with those of these pages that have it in their names."""
        found, wanted = snapshot.value, SearchTerms(q)
        pages = tuple(_named(links, wanted))[:MAX_PAGE_RESULTS]
        releases = _newest_runs(found)
        recalled = found.recalled[: MAX_RECALLED_RESULTS if q else 0]
        room = MAX_SEARCH_RESULTS - len(pages) - len(releases) - len(recalled)
        return cls(
            q=q,
            release_id=release_id,
            pages=pages,
            releases=releases,
            releases_total=found.total,
            recalled=tuple(map(NameView.of, recalled)),
            offer=_offer(q, {item.id for item in releases} | {name.id for name in recalled}),
            entities=tuple(map(NameView.of, found.entities[:room])),
            entities_total=found.matching,
            looked_in=found.looked_in,
            unlisted=ProblemView.of(found.unlisted),
            **freshness(snapshot),
        )

    @property
    def title(self) -> str:
        """Return the page title."""
        return f"{self.q}: search" if self.q else "Search"

    @property
    def live(self) -> bool:
        """Return false: the page does not update while the user chooses."""
        return False

    @property
    def nothing(self) -> bool:
        """Return whether there is nothing to choose from."""
        return not (self.pages or self.releases or self.recalled or self.offer or self.entities)

    @property
    def frame(self) -> tuple[object, ...]:
        """Return all that it shows: it is sent again as a whole."""
        return self.content_version, self.q, self.release_id


def _named(links: Iterable[PageLink], wanted: SearchTerms) -> list[PageLink]:
    """Return those that are meant, the best first; all of them where no text is given."""
    if not wanted.words:
        return list(links)
    ranked = [(wanted.rank(f"\n{link.name}\n{link.of or ''}\n".casefold()), link) for link in links]
    fits = [each for each in ranked if each[0] < len(wanted.ranks)]
    return [link for _, link in sorted(fits, key=lambda each: each[0])]


def _newest_runs(found: SearchResults) -> tuple[ReleaseItem, ...]:
    """Return the listed releases, each once: the newest of several runs."""
    newest = sorted(found.listed, key=lambda release: release.execution.started_at)
    latest = {release.id: release for release in newest}
    return tuple(ReleaseItem.of(release, superseded=False) for release in found.listed if latest[release.id] is release)


def _offer(text: str, known: set[str]) -> TypedId | None:
    try:
        entity_id = parse_entity_id(text)
    except MalformedId:
        return None
    return None if text in known else TypedId(id=text, type=entity_id.type)
