"""Filter problems by release or text."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from dashboard.domain.causes import AffectedEntity, Cause, ProblemSummary


@dataclass(frozen=True, slots=True)
class ProblemFilter:
    """A filter of problems: a text and a release ID, both optional."""

    text: str = ""
    release_id: str = ""

    def picks(self, item: AffectedEntity) -> bool:
        """Return whether a problem matches: the text is in its cause, or in a name or ID of its row or ancestors."""
        if self.release_id and item.release_id != self.release_id:
            return False
        text = self.text.casefold()
        words = (item.cause, item.activity_id or "", *item.names, *(step.id for step in item.path))
        return not text or any(text in word.casefold() for word in words)


def filter_problems(seen: ProblemSummary, asked: ProblemFilter) -> ProblemSummary:
    """Return the matching problems, keeping the scope of the search."""
    if asked == ProblemFilter():
        return seen
    causes = tuple(found for cause in seen.causes if (found := _narrowed(cause, asked)).broken)
    waiting, still = (tuple(filter(asked.picks, items)) for items in (seen.waiting, seen.still))
    return replace(seen, causes=causes, waiting=waiting, still=still)


def affected_releases(seen: ProblemSummary) -> tuple[tuple[str, str, int], ...]:
    """Return the releases with problems or waiting rows and their numbers, most first."""
    items = [*(item for cause in seen.causes for item in cause.broken), *seen.waiting, *seen.still]
    return count_by_release(items)


def count_by_release(items: Iterable[AffectedEntity]) -> tuple[tuple[str, str, int], ...]:
    """Return the releases of these rows and their numbers, most first."""
    items = tuple(items)
    names = {item.release_id: item.path[0].name for item in items}
    counts = Counter(item.release_id for item in items)
    return tuple((release_id, names[release_id], count) for release_id, count in counts.most_common())


def _narrowed(cause: Cause, asked: ProblemFilter) -> Cause:
    return replace(cause, broken=tuple(filter(asked.picks, cause.broken)))
