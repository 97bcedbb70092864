"""Search releases and entities by name, ID or version."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from heapq import nsmallest
from itertools import islice

from dashboard.domain.entities import Entity, Release
from dashboard.domain.ids import EntityType
from dashboard.domain.problems import Problem

# Names that are returned of those that are found.
MAX_SEARCH_RESULTS = 20

NameEntry = tuple[str, str, Entity, tuple[str, ...]]
"""What a row is found by: its own texts and those above it, folded; the row, and the names above it."""


@dataclass(frozen=True, slots=True)
class NameMatch:
    """An entity with its release and the names of its ancestors."""

    id: str
    type: EntityType
    name: str
    version: str | None
    release_id: str
    place: tuple[str, ...]
    version_runs: bool = False


@dataclass(frozen=True, slots=True)
class SearchResults:
    """The results of a search.

    `listed` are releases from Temporal whose IDs start with the text, of `total`; or `unlisted` is why Temporal could
    not be queried. `recalled` are other matching cached releases. `entities` are the best of `matching` in `looked_in`
    recently read releases.
    """

    listed: tuple[Release, ...]
    total: int
    recalled: tuple[NameMatch, ...]
    entities: tuple[NameMatch, ...]
    matching: int
    looked_in: int
    unlisted: Problem | None = None


class SearchTerms:
    """A search text. All words must match, and at least one of them in the row's own texts."""

    def __init__(self, text: str) -> None:
        self.words = tuple(text.casefold().split())
        self._whole = " ".join(self.words)
        self._word = re.compile(rf"(?<![^\W_]){re.escape(self._whole)}")

    def picked(self, entries: Iterable[NameEntry]) -> Iterator[NameEntry]:
        """Return the matching rows, by their own texts and those of their ancestors."""
        whole, words = self._whole, self.words
        if len(words) == 1:
            return (entry for entry in entries if whole in entry[0])
        return (
            entry
            for entry in entries
            if any(word in entry[0] for word in words) and all(word in entry[0] or word in entry[1] for word in words)
        )

    @property
    def ranks(self) -> tuple[Callable[[str], object], ...]:
        """Return the ranking conditions: exact match, prefix, word prefix, all words."""
        whole = self._whole
        return (
            lambda own: f"\n{whole}\n" in own or f":{whole}\n" in own,
            lambda own: f"\n{whole}" in own or f":{whole}" in own,
            self._word.search,
            lambda own: all(word in own for word in self.words),
        )

    def rank(self, own: str) -> int:
        """Return the rank of a row; 0 is the best."""
        return next((at for at, test in enumerate(self.ranks) if test(own)), len(self.ranks))


class NameIndex:
    """The searchable names of a tree, built on first use and cached with the tree."""

    def __init__(self, release_id: str, root: Entity) -> None:
        self.release_id = release_id
        self.root = root

    @cached_property
    def entries(self) -> tuple[NameEntry, ...]:
        """Return the search texts of all rows below the release, parents first."""
        found: list[NameEntry] = []
        place: tuple[str, ...] = (self.root.name,)
        waiting = [(place, _folded(place), self.root.children)]
        for place, above, rows in waiting:
            for row in rows:
                found.append((searchable_texts(row), above, row, place))
                if row.children:
                    inner = (*place, row.name)
                    waiting.append((inner, _folded(inner), row.children))
        return tuple(found)

    def name(self, entry: NameEntry) -> NameMatch:
        """Return the name of a row."""
        _, _, row, place = entry
        return NameMatch(row.id, row.type, row.name, row.version, self.release_id, place, row.version_runs)


def search_entities(wanted: SearchTerms, trees: Iterable[NameIndex]) -> tuple[tuple[NameMatch, ...], int]:
    """Return the best matches in these trees, those of the first tree first, and their total number."""
    picked = [(tree, entry) for tree in trees for entry in wanted.picked(tree.entries)] if wanted.words else []
    return tuple(tree.name(entry) for tree, entry in _best(wanted, picked)), len(picked)


def _best(wanted: SearchTerms, picked: Sequence[tuple[NameIndex, NameEntry]]) -> Iterator[tuple[NameIndex, NameEntry]]:
    """Return the best matches up to the limit, evaluating worse ranks only if needed."""
    taken: set[int] = set()
    for test in (*wanted.ranks, bool):
        fits = (at for at, (_, entry) in enumerate(picked) if at not in taken and test(entry[0]))
        for at in list(islice(fits, MAX_SEARCH_RESULTS - len(taken))):
            taken.add(at)
            yield picked[at]


def search_releases(wanted: SearchTerms, known: Iterable[Entity]) -> tuple[NameMatch, ...]:
    """Return the best matches among known releases."""
    roots = {root.id: root for root in known}
    texts = {root.id: searchable_texts(root) for root in roots.values()}
    fits = [root for root in roots.values() if wanted.words and all(word in texts[root.id] for word in wanted.words)]
    best = nsmallest(MAX_SEARCH_RESULTS, fits, key=lambda root: wanted.rank(texts[root.id]))
    return tuple(NameMatch(root.id, root.type, root.name, root.version, root.id, ()) for root in best)


def searchable_texts(row: Entity) -> str:
    """Return the row's own search texts, one per line."""
    return f"\n{row.name}\n{row.id}\n{row.version or ''}\n".casefold()


def _folded(place: tuple[str, ...]) -> str:
    return "\n".join(place).casefold()
