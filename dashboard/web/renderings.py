"""What has been rendered, kept for all who ask for the same: a version of a page is rendered once, not per viewer."""

import threading
from collections.abc import Callable, Sized
from typing import Any, TypeVar

from cachetools import LRUCache
from flask import current_app

from dashboard.flights import Flights

S = TypeVar("S", bound=Sized)

# Bytes kept at most. A tree of 1,000 entities takes 0.5 MB as HTML and 0.4 MB as JSON.
KEEP = 64 * 1024 * 1024

# What each of them takes besides its text.
OVERHEAD = 300

Key = tuple[str, str]


class Renderings:
    """Texts by what they say and in which form; those asked for longest ago go first. Safe for threads.

    `len` of a text is its bytes. A form is always of the same type.
    """

    def __init__(self, keep: int = KEEP) -> None:
        self._lock = threading.Lock()
        self._kept: LRUCache[Key, Any] = LRUCache(keep, getsizeof=_size)
        self._flights: Flights[Key, Any] = Flights()

    def kept(self, tag: str, form: str) -> Any | None:  # noqa: ANN401 - of the form's type
        """The text with this tag in this form, if it is kept."""
        with self._lock:
            return self._kept.get((tag, form))

    def get(self, tag: str, form: str, render: Callable[[], S]) -> S:
        """The text with this tag in this form, rendered by the first who asks."""
        kept: S | None = self.kept(tag, form)
        if kept is not None:
            return kept
        made: S = self._flights.get((tag, form), lambda: self._keep((tag, form), render()))
        return made

    def _keep(self, key: Key, text: S) -> S:
        with self._lock:
            if _size(text) <= self._kept.maxsize:
                self._kept[key] = text
        return text


def _size(text: Sized) -> int:
    return len(text) + OVERHEAD


def the_renderings() -> Renderings:
    """Those of the app that answers this request."""
    renderings: Renderings = current_app.extensions["renderings"]
    return renderings
