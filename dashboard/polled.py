"""Stands in for LiveReleases.subscribe until that is there: asks once a second, in a thread for each thing."""

import threading
from collections.abc import Callable
from typing import Any

from dashboard.domain.problems import NotFound, SourceUnavailable
from dashboard.live.releases import LiveReleases
from dashboard.live.watched import Watched


def subscribe(live: LiveReleases, what: Watched, notify: Callable[[str], None]) -> Callable[[], None]:
    """As LiveReleases.subscribe."""
    ended = threading.Event()

    def look() -> None:
        last = ""
        while not ended.wait(0.5):
            try:
                version = _version(live, what)
            except (NotFound, SourceUnavailable):
                continue
            if version != last:
                last = version
                notify(version)

    threading.Thread(target=look, daemon=True).start()
    return ended.set


def _version(live: LiveReleases, what: Watched) -> str:
    key: Any = what.key
    if what.kind == "release":
        return live.release(*key).version
    if what.kind == "list":
        return live.page(key).version
    return live.occurrences(key).version if what.kind == "occurrences" else live.problems().version
