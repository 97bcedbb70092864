"""Who may hear a page's news: a stream is asked for at `/live` and the page's own address, and held by `asgi.py`.

Flask decides about it as about the page: the login, what is refused, what is not there. A server that holds no streams
says so, and the page asks again from time to time instead. What all are told who have the page open is drawn here too.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from flask import Blueprint, Flask, Response, g, request
from flask_login import current_user
from werkzeug.exceptions import HTTPException

from dashboard.domain.problems import NotFound, SourceUnavailable
from dashboard.live.watched import Watched
from dashboard.web import routes
from dashboard.web.changes import FOLDING, drawn, outline
from dashboard.web.errors import Refused
from dashboard.web.renderings import the_renderings
from dashboard.web.shown import Shown
from dashboard.web.texts import Text
from dashboard.web.told import exact, utc

# Where a request carries what holds its stream.
CHANNEL = "dashboard.channel"
# Seconds after which a page that got no stream may ask for one again.
RETRY_AFTER = 10

blueprint = Blueprint("streams", __name__)


class Channel(Protocol):
    """What holds a stream."""

    full: bool

    def open(self, what: Watched, address: str) -> None:
        """Hear of what happens to this from now on, with all who have this address open."""

    def begin(self, version: str) -> None:
        """The version that is the latest now."""


def _open(view: Callable[..., Shown], **values: Any) -> Response:  # noqa: ANN401 - whatever the rule has
    channel: Channel | None = request.environ.get(CHANNEL)
    if channel is None:
        raise Refused(501, "no_streams", "This server tells no news by itself. Ask for the page again instead.")
    if channel.full:
        headers = {"Retry-After": str(RETRY_AFTER)}
        raise Refused(503, "too_many_streams", "More pages are open than can be told of news.", headers=headers)
    shown = view(**values)
    if shown.personal:
        raise Refused(501, "no_streams", "What is here depends on who asks. Ask for the page again instead.")
    # Only the page itself can tell of some things that they are not there.
    _outline(shown)
    channel.open(shown.what, _address())
    # Asked again, so that nothing is missed between the first look and the opening.
    now = view(**values)
    _outline(now)
    channel.begin(now.snapshot.version)
    # What a proxy has to know: nobody else gets this, and it must not wait until it has a bufferful.
    headers = {"Cache-Control": "no-store, no-transform", "X-Accel-Buffering": "no"}
    return Response(mimetype="text/event-stream", headers=headers)


for name, rule in routes.twins.rules.items():
    blueprint.add_url_rule(f"/live{rule}", name, partial(_open, routes.twins.views[name]))


def latest(app: Flask, environ: dict[str, Any], known: str) -> tuple[str, tuple[str, ...]]:
    """The latest version of the page that a stream is of, and what brings a page to it that shows the known one.

    That is the moment when it was the latest, and the rows; nothing where such a page has to ask for itself. The
    version is empty where there is no such page any more.
    """
    with app.request_context(environ):
        try:
            view = routes.twins.views[str(request.endpoint).rpartition(".")[2]]
            shown = view(**(request.view_args or {})).for_anybody()
            # What changed lately is for each page to ask: what it shows may be older than the known version's rows.
            rows = None if shown.since else _rows(shown, known)
        except (NotFound, SourceUnavailable, HTTPException):
            return "", ()
    return shown.snapshot.version, () if rows is None else (utc(shown.snapshot.as_of), rows)


def _rows(shown: Shown, known: str) -> str | None:
    """The rows that have changed since; None where the whole is due."""
    new = _outline(shown)
    old = the_renderings().kept(f"{known} {_address()}", "outline")
    # Much of what makes another version of a release is not shown on the page of one of its entities.
    text = "" if old is None or old == new else drawn(shown.make(), old, new)
    if not text and old != new:
        return None
    moments = {name: exact(moment).encode() for name, moment in shown.moments().items()}
    return Text.of(text).filled(moments).decode()


def _outline(shown: Shown) -> bytes:
    everybody = shown.for_anybody()
    tag = f"{shown.snapshot.version} {_address()}"
    return the_renderings().get(tag, "outline", lambda: outline(everybody.make()))


def _address() -> str:
    """What is asked for, but for what a viewer has opened or closed: all who ask for the same are told the same."""
    asked = sorted((name, value) for name, value in request.args.items(multi=True) if name not in FOLDING)
    return f"{request.path} {asked}"


def still_welcome(app: Flask, environ: dict[str, Any]) -> bool:
    """Whether the session that asked for a stream has not ended. That the accounts cannot be read does not end it."""
    with app.request_context(environ):
        return bool(current_user.is_authenticated) or "accounts_failure" in g
