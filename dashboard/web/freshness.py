"""Ensure monotonic reads: no viewer receives older data than they have seen, whichever replica responds.

Clients may send the time of the newest data that they have seen, from the `As-Of` header or a stream. A replica with
newer data responds; another one reads first.
"""

from collections.abc import Callable
from datetime import datetime
from time import monotonic
from urllib.parse import unquote

from flask import Response, request

from dashboard.domain.snapshot import utc_now
from dashboard.web.errors import ApiError, wants_json
from dashboard.web.page_result import PageResult
from dashboard.web.services import services

AS_OF_HEADER = "As-Of"
# The cookie with the time of the previous page: navigation sends no header.
AS_OF_COOKIE_NAME = "as_of"
# A read that joins one in progress may find that it started too early.
MAX_REFRESH_READS = 2
# The total timeout of these reads in seconds: that of a response without them.
REFRESH_BUDGET_SECONDS = 1.6
BEHIND_RETRY_SECONDS = 1
REPLICA_BEHIND_MESSAGE = "This replica is behind the version that you have already seen. Try again."


def fresh_result(view: Callable[[], PageResult]) -> PageResult | None:
    """Return the view's data, read again if the viewer has seen newer data; None if an open page has to ask again.

    A newly opened page is as new as possible in time. Raises ApiError for API requests if the data is too old.
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
    """Return the response for an open page with newer data than this replica has: no change."""
    return Response(status=204, headers={"Cache-Control": "no-store", "Retry-After": str(BEHIND_RETRY_SECONDS)})


def requested_as_of() -> datetime | None:
    """Return the time of the newest data that the viewer has seen; None if missing or invalid.

    Times in the future, due to clock differences, count as now.
    """
    said = request.headers.get(AS_OF_HEADER) or unquote(request.cookies.get(AS_OF_COOKIE_NAME, ""))
    try:
        moment = datetime.fromisoformat(said)
    except ValueError:
        return None
    return min(moment, utc_now()) if moment.tzinfo else None
