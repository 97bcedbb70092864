"""Errors: one form in JSON, one page in HTML, always with a request id and never with a traceback."""

import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

import structlog
from flask import Flask, Response, g, make_response, render_template, request
from pydantic import ConfigDict, Field
from werkzeug.exceptions import HTTPException, InternalServerError

from dashboard.domain.ids import MalformedId
from dashboard.domain.problems import EntityNotFound, NotFound, RunNotFound, SourceUnavailable
from dashboard.web.error_help import NextLink, general_links, links_for_missing, next_step
from dashboard.web.page_model import PageModel

log = structlog.get_logger()

# Seconds after which asking again makes sense when Temporal is unavailable; open pages ask again by themselves.
UNAVAILABLE_RETRY_SECONDS = 5

_TITLES = {
    400: "Malformed request",
    401: "Sign in required",
    403: "Permission denied",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict with the current state",
    413: "Request too large",
    422: "Invalid request",
    429: "Too many requests",
    500: "Internal error",
    503: "Temporal is unavailable",
}
_TITLES_BY_CODE = {
    "accounts_unavailable": "The accounts database is unavailable",
    "too_many_logins": "Too many failed sign-ins",
    "too_many_waiting": "Too many pending requests",
    "too_many_streams": "Too many open streams",
    "temporal_permission_denied": "Temporal denied access",
    "temporal_namespace_missing": "Temporal namespace not found",
    "entity_not_found": "Entity not found",
    "run_not_found": "Run not found",
    "link_ended": "This screen link is no longer valid",
    "too_many_tables": "Too many concurrent exports",
    "too_many_exports": "Too many exports",
    "too_many_changes": "Too many changes",
    "session_ended": "Your session has ended",
}

_NOT_FOUND: dict[type[NotFound], str] = {EntityNotFound: "entity_not_found", RunNotFound: "run_not_found"}


class FieldError(PageModel):
    """An error of one field or parameter of the request."""

    field: str
    message: str


class ErrorPage(PageModel):
    """An error, rendered as HTML and as JSON."""

    template: ClassVar[str] = "shared/error.html"
    fragment: ClassVar[str] = "shared/_error.html"
    wall: ClassVar[tuple[str, str]] = ("kiosk/error.html", "kiosk/_error.html")
    # What is as it always is stays out of the JSON.
    model_config = ConfigDict(json_schema_serialization_defaults_required=False)

    code: str = Field(description="Machine-readable error code, in snake_case.")
    message: str = Field(description="Human-readable message.")
    request_id: str = Field(description="Request ID, as in the server log.")
    fields: tuple[FieldError, ...] = Field((), description="Errors by parameter or field.")
    detail: str | None = Field(None, description="Error message from Temporal.")
    status: int = Field(exclude=True)
    retry_after: int | None = Field(default=None, exclude=True)
    ways: tuple[NextLink, ...] = Field(default=(), exclude=True)

    @property
    def then(self) -> str:
        """Return what to do next."""
        return next_step(self.status, self.code)

    @property
    def of_temporal(self) -> bool:
        """Return whether Temporal was unavailable, so that the page shows its address."""
        return self.code.startswith("temporal_")

    @property
    def title(self) -> str:
        """Return the heading."""
        if self.code in _TITLES_BY_CODE:
            return _TITLES_BY_CODE[self.code]
        return _TITLES.get(self.status, "Something went wrong")


class ApiError(HTTPException):
    """An error response: a status, a machine-readable code, and a message."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        headers: Mapping[str, str] | None = None,
        fields: Sequence[FieldError] = (),
        detail: str | None = None,
        ways: tuple[NextLink, ...] = (),
    ) -> None:
        super().__init__(description=message)
        self.code = status
        self.error_code = code
        self.headers = dict(headers or {})
        self.fields = tuple(fields)
        self.detail = detail
        self.ways = ways


def invalid_parameter(name: str, message: str) -> ApiError:
    """Return a 422 error for an invalid parameter or form field."""
    return ApiError(422, "invalid_parameter", f"{name}: {message}", fields=[FieldError(field=name, message=message)])


def field_conflict(name: str, message: str) -> ApiError:
    """Return a 409 error for a field that conflicts with existing data."""
    return ApiError(409, "conflict", f"{name}: {message}", fields=[FieldError(field=name, message=message)])


def assign_request_id() -> None:
    """Assign the request an ID."""
    g.request_id = secrets.token_hex(8)


def add_request_id(response: Response) -> Response:
    """Add the request ID to the response."""
    response.headers["X-Request-ID"] = g.get("request_id", "")
    return response


def init_app(app: Flask) -> None:
    """Register the error handlers."""

    @app.errorhandler(MalformedId)
    def malformed(exc: MalformedId) -> Response:
        message = f"“{_printable_id(exc.text)}” is not a valid ID: {exc.reason}."
        return error_response(ApiError(422, "malformed_id", message, fields=tuple(_fields_with(exc))))

    @app.errorhandler(NotFound)
    def not_found(exc: NotFound) -> Response:
        code, ways = _NOT_FOUND.get(type(exc), "not_found"), links_for_missing(exc)
        return error_response(ApiError(404, code, f"{exc.entity_id}: {exc.reason}", ways=ways))

    @app.errorhandler(SourceUnavailable)
    def unavailable(exc: SourceUnavailable) -> Response:
        headers = {"Retry-After": str(UNAVAILABLE_RETRY_SECONDS)}
        problem = exc.problem
        return error_response(ApiError(503, problem.code, problem.message, headers=headers, detail=problem.detail))

    @app.errorhandler(HTTPException)
    def http_error(exc: HTTPException) -> Response:
        if isinstance(exc, InternalServerError):
            log.error("request_failed", request_id=g.get("request_id"), exc_info=exc.original_exception)
        return error_response(exc)


def error_response(exc: HTTPException) -> Response:
    """Return the response for an error, as JSON under /api, as a fragment for htmx, else as a page."""
    response = make_response(_json_body(_error_page(exc)))
    response.status_code = exc.code or 500
    for name, value in (exc.headers if isinstance(exc, ApiError) else _kept_headers(exc)).items():
        response.headers[name] = value
    if wants_json():
        response.mimetype = "application/json"
    if wants_kiosk():
        # It takes the place of what was shown: what comes next is new, whatever was known before.
        response.headers["HX-PTag"] = "error"
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def wants_json() -> bool:
    """Return whether this request is for the API."""
    return request.path == "/api" or request.path.startswith("/api/")


def wants_fragment() -> bool:
    """Return whether htmx asks for a part of a page."""
    return request.headers.get("HX-Request") == "true"


def wants_stream() -> bool:
    """Return whether this request is for an event stream."""
    return request.path.startswith("/live/")


def wants_kiosk() -> bool:
    """Return whether this request comes from a wall screen, which shows errors in place and retries by itself."""
    return request.path == "/kiosk" or request.path.startswith("/kiosk/")


def _error_page(exc: HTTPException) -> ErrorPage:
    status = exc.code or 500
    retry_after = exc.headers.get("Retry-After") if isinstance(exc, ApiError) else None
    code = exc.error_code if isinstance(exc, ApiError) else _code(exc)
    return ErrorPage(
        code=code,
        message=_message(exc),
        request_id=g.get("request_id", ""),
        fields=exc.fields if isinstance(exc, ApiError) else (),
        detail=exc.detail if isinstance(exc, ApiError) else None,
        status=status,
        retry_after=int(retry_after) if retry_after else None,
        ways=(exc.ways if isinstance(exc, ApiError) else ()) or general_links(status, code),
    )


def _json_body(page: ErrorPage) -> str:
    if wants_json():
        return '{"error":' + page.model_dump_json(exclude_defaults=True) + "}"
    whole, fragment = page.wall if wants_kiosk() else (page.template, page.fragment)
    # A stream has no surrounding page.
    return render_template(fragment if wants_fragment() or wants_stream() else whole, page=page)


def _message(exc: HTTPException) -> str:
    if isinstance(exc, InternalServerError):
        return "An internal error occurred. It has been logged under the request ID below."
    if exc.code == 404 and not isinstance(exc, ApiError):
        return "Page not found."
    return exc.description or "The request failed."


def _code(exc: HTTPException) -> str:
    return re.sub(r"[^a-z]+", "_", exc.name.lower()).strip("_")


def _kept_headers(exc: HTTPException) -> dict[str, str]:
    """Return the headers that belong to a status, such as Allow for 405."""
    return {name: value for name, value in exc.get_headers() if name not in {"Content-Type", "Content-Length"}}


def _fields_with(exc: MalformedId) -> Iterator[FieldError]:
    """Yield the parts of the address that have such an id."""
    parts = (*(request.view_args or {}).items(), *request.args.items(multi=True))
    for name in dict.fromkeys(name for name, value in parts if value == exc.text):
        yield FieldError(field=name, message=exc.reason)


def _printable_id(text: str) -> str:
    """Return an ID for use in a message: truncated and printable."""
    shown = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
    return shown if len(shown) <= 80 else f"{shown[:79]}…"
