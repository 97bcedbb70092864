"""How new an answer has to be: nobody is told less than they know already, whichever replica they ask next.

Whoever asks may say as of when the newest is that they have seen, as an answer's own `As-Of` or the news of a stream
told it. A replica that has read later than that answers; another reads first.
"""

from collections.abc import Callable
from datetime import datetime
from time import monotonic
from urllib.parse import unquote

from flask import Response, request

from dashboard.live.snapshots import now
from dashboard.web.errors import Refused, wants_json
from dashboard.web.services import services
from dashboard.web.shown import Shown

HEADER = "As-Of"
# Where a browser that goes on to another page has the page's own moment: it sends no header then.
COOKIE = "as_of"
# One that joins a look which is under way already may find that it began too early.
LOOKS = 2
# How many seconds these looks may take together: as long as an answer without them.
SECONDS = 1.6
RETRY_AFTER = 1
BEHIND = "This replica is behind the version that you have already seen. Try again."


def fresh(view: Callable[[], Shown]) -> Shown | None:
    """What the view shows, read anew where the viewer has seen later; None for an open page that has to ask again.

    A page that is opened is answered as new as can be had in time. Raises Refused for the API where that is too old.
    """
    shown, wanted = view(), asked_moment()
    if wanted is None:
        return shown
    until = monotonic() + SECONDS
    for _ in range(LOOKS):
        left = until - monotonic()
        if shown.snapshot.as_of >= wanted or left <= 0:
            break
        services().releases.renew(shown.what, left)
        shown = view()
    if shown.snapshot.as_of >= wanted:
        return shown
    if wants_json():
        raise Refused(503, "behind", BEHIND, headers={"Retry-After": str(RETRY_AFTER)})
    return None if "HX-PTag" in request.headers else shown


def not_yet() -> Response:
    """What an open page is told that knows more than can be told here: it stays as it is."""
    return Response(status=204, headers={"Cache-Control": "no-store", "Retry-After": str(RETRY_AFTER)})


def asked_moment() -> datetime | None:
    """As of when the newest is that the viewer has seen; None where nobody says, or what they say is no moment.

    Of a moment that is still to come, as clocks differ, this one is as good: it is past what they can have seen.
    """
    said = request.headers.get(HEADER) or unquote(request.cookies.get(COOKIE, ""))
    try:
        moment = datetime.fromisoformat(said)
    except ValueError:
        return None
    return min(moment, now()) if moment.tzinfo else None
