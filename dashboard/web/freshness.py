"""How new an answer has to be: nobody is told less than they know already, whichever replica they ask next.

Whoever asks may say as of when the newest is that they have seen, as an answer's own `As-Of` or the news of a stream
told it. A replica that has read later than that answers; another reads first.
"""

from collections.abc import Callable
from datetime import datetime
from time import monotonic
from urllib.parse import unquote

from flask import Response, request

from dashboard.live.snapshot_store import utc_now
from dashboard.web.errors import ApiError, wants_json
from dashboard.web.page_result import PageResult
from dashboard.web.services import services

AS_OF_HEADER = "As-Of"
# Where a browser that goes on to another page has the page's own moment: it sends no header then.
AS_OF_COOKIE_NAME = "as_of"
# One that joins a look which is under way already may find that it began too early.
MAX_REFRESH_READS = 2
# How many seconds these looks may take together: as long as an answer without them.
REFRESH_BUDGET_SECONDS = 1.6
BEHIND_RETRY_SECONDS = 1
REPLICA_BEHIND_MESSAGE = "This replica is behind the version that you have already seen. Try again."


def fresh_result(view: Callable[[], PageResult]) -> PageResult | None:
    """What the view shows, read anew where the viewer has seen later; None for an open page that has to ask again.

    A page that is opened is answered as new as can be had in time. Raises ApiError for the API where that is too old.
    """
    shown, wanted = view(), requested_as_of()
    if wanted is None:
        return shown
    until = monotonic() + REFRESH_BUDGET_SECONDS
    for _ in range(MAX_REFRESH_READS):
        left = until - monotonic()
        if shown.snapshot.as_of >= wanted or left <= 0:
            break
        services().releases.renew(shown.what, left)
        shown = view()
    if shown.snapshot.as_of >= wanted:
        return shown
    if wants_json():
        raise ApiError(503, "behind", REPLICA_BEHIND_MESSAGE, headers={"Retry-After": str(BEHIND_RETRY_SECONDS)})
    return None if "HX-PTag" in request.headers else shown


def not_yet_response() -> Response:
    """What an open page is told that knows more than can be told here: it stays as it is."""
    return Response(status=204, headers={"Cache-Control": "no-store", "Retry-After": str(BEHIND_RETRY_SECONDS)})


def requested_as_of() -> datetime | None:
    """As of when the newest is that the viewer has seen; None where nobody says, or what they say is no moment.

    Of a moment that is still to come, as clocks differ, this one is as good: it is past what they can have seen.
    """
    said = request.headers.get(AS_OF_HEADER) or unquote(request.cookies.get(AS_OF_COOKIE_NAME, ""))
    try:
        moment = datetime.fromisoformat(said)
    except ValueError:
        return None
    return min(moment, utc_now()) if moment.tzinfo else None
