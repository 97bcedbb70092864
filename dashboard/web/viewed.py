"""Who looks at which release: one look is written down once, however often a page or a script asks."""

from collections.abc import Callable, Hashable
from threading import Lock
from time import monotonic
from typing import cast

from cachetools import TTLCache
from flask import Flask, current_app
from flask_login import current_user

from dashboard.accounts.audit import Event
from dashboard.live.looks import RunKey
from dashboard.live.watched import Watched
from dashboard.web.audit import record
from dashboard.web.errors import wants_fragment, wants_json

# Seconds in which the same user who asks for the same release in the same way still has the same look at it.
LOOK = 300.0
# As long as a session lasts: what an open page asks for in this time belongs to the look with which it was opened.
OPEN = 12 * 3600.0
# How many looks are remembered. One that is forgotten too early is written down again.
KEEP = 10_000
# In how many threads looks are written down at once; those of one key never are.
TURNS = 32


class Looks:
    """The looks that this process has written down lately. Safe to use from many threads."""

    def __init__(self, clock: Callable[[], float] = monotonic, keep: int = KEEP) -> None:
        self._clock = clock
        self._written: TTLCache[Hashable, float] = TTLCache(keep, OPEN, clock)
        self._lock = Lock()
        self._turns = tuple(Lock() for _ in range(TURNS))

    def note(self, key: Hashable, write: Callable[[], None], *, open_page: bool = False) -> None:
        """Write down a look, if it is a new one; what an open page asks for is none, as long as its own is known.

        What cannot be written was not: whoever asks next tries again.
        """
        with self._turns[hash(key) % TURNS]:
            if not self._is_known(key, OPEN if open_page else LOOK):
                write()
                with self._lock:
                    self._written[key] = self._clock()

    def _is_known(self, key: Hashable, seconds: float) -> bool:
        with self._lock:
            written = self._written.get(key)
        return written is not None and self._clock() - written < seconds


def init_app(app: Flask) -> None:
    """Remember the looks of this app's viewers."""
    app.extensions["looks"] = Looks()


def note_look(*release_ids: str) -> None:
    """Write down that who is logged in sees these releases now; nobody does so by the link of a wall screen or badge.

    Raises AccountsUnavailable: what cannot be written down must not be shown.
    """
    if not current_user.is_authenticated:
        return
    looks: Looks = current_app.extensions["looks"]
    # Pages are opened by sessions alone.
    way = "api" if wants_json() or current_user.session is None else "page"
    for release_id in release_ids:

        def write(seen: str = release_id) -> None:
            record(Event.release_viewed, subject=seen, way=way)

        looks.note((current_user.id, release_id, way), write, open_page=way == "page" and wants_fragment())


def releases_in(what: Watched) -> tuple[str, ...]:
    """The releases of which this is all about: none for lists, in which they are told of beside others."""
    if what.kind in {"release", "history"}:
        return (cast(RunKey, what.key)[0],)
    if what.kind == "pair":
        return tuple(release_id for release_id, _run_id in cast(tuple[RunKey, RunKey], what.key))
    return ()
