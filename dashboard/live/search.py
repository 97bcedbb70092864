"""Search releases and entities by name in one page of the list and in cached releases."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain, islice

from dashboard.domain.entities import Entity, ReleaseList
from dashboard.domain.filters import PageRequest, ReleaseFilter
from dashboard.domain.ids import EntityType
from dashboard.domain.problems import Problem, SourceUnavailable
from dashboard.domain.search import SearchResults, SearchTerms, search_entities, search_releases
from dashboard.domain.snapshot import Snapshot, utc_now, version_hash
from dashboard.live.loaded_release import LoadedRelease
from dashboard.live.reader import RunKey
from dashboard.live.snapshot_store import SnapshotStore

# The list of no text at all, with as many releases as a page of results has room for.
FIRST_RELEASES = PageRequest(8)
# In how many releases names are searched for at most, the newest ones, and among how many rows: an answer is to come
# between two keys that are typed.
MAX_RELEASES_SEARCHED = 30
MAX_ROWS_SEARCHED = 40_000

_OTHER_TYPES = tuple(f"{kind}:" for kind in EntityType if kind is not EntityType.RELEASE)


class NameSearch:
    """Searches by name with at most one page of the list from Temporal. `page` is LiveReleases.page."""

    def __init__(
        self,
        page: Callable[[PageRequest], Snapshot[ReleaseList]],
        pages: SnapshotStore[PageRequest, ReleaseList],
        trees: SnapshotStore[RunKey, LoadedRelease],
    ) -> None:
        self._page = page
        self._pages = pages
        self._trees = trees

    def find(self, text: str, at: str | None) -> Snapshot[SearchResults]:
        """Return the matches of a text, or the first releases of the list if it is empty. Raises MalformedFilter.

        Matches in the release that the viewer is `at` come first.
        """
        listed, problem = self._listed(search_page_request(text))
        wanted, seen = SearchTerms(text), list(self._newest(at))
        meant = listed if listed and can_begin_release_id(text) else None
        releases = meant.value.releases if meant else ()
        entities, matching = search_entities(wanted, (each.names for each in seen))
        there = {release.id for release in releases}
        recalled = tuple(name for name in search_releases(wanted, self._roots()) if name.id not in there)
        total = meant.value.total if meant else 0
        found = SearchResults(releases, total, recalled, entities, matching, len(seen), problem)
        if listed is None:
            return Snapshot(found, utc_now(), version_hash(found), stale=True, reason=problem)
        return Snapshot(found, listed.as_of, version_hash(found, listed.version), listed.stale, listed.reason)

    def _listed(self, asked: PageRequest) -> tuple[Snapshot[ReleaseList] | None, Problem | None]:
        try:
            return self._page(asked), None
        except SourceUnavailable as exc:
            return None, exc.problem

    def _newest(self, at: str | None) -> Iterator[LoadedRelease]:
        """Yield the recently read latest runs within the search limit: the viewer's first, then the newest."""
        seen = [snapshot.value for (_, run_id), snapshot in self._trees.all_latest() if run_id is None]
        seen.sort(key=lambda each: (each.release.id == at, each.release.execution.started_at), reverse=True)
        rows = 0
        for each in islice(seen, MAX_RELEASES_SEARCHED):
            rows += each.rows
            if rows > MAX_ROWS_SEARCHED:
                return
            yield each

    def _roots(self) -> Iterator[Entity]:
        """Yield all cached releases, from lists and from single reads."""
        lists = (snapshot.value.releases for _, snapshot in self._pages.all_latest())
        trees = (snapshot.value.release for _, snapshot in self._trees.all_latest())
        return (release.root for release in chain(chain.from_iterable(lists), trees))


def can_begin_release_id(text: str) -> bool:
    """Return whether a release ID can start with this text."""
    return not (" " in text or text.startswith(_OTHER_TYPES))


def search_page_request(text: str) -> PageRequest:
    """Return the page of the list to search: releases whose ID starts with the text or, if none can, the first ones.

    Raises MalformedFilter.
    """
    wanted = ReleaseFilter.parse(text, (), "", "")
    return replace(FIRST_RELEASES, filter=wanted) if can_begin_release_id(text) else FIRST_RELEASES
