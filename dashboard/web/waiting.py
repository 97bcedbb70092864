"""Waiting for a release: a script asks once, and is answered when the release is in one of the phases that it names.

Where the server can hold a request without a thread, it does (`waits.py`): the request is put to Flask when it comes
and once more when there is something to say, so that who asks is looked at again. Elsewhere a few threads wait.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Protocol

from flask import Blueprint, Response, current_app, g, request
from flask_login import current_user

from dashboard.domain.entities import Release
from dashboard.domain.ids import parse_release_id
from dashboard.domain.phases import Phase
from dashboard.domain.problems import SourceUnavailable
from dashboard.live.awaited import Awaited
from dashboard.live.snapshots import Snapshot
from dashboard.pages.wait import WaitPage
from dashboard.places import Full, Places
from dashboard.web.asked import RUN
from dashboard.web.errors import Refused
from dashboard.web.operations import described
from dashboard.web.parameters import ToldOnceAtLeast, WholeNumber, words_pattern
from dashboard.web.services import services
from dashboard.web.shares import Share, refused
from dashboard.web.shown import Shown
from dashboard.web.texts import Text
from dashboard.web.told import TOLD, answer, told

# Where a request carries what holds it while it waits.
HOLDER = "dashboard.holder"
# What can be waited for: nobody waits for a state that nobody knows.
PHASES = tuple(phase for phase in Phase if phase is not Phase.UNKNOWN)
PHASE = ToldOnceAtLeast(
    "phase",
    f"Phases to wait for: {', '.join(PHASES)}. Repeat the parameter or separate values with commas.",
    {"type": "array", "minItems": 1, "items": {"type": "string", "pattern": words_pattern(PHASES, none=False)}},
)
TIMEOUT = WholeNumber("timeout", "Maximum time to wait, in seconds.", 60, 300)
# Threads that wait at once, where the server holds requests in threads, and those of one user.
THREADS, THREADS_EACH = 4, 3
# Seconds after which who was refused may ask again.
RETRY_AFTER = 5
# How often a release of which nothing is known is asked for: it may turn out that there is none.
UNKNOWN_SECONDS = 10.0

blueprint = Blueprint("waiting", __name__)


class Holder(Protocol):
    """What holds a request. `going` says that the server goes."""

    going: bool

    @property
    def waited(self) -> float:
        """For how many seconds the request has been here."""

    def hold(self, awaited: Awaited, seconds: float, user_id: str) -> Full | None:
        """Ask the same again when this may be decided, or the request has been here for so many seconds.

        If no more can be held, it says why.
        """


@dataclass(frozen=True, slots=True)
class Asked:
    """What is waited for, and for how many seconds at most."""

    awaited: Awaited
    seconds: int


@blueprint.get("/api/releases/<id:release_id>/wait")
@described(WaitPage, query=(PHASE, TIMEOUT, RUN), may={404, 429})
def wait(release_id: str) -> Response:
    """Wait until a release is in one of the phases, has ended in a different one, or the timeout is over."""
    asked = _asked(release_id)
    holder: Holder | None = request.environ.get(HOLDER)
    return _answer(asked, holder) if holder else _held_here(asked)


def _asked(release_id: str) -> Asked:
    words = [word for text in request.args.getlist(PHASE.name) for word in text.split(",")]
    if not words or not set(words) <= set(PHASES):
        raise PHASE.refuse(f"must be one or more of {', '.join(PHASES)}, separated by commas")
    awaited = Awaited(parse_release_id(release_id), RUN.read(), frozenset(map(Phase, words)))
    return Asked(awaited, TIMEOUT.read())


def _answer(asked: Asked, holder: Holder) -> Response:
    """The answer, if it is time for one; else the holder is told what to wait for, and nobody is sent this."""
    awaited, over = asked.awaited, holder.waited >= asked.seconds
    seen = _seen(awaited, due=over)
    if seen and (over or awaited.decided(seen)):
        return _told(awaited, seen, holder.waited)
    if holder.going:
        raise _refused("server_stopping", "This server is shutting down. Try again; another server will respond.", 1)
    full = holder.hold(awaited, asked.seconds, current_user.id)
    if full is Full.FOR_USER:
        raise refused(Share.WAITS, current_user.id, RETRY_AFTER)
    if full:
        raise _refused("too_many_waits", "Too many pending wait requests. Try again later.", RETRY_AFTER)
    return Response(status=202)


def _seen(awaited: Awaited, *, due: bool) -> Snapshot[Release] | None:
    """The release as it is known now; None if nothing is, unless an answer is due: that is then raised."""
    try:
        return services().releases.release(awaited.release_id, awaited.run_id)
    except SourceUnavailable:
        if due:
            raise
        return None


def _told(awaited: Awaited, seen: Snapshot[Release], waited: float) -> Response:
    values = {"reached": b"true" if awaited.reached(seen) else b"false", "waited": b"%.1f" % waited}
    text = services().renderings.get(seen.version, "wait", lambda: _text(seen))
    shown = Shown(awaited.watched, seen, lambda: _page(seen))
    response = answer(told(shown, seen.version, "wait", text, values=values), seen)
    # It is this request's own, and not to be given again.
    del request.environ[TOLD]
    response.headers["Cache-Control"] = "no-store"
    response.mimetype = "application/json"
    return response


def _page(seen: Snapshot[Release]) -> WaitPage:
    return WaitPage.of(seen, reached=False, waited=0.0)


def _text(seen: Snapshot[Release]) -> Text:
    """What differs from one who waits to the next, then all that is the same for everybody."""
    rest = _page(seen).model_dump_json(exclude=set(WaitPage.moments)).encode("utf-8", "replace")
    begins = (b'{"reached":', b',"waited":', b',"as_of":"', b'",' + rest[1:])
    return Text(begins, ("reached", "waited", "as_of"))


def _refused(code: str, message: str, seconds: int) -> Refused:
    return Refused(503, code, message, headers={"Retry-After": str(seconds)})


def _held_here(asked: Asked) -> Response:
    """The answer, for which this thread waits if it has to."""
    holder = _Thread(services().waiting_threads)
    try:
        response = _answer(asked, holder)
        while holder.wait(asked.seconds):
            response = _answer(asked, holder)
    finally:
        holder.close()
    if holder.held:
        _check_still_welcome()
    return response


def _check_still_welcome() -> None:
    """Raise Refused where the login that has waited has ended, or AccountsUnavailable where nothing is known of it."""
    # A context of its own: this one remembers who it was at the beginning.
    with current_app.app_context(), current_app.request_context(request.environ):
        welcome, failure = bool(current_user.is_authenticated), g.get("accounts_failure")
    if failure:
        raise failure
    if not welcome:
        headers = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
        raise Refused(
            401, "invalid_token", "The session or token has ended in the meantime. Sign in again.", headers=headers
        )


class _Thread:
    """Holds a request in the thread that answers it, one of those for which there are `places`."""

    going = False

    def __init__(self, places: Places) -> None:
        self.held = False
        self._user_id = ""
        self._places = places
        self._waits = False
        self._began = monotonic()
        self._moved = threading.Event()
        self._end: Callable[[], None] = lambda: None

    @property
    def waited(self) -> float:
        """For how many seconds the request has been here."""
        return monotonic() - self._began

    def hold(self, awaited: Awaited, seconds: float, user_id: str) -> Full | None:
        """Wait from now on, if there is a place."""
        if not self.held:
            if full := self._places.take(user_id):
                return full
            self.held, self._user_id = True, user_id
            self._end = services().releases.subscribe(awaited.watched, lambda _version: self._moved.set())
        self._waits = True
        return None

    def wait(self, seconds: float) -> bool:
        """Wait for another version of the release, or the end of the time; False if there is nothing to wait for."""
        waits, self._waits = self._waits, False
        if waits:
            self._moved.wait(max(min(seconds - self.waited, UNKNOWN_SECONDS), 0.0))
            self._moved.clear()
        return waits

    def close(self) -> None:
        """Wait no more."""
        self._end()
        if self.held:
            self._places.give(self._user_id)
