"""What has been rendered, kept for all who ask for the same: a version of a page is rendered once, not per viewer."""

import threading
from collections.abc import Callable, Mapping
from datetime import datetime

from cachetools import LRUCache

from dashboard.flights import Flights
from dashboard.web.formats import slot, time

# Bytes kept at most. A tree of 1,000 entities takes 0.5 MB as HTML and 0.4 MB as JSON.
KEEP = 64 * 1024 * 1024

# What each of them takes besides its text.
OVERHEAD = 300

Key = tuple[str, str]


class Renderings:
    """Texts by what they say and in which form, as bytes; those asked for longest ago go first. Safe for threads."""

    def __init__(self, keep: int = KEEP) -> None:
        self._lock = threading.Lock()
        self._kept: LRUCache[Key, bytes] = LRUCache(keep, getsizeof=_size)
        self._flights: Flights[Key, bytes] = Flights()

    def kept(self, tag: str, form: str) -> bytes | None:
        """The text with this tag in this form, if it is kept."""
        with self._lock:
            return self._kept.get((tag, form))

    def get(self, tag: str, form: str, render: Callable[[], str | bytes]) -> bytes:
        """The text with this tag in this form, rendered by the first who asks."""
        kept = self.kept(tag, form)
        return self._flights.get((tag, form), lambda: self._keep((tag, form), render())) if kept is None else kept

    def _keep(self, key: Key, text: str | bytes) -> bytes:
        rendered = text.encode("utf-8", "replace") if isinstance(text, str) else text
        with self._lock:
            if _size(rendered) <= self._kept.maxsize:
                self._kept[key] = rendered
        return rendered


def _size(text: bytes) -> int:
    return len(text) + OVERHEAD


def filled(text: bytes, moments: Mapping[str, datetime]) -> bytes:
    """A shared text with the moments that differ from one answer to the next."""
    for name, moment in moments.items():
        text = text.replace(slot(name).encode(), time(moment, "exact").encode())
    return text
