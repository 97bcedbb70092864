"""An open page, as far as what htmx puts into it goes: a model of a browser that tests read."""

from functools import cached_property, lru_cache

from bs4 import BeautifulSoup, Tag


class OpenPage:
    """What stands in the live element of an open page, and what becomes of it with each answer."""

    def __init__(self, fragment: str) -> None:
        self._fragment = fragment

    @cached_property
    def _page(self) -> BeautifulSoup:
        return BeautifulSoup(self._fragment, "html.parser")

    def take(self, answer: str, *, news: bool = False) -> None:
        """Put an answer in its place: partial by partial, or as a whole. `news` may have more than it has."""
        new = BeautifulSoup(answer, "html.parser")
        partials = new.find_all("hx-partial")
        if not partials:
            self._page = new
        for partial in partials:
            targets = self._page.select(str(partial["hx-target"]))
            if targets or not news:
                self._put(partial, *targets)

    def _put(self, partial: Tag, target: Tag) -> None:
        if partial["hx-swap"] == "innerMorph":
            target.clear()
            target.extend(list(partial.contents))
        else:
            (element,) = partial.contents
            target.replace_with(element)

    def __str__(self) -> str:
        return str(self._page)


@lru_cache(maxsize=512)
def parsed(fragment: str) -> str:
    """A fragment as an open page would hold it."""
    return str(BeautifulSoup(fragment, "html.parser"))
