"""Responses without Flask and threads: health checks and rejections."""

import json
import secrets
from http import HTTPStatus

from flask import Flask

from dashboard.server.response_cache import HttpResponse
from dashboard.web.health import PROBES
from dashboard.web.security import SECURITY_HEADERS, content_security_policy

_ERRORS_BY_STATUS = {
    400: ("malformed_request", "Not a valid HTTP request."),
    408: ("request_timeout", "The request was not received in time. Try again."),
    414: ("target_too_long", "The URL is too long: path and query are limited to 4 KB together."),
    431: ("head_too_large", "A request is limited to 100 headers and 64 KB of headers."),
    503: ("too_many_connections", "Too many connections are open. Try again in a few seconds."),
}
# Seconds after which it makes sense to ask again.
REFUSAL_RETRY_SECONDS = 5


def refusal_response(status: int, path: str, said: tuple[str, str] | None = None) -> HttpResponse:
    """Return a rejection, as JSON under /api, otherwise as text. `said` overrides code and message."""
    code, message = said or _ERRORS_BY_STATUS[status]
    request_id = secrets.token_hex(8)
    error = {"error": {"code": code, "message": message, "request_id": request_id}}
    again = {"Retry-After": str(REFUSAL_RETRY_SECONDS)} if status in {429, 503} else {}
    if path == "/api" or path.startswith("/api/"):
        return _text_response(status, _json_bytes(error), "application/json", request_id, again)
    return _text_response(status, message, "text/plain; charset=utf-8", request_id, again)


def probe_response(app: Flask, path: str) -> HttpResponse:
    """Respond to `/health` or `/ready`."""
    said, status = PROBES[path](app)
    return _text_response(status, _json_bytes(said) + "\n", "application/json", secrets.token_hex(8), {})


def to_http11(answer: HttpResponse) -> bytes:
    """Format an HTTP/1.1 response that closes the connection."""
    head = b"HTTP/1.1 %d %s\r\n" % (answer.status, HTTPStatus(answer.status).phrase.encode())
    headers = b"".join(b"%s: %s\r\n" % header for header in [*answer.headers, (b"connection", b"close")])
    return head + headers + b"\r\n" + answer.body


def _json_bytes(page: object) -> str:
    return json.dumps(page, separators=(",", ":"))


def _text_response(status: int, text: str, media: str, request_id: str, more: dict[str, str]) -> HttpResponse:
    body = text.encode()
    headers = {
        **SECURITY_HEADERS,
        "Content-Security-Policy": content_security_policy(),
        "Cache-Control": "no-store",
        "Content-Type": media,
        "Content-Length": str(len(body)),
        "X-Request-ID": request_id,
        **more,
    }
    return HttpResponse(status, [(name.lower().encode(), value.encode()) for name, value in headers.items()], body)
