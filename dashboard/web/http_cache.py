"""Add ETags to API responses and compress every text response."""

import gzip
from hashlib import blake2b

from flask import Response, request

from dashboard.web.body_template import MIN_COMPRESSED_BYTES
from dashboard.web.errors import wants_json
from dashboard.web.page_response import PAGE_RESPONSE_ENVIRON_KEY

# Each of its answers is of a moment of its own.
ENDPOINTS_WITHOUT_ETAG = frozenset({"waiting.wait"})
_COMPRESSIBLE_TYPES = frozenset({"application/json", "application/x-ndjson", "text/csv", "text/html"})


def add_etag(response: Response) -> Response:
    """Add an ETag to API responses that have none."""
    if not (wants_json() and request.method in {"GET", "HEAD"} and response.status_code == 200):
        return response
    if response.is_streamed or "ETag" in response.headers or request.endpoint in ENDPOINTS_WITHOUT_ETAG:
        return response
    response.set_etag(blake2b(response.get_data(), digest_size=12).hexdigest(), weak=True)
    response.vary.update({"Authorization", "Cookie"})
    response.make_conditional(request)
    return response


def compress(response: Response) -> Response:
    """Compress text responses that are large enough and not yet compressed."""
    if (
        response.is_streamed
        or response.mimetype not in _COMPRESSIBLE_TYPES
        or PAGE_RESPONSE_ENVIRON_KEY in request.environ
    ):
        return response
    response.vary.add("Accept-Encoding")
    if "Content-Encoding" in response.headers or not request.accept_encodings["gzip"]:
        return response
    plain = response.get_data()
    if response.status_code == 304 or len(plain) < MIN_COMPRESSED_BYTES:
        return response
    response.set_data(gzip.compress(plain, mtime=0))
    response.headers["Content-Encoding"] = "gzip"
    return response
