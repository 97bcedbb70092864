"""The wait endpoint, which responds when a release is in one of the requested phases.

If the server supports it, requests are held without a thread and passed to Flask again when there is something to
decide, so that authentication is repeated. Otherwise, a few threads wait.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Protocol

from flask import Blueprint, Response, current_app, g, request
from flask_login import current_user

from dashboard.concurrency.quota import PerUserQuota, QuotaExceeded
from dashboard.domain.entities import Release
from dashboard.domain.ids import parse_release_id
from dashboard.domain.phases import Phase
from dashboard.domain.problems import SourceUnavailable
from dashboard.domain.snapshot import Snapshot
from dashboard.push.wait_condition import WaitCondition
from dashboard.push.wait_page import WaitPage
from dashboard.views.release.query import RELEASE_RUN_PARAMETER
from dashboard.web.body_template import BodyTemplate
from dashboard.web.errors import ApiError
from dashboard.web.openapi.operation import api_operation
from dashboard.web.page_response import PAGE_RESPONSE_ENVIRON_KEY, make_page_response, to_flask_response
from dashboard.web.page_result import PageResult
from dashboard.web.query_params import IntegerParameter, RequiredParameter, choices_pattern
from dashboard.web.services import services
from dashboard.web.user_limits import UserLimit, limit_exceeded

# Where a request carries what holds it while it waits.
LONG_POLL_ENVIRON_KEY = "dashboard.holder"
# Phases that can be waited for: all except unknown.
WAITABLE_PHASES = tuple(phase for phase in Phase if phase is not Phase.UNKNOWN)
WAIT_PHASE_PARAMETER = RequiredParameter(
    "phase",
    f"Phases to wait for: {', '.join(WAITABLE_PHASES)}. Repeat the parameter or separate values with commas.",
    {
        "type": "array",
        "minItems": 1,
        "items": {"type": "string", "pattern": choices_pattern(WAITABLE_PHASES, none=False)},
    },
)
WAIT_TIMEOUT_PARAMETER = IntegerParameter("timeout", "Maximum time to wait, in seconds.", 60, 300)
# The maximum number of waiting threads, in total and per user, if the server cannot hold requests otherwise.
MAX_WAITING_THREADS, MAX_WAITING_THREADS_PER_USER = 4, 3
# Seconds after which who was refused may ask again.
WAIT_RETRY_SECONDS = 5
# How often a release of which nothing is known is asked for: it may turn out that there is none.
UNKNOWN_RETRY_SECONDS = 10.0

blueprint = Blueprint("waiting", __name__)


class LongPollHandle(Protocol):
    """The handle of a held request. `going` tells that the server is shutting down."""

    going: bool

    @property
    def waited(self) -> float:
        """Return the age of the request in seconds."""

    def hold(self, awaited: WaitCondition, seconds: float, user_id: str) -> QuotaExceeded | None:
        """Repeat the request when its condition may be decided, or after a number of seconds.

        Returns the reason if no more requests can be held.
        """


@dataclass(frozen=True, slots=True)
class WaitQuery:
    """The condition and the timeout in seconds."""

    awaited: WaitCondition
    seconds: int


@blueprint.get("/api/releases/<id:release_id>/wait")
@api_operation(
    WaitPage, query=(WAIT_PHASE_PARAMETER, WAIT_TIMEOUT_PARAMETER, RELEASE_RUN_PARAMETER), responses={404, 429}
)
def wait(release_id: str) -> Response:
    """Wait until a release is in one of the phases, has ended in a different one, or the timeout is over."""
    asked = _requested_wait(release_id)
    holder: LongPollHandle | None = request.environ.get(LONG_POLL_ENVIRON_KEY)
    return _wait_response(asked, holder) if holder else _wait_in_thread(asked)


def _requested_wait(release_id: str) -> WaitQuery:
    words = [word for text in request.args.getlist(WAIT_PHASE_PARAMETER.name) for word in text.split(",")]
    if not words or not set(words) <= set(WAITABLE_PHASES):
        raise WAIT_PHASE_PARAMETER.refuse(f"must be one or more of {', '.join(WAITABLE_PHASES)}, separated by commas")
    awaited = WaitCondition(parse_release_id(release_id), RELEASE_RUN_PARAMETER.read(), frozenset(map(Phase, words)))
    return WaitQuery(awaited, WAIT_TIMEOUT_PARAMETER.read())


def _wait_response(asked: WaitQuery, holder: LongPollHandle) -> Response:
    """Return the response if it is due; otherwise hold the request and return a placeholder that is never sent."""
    awaited, over = asked.awaited, holder.waited >= asked.seconds
    seen = _latest_snapshot(awaited, due=over)
    if seen and (over or awaited.decided(seen)):
        return _wait_page_response(awaited, seen, holder.waited)
    if holder.going:
        raise _refused("server_stopping", "This server is shutting down. Try again; another server will respond.", 1)
    full = holder.hold(awaited, asked.seconds, current_user.id)
    if full is QuotaExceeded.FOR_USER:
        raise limit_exceeded(UserLimit.WAITS, current_user.id, WAIT_RETRY_SECONDS)
    if full:
        raise _refused("too_many_waits", "Too many pending wait requests. Try again later.", WAIT_RETRY_SECONDS)
    return Response(status=202)


def _latest_snapshot(awaited: WaitCondition, *, due: bool) -> Snapshot[Release] | None:
    """Return the current data of the release, or None; raise if a response is due without data."""
    try:
        return services().releases.release(awaited.release_id, awaited.run_id)
    except SourceUnavailable:
        if due:
            raise
        return None


def _wait_page_response(awaited: WaitCondition, seen: Snapshot[Release], waited: float) -> Response:
    values = {"reached": b"true" if awaited.reached(seen) else b"false", "waited": b"%.1f" % waited}
    text = services().renderings.get(seen.version, "wait", lambda: _text(seen))
    shown = PageResult(awaited.topic, seen, lambda: _page(seen))
    response = to_flask_response(make_page_response(shown, seen.version, "wait", text, values=values), seen)
    # It is this request's own, and not to be given again.
    del request.environ[PAGE_RESPONSE_ENVIRON_KEY]
    response.headers["Cache-Control"] = "no-store"
    response.mimetype = "application/json"
    return response


def _page(seen: Snapshot[Release]) -> WaitPage:
    return WaitPage.of(seen, reached=False, waited=0.0)


def _text(seen: Snapshot[Release]) -> BodyTemplate:
    """Return the personal part of the response, followed by the shared part."""
    rest = _page(seen).model_dump_json(exclude=set(WaitPage.moments)).encode("utf-8", "replace")
    begins = (b'{"reached":', b',"waited":', b',"as_of":"', b'",' + rest[1:])
    return BodyTemplate(begins, ("reached", "waited", "as_of"))


def _refused(code: str, message: str, seconds: int) -> ApiError:
    return ApiError(503, code, message, headers={"Retry-After": str(seconds)})


def _wait_in_thread(asked: WaitQuery) -> Response:
    """Return the response, waiting in this thread if needed."""
    holder = _ThreadLongPoll(services().waiting_threads)
    try:
        response = _wait_response(asked, holder)
        while holder.wait(asked.seconds):
            response = _wait_response(asked, holder)
    finally:
        holder.close()
    if holder.held:
        _check_session()
    return response


def _check_session() -> None:
    """Raise ApiError if the session or token has ended, or AccountsUnavailable if that is unknown."""
    # A context of its own: this one remembers who it was at the beginning.
    with current_app.app_context(), current_app.request_context(request.environ):
        welcome, failure = bool(current_user.is_authenticated), g.get("accounts_failure")
    if failure:
        raise failure
    if not welcome:
        headers = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
        raise ApiError(
            401, "invalid_token", "The session or token has ended in the meantime. Sign in again.", headers=headers
        )


class _ThreadLongPoll:
    """Holds a request in its thread, limited by a quota."""

    going = False

    def __init__(self, places: PerUserQuota) -> None:
        self.held = False
        self._user_id = ""
        self._places = places
        self._waits = False
        self._began = monotonic()
        self._moved = threading.Event()
        self._end: Callable[[], None] = lambda: None

    @property
    def waited(self) -> float:
        """Return the age of the request in seconds."""
        return monotonic() - self._began

    def hold(self, awaited: WaitCondition, seconds: float, user_id: str) -> QuotaExceeded | None:
        """Start waiting, if the quota allows."""
        if not self.held:
            if full := self._places.acquire(user_id):
                return full
            self.held, self._user_id = True, user_id
            self._end = services().releases.subscribe(awaited.topic, lambda _version: self._moved.set())
        self._waits = True
        return None

    def wait(self, seconds: float) -> bool:
        """Wait for another version of the release or the timeout; return false if there is nothing to wait for."""
        waits, self._waits = self._waits, False
        if waits:
            self._moved.wait(max(min(seconds - self.waited, UNKNOWN_RETRY_SECONDS), 0.0))
            self._moved.clear()
        return waits

    def close(self) -> None:
        """Stop waiting."""
        self._end()
        if self.held:
            self._places.release(self._user_id)
