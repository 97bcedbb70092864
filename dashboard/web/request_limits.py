"""Reject requests for unknown hosts, oversized requests, and requests with control characters."""

import re
from io import BytesIO
from typing import Any

from flask import Flask, Request, request
from flask.json.provider import DefaultJSONProvider
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, RequestURITooLarge
from werkzeug.routing import MapAdapter
from werkzeug.wrappers import Response

from dashboard.domain.ids import MalformedId
from dashboard.server.limits import MAX_TARGET_BYTES
from dashboard.web.address import all_args
from dashboard.web.errors import ApiError, error_response, invalid_parameter, wants_json
from dashboard.web.services import services
from dashboard.web.url_ids import IdRule

# Bytes of a body at most.
MAX_BODY_BYTES = 64 * 1024
# Those who ask whether the process lives know it by its address.
_ANY_HOST_ENDPOINTS = frozenset({"health.health", "health.ready"})
# Where a sign-in leads is looked at by itself: what leads nowhere leads to the start. Ids may have any characters.
_IDS = frozenset({"release_id", "entity_id"})
_UNCHECKED_PARAMETERS = frozenset({"next", "release", "in", "left", "right", "selected", "show"})
_INVALID_HOST_MESSAGE = "The host name of the request is invalid."
_TOO_LONG_MESSAGE = f"The URL is too long: path and query are limited to {MAX_TARGET_BYTES // 1024} KB together."
_PORT = re.compile(r":[0-9]+\Z")
_CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f-\x9f]")
# Headers are read as bytes; the tab is the only control character allowed.
_CONTROL_CHARACTER_IN_HEADER = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class BoundedJson(DefaultJSONProvider):
    """A JSON provider that rejects deeply nested input as a client error."""

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:  # noqa: ANN401 - any JSON
        """Parse JSON; raises ValueError if it is invalid or nested too deeply."""
        try:
            return super().loads(s, **kwargs)
        except RecursionError as exc:
            raise ValueError("The JSON is nested too deeply.") from exc


class BoundedFlask(Flask):
    """A Flask app that does no routing for addresses that are too long."""

    json_provider_class = BoundedJson
    url_rule_class = IdRule

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Create the URL adapter. Raises RequestURITooLarge."""
        if request and len(request.environ["PATH_INFO"]) + len(request.environ["QUERY_STRING"]) > MAX_TARGET_BYTES:
            raise RequestURITooLarge
        return super().create_url_adapter(request)


def init_app(app: Flask) -> None:
    """Set the size limits of requests."""
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES

    @app.errorhandler(RequestEntityTooLarge)
    def too_large(_exc: RequestEntityTooLarge) -> Response:
        return error_response(
            ApiError(413, "too_large", f"A request body is limited to {MAX_BODY_BYTES // 1024} KB and 1,000 fields.")
        )


def refuse_malformed_target() -> Response | None:
    """Reject addresses that are too long or have an invalid host."""
    match request.routing_exception:
        case RequestURITooLarge():
            return _as_plain_text(ApiError(414, "target_too_long", _TOO_LONG_MESSAGE))
        case BadRequest():
            return _as_plain_text(ApiError(400, "unknown_host", _INVALID_HOST_MESSAGE))
    return None


def refuse_other_hosts() -> None:
    """Reject requests for unknown host names."""
    trusted = services().settings.trusted_hosts
    if trusted and request.endpoint not in _ANY_HOST_ENDPOINTS:
        _check_host(trusted)


def refuse_large_bodies() -> None:
    """Reject oversized bodies."""
    if (request.content_length or 0) > MAX_BODY_BYTES or _exceeds_body_limit():
        raise RequestEntityTooLarge


def refuse_control_characters() -> None:
    """Reject control characters in headers and addresses."""
    _check_headers()
    _check_address()


def _as_plain_text(refused: ApiError) -> Response:
    # A page has addresses, and none can be built here.
    return (
        error_response(refused) if wants_json() else Response(refused.description, refused.code, mimetype="text/plain")
    )


def _exceeds_body_limit() -> bool:
    """Return whether a body without a length is too large. The data that was read stays available."""
    if request.content_length is not None or "wsgi.input_terminated" not in request.environ:
        return False
    # Werkzeug would end such a body at the bound, as if nothing came after it.
    begun = request.environ["wsgi.input"].read(MAX_BODY_BYTES + 1)
    request.environ["wsgi.input"] = BytesIO(begun)
    return len(begun) > MAX_BODY_BYTES


def _check_host(trusted: tuple[str, ...]) -> None:
    name = _PORT.sub("", request.host.lower())
    if not any(name == host.removeprefix(".") or (host.startswith(".") and name.endswith(host)) for host in trusted):
        message = "Unknown host name. Use one of the names in TRUSTED_HOSTS."
        raise ApiError(400, "unknown_host", message)


def _check_headers() -> None:
    for name, value in request.headers:
        if _CONTROL_CHARACTER_IN_HEADER.search(value):
            raise ApiError(400, "malformed_header", f"The header {name} contains control characters. Remove them.")


def _check_address() -> None:
    for name, value in all_args().items(multi=True):
        if name not in _UNCHECKED_PARAMETERS and _CONTROL_CHARACTER.search(name + value):
            raise invalid_parameter(
                _CONTROL_CHARACTER.sub("\N{REPLACEMENT CHARACTER}", name), "must not contain control characters"
            )
    readable = _is_utf8(request.environ["PATH_INFO"])
    for name, value in (request.view_args or {}).items():
        if not readable:
            raise MalformedId(str(value), "it is not valid UTF-8")
        if name not in _IDS and isinstance(value, str) and _CONTROL_CHARACTER.search(value):
            raise MalformedId(value, "it has control characters")


def _is_utf8(path: str) -> bool:
    """Return whether a WSGI path is valid UTF-8: otherwise it would yield a different ID."""
    if path.isascii():
        return True
    try:
        path.encode("latin1").decode()
    except UnicodeDecodeError:
        return False
    return True
