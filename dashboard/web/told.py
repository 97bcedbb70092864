"""What a twin answers, in a form that can be sent again while it is true."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flask import Response, request

from dashboard.live.snapshots import Snapshot
from dashboard.live.watched import Watched
from dashboard.web.formats import time
from dashboard.web.services import services
from dashboard.web.shown import Moments, Shown, moments_of
from dashboard.web.texts import WORTH_COMPRESSING, Compressed, Text

# Where a request carries what it was told.
TOLD = "dashboard.told"

Write = Callable[[datetime], str]


def exact(moment: datetime) -> str:
    """A moment as a page has it, to the second."""
    return time(moment, "exact")


def utc(moment: datetime) -> str:
    """A moment as JSON and headers have it."""
    return moment.isoformat().replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class Told:
    """An answer but for its moments: it holds for whoever asks the same while what is known has this `version`.

    It holds on to no snapshot. `text` is None where nothing is new to who asks: a 304. `values` are what is filled in
    besides the moments.
    """

    what: Watched
    version: str
    more_moments: Callable[[Snapshot[Any]], Moments]
    text: Text | Compressed | None
    write: Write = utc
    values: Mapping[str, bytes] = field(default_factory=dict)

    def body(self, snapshot: Snapshot[Any]) -> bytes:
        """The bytes, with the moments of this snapshot."""
        if self.text is None:
            return b""
        moments = {
            name: self.write(moment).encode() for name, moment in moments_of(snapshot, self.more_moments).items()
        }
        return self.text.filled({**self.values, **moments})


def unchanged(shown: Shown) -> Told:
    """Nothing that the viewer does not know."""
    return Told(shown.what, shown.snapshot.version, shown.more_moments, None)


def told(
    shown: Shown,
    of: Hashable,
    form: Hashable,
    text: Text,
    write: Write = utc,
    values: Mapping[str, bytes] | None = None,
) -> Told:
    """A text of this in its form: compressed, once for all, if the viewer takes that and it is worth it."""
    squeeze = len(text) >= WORTH_COMPRESSING and bool(request.accept_encodings["gzip"])
    sent = services().renderings.get(of, (form, "gzip"), lambda: Compressed.of(text)) if squeeze else text
    return Told(shown.what, shown.snapshot.version, shown.more_moments, sent, write, values or {})


def answer(said: Told, snapshot: Snapshot[Any]) -> Response:
    """The response, which whoever holds the connection may give again."""
    request.environ[TOLD] = said
    response = Response(said.body(snapshot), status=304 if said.text is None else 200)
    response.headers["As-Of"] = utc(snapshot.as_of)
    response.vary.add("Accept-Encoding")
    if isinstance(said.text, Compressed):
        response.headers["Content-Encoding"] = "gzip"
    return response
