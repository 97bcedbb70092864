"""Who may hear a page's news: a stream is asked for at `/live` and the page's own address, and held by `asgi.py`.

Flask decides about it as about the page: the login, what is refused, what is not there. A server that holds no streams
says so, and the page asks again from time to time instead.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from flask import Blueprint, Flask, Response, g, request
from flask_login import current_user

from dashboard.live.watched import Watched
from dashboard.pages.base import Shown
from dashboard.web import routes
from dashboard.web.errors import Refused
from dashboard.web.listing import asked_slice

# Where a request carries what holds its stream.
CHANNEL = "dashboard.channel"
# Seconds after which a page that got no stream may ask for one again.
RETRY_AFTER = 10

blueprint = Blueprint("streams", __name__)


class Channel(Protocol):
    """What holds a stream."""

    full: bool

    def open(self, what: Watched) -> None:
        """Hear of what happens to this from now on."""

    def begin(self, version: str) -> None:
        """The version that is the latest now."""


@dataclass(frozen=True)
class _Page:
    view: Callable[..., Shown]
    watched: Callable[..., Watched]
    # Whether only the page itself can tell that there is no such thing.
    made: bool = False


def _of_release(release_id: str, **_: str) -> Watched:
    return Watched("release", (release_id, routes.asked_run()))


PAGES = {
    "releases": _Page(routes.releases, lambda: Watched("list", asked_slice())),
    "release": _Page(routes.release, _of_release),
    "hierarchy": _Page(routes.hierarchy, _of_release),
    "entity": _Page(routes.entity, _of_release, made=True),
    "occurrences": _Page(routes.occurrences, lambda entity_id: Watched("occurrences", entity_id)),
    "problems": _Page(routes.problems, lambda: Watched("problems", "")),
}


def _open(page: _Page, **values: Any) -> Response:  # noqa: ANN401 - whatever the rule has
    channel: Channel | None = request.environ.get(CHANNEL)
    if channel is None:
        raise Refused(501, "no_streams", "This server tells no news by itself. Ask for the page again instead.")
    if channel.full:
        headers = {"Retry-After": str(RETRY_AFTER)}
        raise Refused(503, "too_many_streams", "More pages are open than can be told of news.", headers=headers)
    shown = page.view(**values)
    if page.made:
        shown.make()
    channel.open(page.watched(**values))
    # Asked again, so that nothing is missed between the first look and the opening.
    channel.begin(page.view(**values).snapshot.version)
    # What a proxy has to know: nobody else gets this, and it must not wait until it has a bufferful.
    headers = {"Cache-Control": "no-store, no-transform", "X-Accel-Buffering": "no"}
    return Response(mimetype="text/event-stream", headers=headers)


for name, rule in routes.twins.rules.items():
    blueprint.add_url_rule(f"/live{rule}", name, partial(_open, PAGES[name]))


def still_welcome(app: Flask, environ: dict[str, Any]) -> bool:
    """Whether the session that asked for a stream has not ended. That the accounts cannot be read does not end it."""
    with app.request_context(environ):
        return bool(current_user.is_authenticated) or "accounts_failure" in g
