"""Authorize event streams at `/live` plus the page's path; `asgi.py` serves them.

Flask handles them like the page: authentication, errors and missing pages. Servers without streams report so, and pages
poll instead. Updates are rendered once for all viewers of a page.
"""

from functools import partial, update_wrapper
from typing import Any, Protocol

from flask import Blueprint, Flask, Response, request
from flask_login import current_user
from werkzeug.exceptions import HTTPException

from dashboard.concurrency.quota import QuotaExceeded
from dashboard.domain.problems import NotFound, SourceUnavailable
from dashboard.live.topic import Topic
from dashboard.views import routes as views_routes
from dashboard.views.kiosk.routes import KIOSK_PARAMETER
from dashboard.web.address import EXPANSION_PARAMETERS, PageAddress, anonymous_request, page_address
from dashboard.web.body_template import BodyTemplate
from dashboard.web.errors import ApiError
from dashboard.web.page_response import local_timestamp, utc_timestamp
from dashboard.web.page_result import PageResult
from dashboard.web.partial_updates import page_fingerprint, render_changes
from dashboard.web.services import services
from dashboard.web.user_limits import UserLimit, limit_exceeded

# Where a request carries what holds its stream.
STREAM_ENVIRON_KEY = "dashboard.channel"
# Seconds after which a page that got no stream may ask for one again.
STREAM_RETRY_SECONDS = 10
# Parameters that do not affect updates.
_UNSTREAMED_PARAMETERS = EXPANSION_PARAMETERS | {KIOSK_PARAMETER.name}

blueprint = Blueprint("streams", __name__)


class StreamHandle(Protocol):
    """The connection of a stream."""

    def acquire(self, user_id: str, session_id: str) -> QuotaExceeded | None:
        """Reserve a stream for this user and session; return the reason if the limit is reached."""

    def open(self, what: Topic, address: PageAddress) -> None:
        """Subscribe to a topic, together with all viewers of this address."""

    def begin(self, version: str, as_of: str) -> None:
        """Send the current version and its time."""


def _open(name: str, **values: Any) -> Response:  # noqa: ANN401 - whatever the rule has
    channel: StreamHandle | None = request.environ.get(STREAM_ENVIRON_KEY)
    if channel is None:
        raise ApiError(501, "no_streams", "This server does not support live updates. Poll the page instead.")
    full = channel.acquire(current_user.id, current_user.session.id)
    if full is QuotaExceeded.FOR_USER:
        raise limit_exceeded(UserLimit.STREAMS, current_user.id, STREAM_RETRY_SECONDS)
    if full:
        headers = {"Retry-After": str(STREAM_RETRY_SECONDS)}
        raise ApiError(503, "too_many_streams", "Too many open streams. Poll the page instead.", headers=headers)
    view = views_routes.twins.views[name]
    shown = view(**values)
    if shown.personal:
        raise ApiError(501, "no_streams", "This page is personal and has no stream. Poll the page instead.")
    address = page_address(f"{views_routes.blueprint.name}.{name}").without(_UNSTREAMED_PARAMETERS)
    # Some missing resources are detected only by the page itself.
    _outline(shown, address)
    channel.open(shown.what, address)
    # Repeated, so that no change is missed between the first read and the subscription.
    now = view(**values)
    _outline(now, address)
    channel.begin(now.snapshot.version, utc_timestamp(now.snapshot.as_of))
    # What a proxy has to know: no one else gets this, and it must not wait until it has a bufferful.
    headers = {"Cache-Control": "no-store, no-transform", "X-Accel-Buffering": "no"}
    return Response(mimetype="text/event-stream", headers=headers)


for name, rule in views_routes.twins.rules.items():
    # It takes what the view takes.
    blueprint.add_url_rule(f"/live{rule}", name, update_wrapper(partial(_open, name), views_routes.twins.views[name]))


def latest(app: Flask, address: PageAddress, known: str) -> tuple[str, str, str | None]:
    """Return the latest version of a page, its time, and the rows changed since, None if a reload is needed.

    The version is empty if the page no longer exists.
    """
    with app.app_context(), anonymous_request(address):
        try:
            shown = views_routes.twins.views[address.endpoint.rpartition(".")[2]](
                **dict(address.values)
            ).without_viewer_state()
            # What changed lately is for each page to ask: what it shows may be older than the known version's rows.
            rows = None if shown.since else _rows(shown, address, known)
        except (NotFound, SourceUnavailable, HTTPException):
            return "", "", None
    return shown.snapshot.version, utc_timestamp(shown.snapshot.as_of), rows


def _rows(shown: PageResult, address: PageAddress, known: str) -> str | None:
    """Return the rows changed since; None if a full page is needed."""
    new = _outline(shown, address)
    old = services().renderings.kept((address, known), "rows")
    # Much of what makes another version of a release is not shown on the page of one of its entities.
    text = "" if old is None or old == new else render_changes(shown.make(), old, new)
    if not text and old != new:
        return None
    moments = {name: local_timestamp(moment).encode() for name, moment in shown.moments().items()}
    return BodyTemplate.of(text).filled(moments).decode()


def _outline(shown: PageResult, address: PageAddress) -> bytes:
    def make() -> bytes:
        with anonymous_request(address):
            return page_fingerprint(shown.without_viewer_state().make())

    return services().renderings.get((address, shown.snapshot.version), "rows", make)


def is_session_valid(app: Flask, environ: dict[str, Any]) -> bool:
    """Return whether the session of a stream is still valid, with the same rules as for requests."""
    with app.request_context(environ):
        return bool(current_user.is_authenticated)
