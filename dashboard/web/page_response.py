"""What a twin answers, in a form that can be sent again while it is true."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flask import Response, request

from dashboard.live.snapshot_store import Snapshot
from dashboard.live.topic import Topic
from dashboard.web.body_template import MIN_COMPRESSED_BYTES, BodyTemplate, GzipBodyTemplate
from dashboard.web.formats import time
from dashboard.web.page_result import Moments, PageResult, moments_of
from dashboard.web.services import services

# Where a request carries what it was told.
PAGE_RESPONSE_ENVIRON_KEY = "dashboard.told"

TimestampFormat = Callable[[datetime], str]


def local_timestamp(moment: datetime) -> str:
    """A moment as a page has it, to the second."""
    return time(moment, "exact")


def utc_timestamp(moment: datetime) -> str:
    """A moment as JSON and headers have it."""
    return moment.isoformat().replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class PageResponse:
    """An answer but for its moments: it holds for whoever asks the same while what is known has this `version`.

    It holds on to no snapshot. `text` is None where nothing is new to who asks: a 304. `values` are what is filled in
    besides the moments.
    """

    what: Topic
    version: str
    more_moments: Callable[[Snapshot[Any]], Moments]
    text: BodyTemplate | GzipBodyTemplate | None
    write: TimestampFormat = utc_timestamp
    values: Mapping[str, bytes] = field(default_factory=dict)

    def body(self, snapshot: Snapshot[Any]) -> bytes:
        """The bytes, with the moments of this snapshot."""
        if self.text is None:
            return b""
        moments = {
            name: self.write(moment).encode() for name, moment in moments_of(snapshot, self.more_moments).items()
        }
        return self.text.filled({**self.values, **moments})


def unchanged_response(shown: PageResult) -> PageResponse:
    """Nothing that the viewer does not know."""
    return PageResponse(shown.what, shown.snapshot.version, shown.more_moments, None)


def make_page_response(
    shown: PageResult,
    of: Hashable,
    form: Hashable,
    text: BodyTemplate,
    write: TimestampFormat = utc_timestamp,
    values: Mapping[str, bytes] | None = None,
) -> PageResponse:
    """A text of this in its form: compressed, once for all, if the viewer takes that and it is worth it."""
    squeeze = len(text) >= MIN_COMPRESSED_BYTES and bool(request.accept_encodings["gzip"])
    sent = services().renderings.get(of, (form, "gzip"), lambda: GzipBodyTemplate.of(text)) if squeeze else text
    return PageResponse(shown.what, shown.snapshot.version, shown.more_moments, sent, write, values or {})


def to_flask_response(said: PageResponse, snapshot: Snapshot[Any]) -> Response:
    """The response, which whoever holds the connection may give again."""
    request.environ[PAGE_RESPONSE_ENVIRON_KEY] = said
    response = Response(said.body(snapshot), status=304 if said.text is None else 200)
    response.headers["As-Of"] = utc_timestamp(snapshot.as_of)
    response.vary.add("Accept-Encoding")
    if isinstance(said.text, GzipBodyTemplate):
        response.headers["Content-Encoding"] = "gzip"
    return response
