"""Response bodies that can be sent again while the data is unchanged."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flask import Response, request

from dashboard.domain.snapshot import Snapshot
from dashboard.live.topic import Topic
from dashboard.web.body_template import MIN_COMPRESSED_BYTES, BodyTemplate, GzipBodyTemplate
from dashboard.web.formats import time
from dashboard.web.page_result import Moments, PageResult, moments_of
from dashboard.web.services import services

# Where a request carries what it was told.
PAGE_RESPONSE_ENVIRON_KEY = "dashboard.told"

TimestampFormat = Callable[[datetime], str]


def local_timestamp(moment: datetime) -> str:
    """Return a time as shown on pages, to the second."""
    return time(moment, "exact")


def utc_timestamp(moment: datetime) -> str:
    """Return a time as used in JSON and headers."""
    return moment.isoformat().replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class PageResponse:
    """A response without its moments, valid for equal requests while the data has this `version`.

    It holds no snapshot. `text` is None for a 304. `values` are filled in besides the moments.
    """

    what: Topic
    version: str
    more_moments: Callable[[Snapshot[Any]], Moments]
    text: BodyTemplate | GzipBodyTemplate | None
    write: TimestampFormat = utc_timestamp
    values: Mapping[str, bytes] = field(default_factory=dict)

    def body(self, snapshot: Snapshot[Any]) -> bytes:
        """Return the body with the moments of this snapshot."""
        if self.text is None:
            return b""
        moments = {
            name: self.write(moment).encode() for name, moment in moments_of(snapshot, self.more_moments).items()
        }
        return self.text.filled({**self.values, **moments})


def unchanged_response(shown: PageResult) -> PageResponse:
    """Return a 304 result."""
    return PageResponse(shown.what, shown.snapshot.version, shown.more_moments, None)


def make_page_response(
    shown: PageResult,
    of: Hashable,
    form: Hashable,
    text: BodyTemplate,
    write: TimestampFormat = utc_timestamp,
    values: Mapping[str, bytes] | None = None,
) -> PageResponse:
    """Return the cached text, compressed if the client accepts it and it is worth it."""
    squeeze = len(text) >= MIN_COMPRESSED_BYTES and bool(request.accept_encodings["gzip"])
    sent = services().renderings.get(of, (form, "gzip"), lambda: GzipBodyTemplate.of(text)) if squeeze else text
    return PageResponse(shown.what, shown.snapshot.version, shown.more_moments, sent, write, values or {})


def to_flask_response(said: PageResponse, snapshot: Snapshot[Any]) -> Response:
    """Return the response, which the server may send again."""
    request.environ[PAGE_RESPONSE_ENVIRON_KEY] = said
    response = Response(said.body(snapshot), status=304 if said.text is None else 200)
    response.headers["As-Of"] = utc_timestamp(snapshot.as_of)
    response.vary.add("Accept-Encoding")
    if isinstance(said.text, GzipBodyTemplate):
        response.headers["Content-Encoding"] = "gzip"
    return response
