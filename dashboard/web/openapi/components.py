"""Build the parameters, request bodies and responses of operations."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qs

from werkzeug.routing import Map, Rule

from dashboard.domain.ids import EntityType
from dashboard.web.negotiation import MEDIA_TYPES, Format
from dashboard.web.openapi.operation import ApiOperation
from dashboard.web.query_params import (
    PLAIN_TEXT_SCHEMA,
    RELEASE_ID_SCHEMA,
    JsonSchema,
    QueryParameter,
    id_pattern,
)
from dashboard.web.security import SESSION_COOKIE_NAME

API_DESCRIPTION = """\
Releases on Temporal: waves, clusters, bundles and apps. Every page of the dashboard is available as JSON at the same
path below `/api`.

Authenticate with `Authorization: Bearer` and a token: an API token from `POST /api/tokens`, or an access token from
`POST /api/auth/login`. Browser sessions work as well. Every response for a page states when its data was read (`as_of`)
and whether newer data may exist that could not be read (`stale` and `reason`). All errors have the same format. Every
response has an `X-Request-ID` header with the request ID that is used in the server log.
"""
_SESSION = f"Browser session. Over https the cookie is named `__Host-{SESSION_COOKIE_NAME}`."
SECURITY_SCHEMES: dict[str, JsonSchema] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "API token (`rdt_`) or access token from sign-in."},
    "session": {"type": "apiKey", "in": "cookie", "name": SESSION_COOKIE_NAME, "description": _SESSION},
}
ERROR_SCHEMA: JsonSchema = {
    "description": "An error.",
    "type": "object",
    "properties": {"error": {"$ref": "#/components/schemas/ErrorPage"}},
    "required": ["error"],
    "additionalProperties": False,
}
JSON_MEDIA_TYPE = "application/json"
FORM_MEDIA_TYPE = "application/x-www-form-urlencoded"

_STATUS_DESCRIPTIONS = {
    200: "OK.",
    201: "Created.",
    204: "No content.",
    302: "Redirect to the page's wall screen (`kiosk=1`).",
    304: "Not modified since the response whose `ETag` was sent in `If-None-Match`.",
    400: "Malformed request: the body is not valid JSON, or a header contains control characters.",
    401: "Not signed in, the token is invalid or expired, or the credentials are wrong.",
    403: "Permission denied for this user or token, or the request came from another site. Nothing was changed.",
    404: "Not found.",
    408: "The request was not received in time.",
    409: "Conflict with the current state.",
    413: "The request body is too large.",
    414: "Path and query exceed 4 KB.",
    415: "Unsupported content type.",
    422: "An ID, parameter or field is invalid: see `message` and `fields`.",
    429: "A per-user limit was reached, or too many sign-ins failed. Retry after `Retry-After` seconds.",
    431: "More than 100 headers, or more than 64 KB of headers.",
    503: "Temporal or the accounts database is unavailable, or the server is busy. Retry after `Retry-After` seconds.",
}
_PATH_ESCAPES = (
    "In a path, write a slash as `~2F`, a tilde as `~7E`, and the dots of an ID that is `.` or `..` as `~2E`."
)
_PATH_PARAMETERS: dict[str, tuple[str, JsonSchema]] = {
    "release_id": (
        f"Release ID, which is the workflow ID: 1 to 1,000 bytes. {_PATH_ESCAPES}",
        RELEASE_ID_SCHEMA | {"minLength": 1, "pattern": "^[^/]+$"},
    ),
    "entity_id": (
        f"Entity ID. {_PATH_ESCAPES}",
        {"type": "string", "pattern": f"^{id_pattern(EntityType, but='/')}$"},
    ),
}
_STRING_SCHEMA: JsonSchema = {"type": "string"}
_ETAG_HEADER = {"ETag": {"description": "Version of the response.", "required": True, "schema": _STRING_SCHEMA}}
_DATED_HEADERS = {
    "Accounts-Away": {
        "description": "`read-only` while the accounts database is unavailable: changes are rejected.",
        "schema": _STRING_SCHEMA,
    },
    "As-Of": {
        "description": "Time at which the data was read from Temporal, in UTC.",
        "required": True,
        "schema": {"type": "string", "format": "date-time"},
    },
}
_ERROR_HEADERS = {
    401: {"WWW-Authenticate": {"description": "`Bearer` and the error of the token.", "schema": _STRING_SCHEMA}},
    429: {"Retry-After": {"description": "Seconds.", "required": True, "schema": {"type": "integer", "minimum": 1}}},
    503: {"Retry-After": {"description": "Seconds.", "required": True, "schema": {"type": "integer", "minimum": 1}}},
}

_IF_NONE_MATCH_PARAMETER: JsonSchema = {
    "name": "If-None-Match",
    "in": "header",
    "description": "`ETag` of the response that the client already has.",
    "schema": _STRING_SCHEMA,
}
_AS_OF_PARAMETER: JsonSchema = {
    "name": "As-Of",
    "in": "header",
    "description": "`As-Of` of the newest response that the client has: no replica responds with older data. Invalid "
    "times are ignored.",
    "schema": _STRING_SCHEMA,
}


def operation_parameters(
    rule: Rule, query: Iterable[QueryParameter], address: str, *, tagged: bool
) -> list[JsonSchema]:
    """Return the path, query and header parameters, with example values."""
    path, _, example = address.partition("?")
    routes = Map([rule.empty()], converters=rule.map.converters).bind("")
    in_path = routes.match(path, method=next(iter(rule.methods or ())))[1] if path else {}
    asked = parse_qs(example)
    said = [_in_path(name, in_path) for name in sorted(rule.arguments, key=rule.rule.index)]
    said += [_in_query(parameter, asked.get(parameter.name, [])) for parameter in query]
    return said + ([_IF_NONE_MATCH_PARAMETER, _AS_OF_PARAMETER] if tagged else [])


def _in_path(name: str, values: Any) -> JsonSchema:  # noqa: ANN401
    says, schema = _PATH_PARAMETERS.get(name, (f"The {name.replace('_', ' ')}.", PLAIN_TEXT_SCHEMA | {"minLength": 1}))
    said: JsonSchema = {"name": name, "in": "path", "required": True, "description": says, "schema": schema}
    return said | ({"example": values[name]} if name in values else {})


def _in_query(parameter: QueryParameter, values: list[str]) -> JsonSchema:
    said: JsonSchema = {
        "name": parameter.name,
        "in": "query",
        "description": parameter.says,
        "schema": parameter.schema,
    }
    if parameter.required:
        said["required"] = True
    if parameter.repeated:
        said |= {"style": "form", "explode": True}
    if not values:
        return said
    number = parameter.schema.get("type") == "integer"
    return said | {"example": values if parameter.repeated else int(values[0]) if number else values[0]}


def request_body(schema: JsonSchema, operation: ApiOperation, example: Any) -> JsonSchema:  # noqa: ANN401 - JSON
    """Return the body of a request."""
    said = {"schema": schema} | ({"example": example} if example is not None else {})
    return {
        "required": True,
        "content": dict.fromkeys((JSON_MEDIA_TYPE, FORM_MEDIA_TYPE) if operation.forms else (JSON_MEDIA_TYPE,), said),
    }


def success_response(code: int, answers: list[JsonSchema], example: Any, *, dated: bool, tagged: bool) -> JsonSchema:  # noqa: ANN401 - JSON
    """Return a successful response with one of these models, or without a body."""
    said: JsonSchema = {"description": _STATUS_DESCRIPTIONS[code]}
    headers = (_ETAG_HEADER if tagged else {}) | (_DATED_HEADERS if dated else {})
    if headers and code in {200, 304}:
        said["headers"] = headers
    if answers:
        schema = answers[0] if len(answers) == 1 else {"anyOf": answers}
        said["content"] = {JSON_MEDIA_TYPE: {"schema": schema} | ({"example": example} if example is not None else {})}
    return said


def with_table_formats(answer: JsonSchema) -> JsonSchema:
    """Add table formats to a response. Long ones are streamed without an ETag."""
    tables = {MEDIA_TYPES[form]: {"schema": _STRING_SCHEMA} for form in (Format.NDJSON, Format.CSV)}
    tag = {"ETag": {**_ETAG_HEADER["ETag"], "required": False}}
    return {**answer, "headers": answer["headers"] | tag, "content": answer["content"] | tables}


def error_response_object(code: int, example: Any) -> JsonSchema:  # noqa: ANN401 - JSON
    """Return an error response."""
    content = {"schema": {"$ref": "#/components/schemas/Error"}} | ({"example": example} if example else {})
    said: JsonSchema = {"description": _STATUS_DESCRIPTIONS[code], "content": {JSON_MEDIA_TYPE: content}}
    return said | ({"headers": _ERROR_HEADERS[code]} if code in _ERROR_HEADERS else {})
