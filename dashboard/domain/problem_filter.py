"""What of everything that is broken somebody wants to see: of one release, or with a text in it."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from dashboard.domain.causes import AffectedEntity, Cause, ProblemSummary


@dataclass(frozen=True, slots=True)
class ProblemFilter:
    """What is asked for: a text, and the id of a release; empty for all."""

    text: str = ""
    release_id: str = ""

    def picks(self, item: AffectedEntity) -> bool:
        """Whether something broken is asked for: the text stands in its cause or in a name or id of where it is."""
        if self.release_id and item.release_id != self.release_id:
            return False
        text = self.text.casefold()
        words = (item.cause, item.activity_id or "", *item.names, *(step.id for step in item.path))
        return not text or any(text in word.casefold() for word in words)


def filter_problems(seen: ProblemSummary, asked: ProblemFilter) -> ProblemSummary:
    """The same with what is asked for alone; how far was looked stays as it was."""
    if asked == ProblemFilter():
        return seen
    causes = tuple(found for cause in seen.causes if (found := _narrowed(cause, asked)).broken)
    waiting, still = (tuple(filter(asked.picks, items)) for items in (seen.waiting, seen.still))
    return replace(seen, causes=causes, waiting=waiting, still=still)


def affected_releases(seen: ProblemSummary) -> tuple[tuple[str, str, int], ...]:
    """Return the id and name of each release in which something is broken or waits, with how much, the most first."""
    items = [*(item for cause in seen.causes for item in cause.broken), *seen.waiting, *seen.still]
    return count_by_release(items)


def count_by_release(items: Iterable[AffectedEntity]) -> tuple[tuple[str, str, int], ...]:
    """Return the releases of these, with how many of them each has, the most first."""
    items = tuple(items)
    names = {item.release_id: item.path[0].name for item in items}
    counts = Counter(item.release_id for item in items)
    return tuple((release_id, names[release_id], count) for release_id, count in counts.most_common())


def _narrowed(cause: Cause, asked: ProblemFilter) -> Cause:
    return replace(cause, broken=tuple(filter(asked.picks, cause.broken)))
