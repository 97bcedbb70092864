"""What has been rendered, kept for all who ask for the same: a version of a page is rendered once, not per viewer."""

import threading
from collections.abc import Callable, Mapping
from datetime import datetime

from cachetools import LRUCache

from dashboard.flights import Flights
from dashboard.web.formats import slot, time

# Bytes kept at most. A tree of 1,000 entities takes 0.5 MB as HTML and 0.4 MB as JSON.
KEEP = 64 * 1024 * 1024

Key = tuple[str, str]


class Renderings:
    """Texts by what they say and in which form, as bytes; those asked for longest ago go first. Safe for threads."""

    def __init__(self, keep: int = KEEP) -> None:
        self._lock = threading.Lock()
        self._kept: LRUCache[Key, bytes] = LRUCache(keep, getsizeof=len)
        self._flights: Flights[Key, bytes] = Flights()

    def get(self, tag: str, form: str, render: Callable[[], str]) -> bytes:
        """The text with this tag in this form, rendered by the first who asks."""
        with self._lock:
            kept = self._kept.get((tag, form))
        return kept or self._flights.get((tag, form), lambda: self._keep((tag, form), render()))

    def _keep(self, key: Key, text: str) -> bytes:
        rendered = text.encode("utf-8", "replace")
        with self._lock:
            if len(rendered) <= self._kept.maxsize:
                self._kept[key] = rendered
        return rendered


def filled(text: bytes, moments: Mapping[str, datetime]) -> bytes:
    """A shared text with the moments that differ from one answer to the next."""
    for name, moment in moments.items():
        text = text.replace(slot(name).encode(), time(moment, "exact").encode())
    return text
