"""What the operations of the API's reference are made of: parameters, bodies and answers."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qs

from werkzeug.routing import Map, Rule

from dashboard.domain.ids import EntityType
from dashboard.web.media import MEDIA_TYPES, Form
from dashboard.web.operations import Operation
from dashboard.web.parameters import PLAIN_TEXT, RELEASE_ID, Parameter, Schema, id_pattern
from dashboard.web.security import SESSION_COOKIE

ABOUT = """\
What is rolling out on Temporal: releases, waves, clusters, bundles and apps. Each page of the dashboard has a twin here
at the same address; both are renderings of one object.

Send `Authorization: Bearer` and a token: one of your own, as `POST /api/tokens` makes them, or one that
`POST /api/auth/login` gives. A browser's session counts as well. Every answer of a page says how old it is (`as_of`)
and whether something newer may exist that could not be read (`stale`, and the `reason`). Errors have one form, and
every answer a request id in `X-Request-ID`, under which the log has it.
"""
_SESSION = f"A browser's session. Over https the cookie's name is `__Host-{SESSION_COOKIE}`."
SECURITY: dict[str, Schema] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A token of one's own (`rdt_`), or of a login."},
    "session": {"type": "apiKey", "in": "cookie", "name": SESSION_COOKIE, "description": _SESSION},
}
ERROR: Schema = {
    "description": "Why there is no such answer as was asked for.",
    "type": "object",
    "properties": {"error": {"$ref": "#/components/schemas/ErrorPage"}},
    "required": ["error"],
    "additionalProperties": False,
}
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"

_SAYS = {
    200: "As asked for.",
    201: "It is there now.",
    204: "It is done, and there is nothing to say.",
    302: "The address of the page's wall screen, where `kiosk=1` asks for that.",
    304: "Nothing has changed since the answer whose `ETag` was sent in `If-None-Match`.",
    400: "What was sent cannot be read: a body that is not the JSON that it says, or a header with control characters.",
    401: "Nobody is logged in, the token does not hold (any more), or the credentials are wrong.",
    403: "A page of another site sent this, so nothing was done; or this user or token may not do it.",
    404: "There is no such thing (any more).",
    408: "The request did not come in time.",
    409: "It does not fit with what is there.",
    413: "The body is too large.",
    414: "The path and the query are longer than 4 KB.",
    415: "The body is in no form that is taken here.",
    422: "An id, a parameter or a field cannot be used: `message` says why, and `fields` which.",
    429: "It is more than one user may have, or too many logins have failed; ask again after `Retry-After` seconds.",
    431: "There are more than 100 headers, or more than 64 KB of them.",
    503: "Temporal, or where accounts are kept, does not answer, or too many ask; again after `Retry-After` seconds.",
}
_WRITTEN = "In the path a slash in it is written `~2F`, a tilde `~7E`, and an id that is `.` or `..` with `~2E`."
_IN_PATHS: dict[str, tuple[str, Schema]] = {
    "release_id": (
        f"The release's id, which is its workflow id: 1 to 1,000 bytes. {_WRITTEN}",
        RELEASE_ID | {"minLength": 1, "pattern": "^[^/]+$"},
    ),
    "entity_id": (
        f"The entity's id. {_WRITTEN}",
        {"type": "string", "pattern": f"^{id_pattern(EntityType, but='/')}$"},
    ),
}
_TEXT: Schema = {"type": "string"}
_ETAG = {"ETag": {"description": "Names what the answer says.", "required": True, "schema": _TEXT}}
_DATED = {
    "Accounts-Away": {
        "description": "`read-only` while the accounts' database does not answer: changes are refused.",
        "schema": _TEXT,
    },
    "As-Of": {
        "description": "When it was read from Temporal, in UTC.",
        "required": True,
        "schema": {"type": "string", "format": "date-time"},
    },
}
_OF_ERRORS = {
    401: {"WWW-Authenticate": {"description": "`Bearer`, and what is wrong with the token.", "schema": _TEXT}},
    429: {"Retry-After": {"description": "Seconds.", "required": True, "schema": {"type": "integer", "minimum": 1}}},
    503: {"Retry-After": {"description": "Seconds.", "required": True, "schema": {"type": "integer", "minimum": 1}}},
}

_KNOWN: Schema = {
    "name": "If-None-Match",
    "in": "header",
    "description": "The `ETag` of the answer that is known already.",
    "schema": _TEXT,
}
_NO_OLDER: Schema = {
    "name": "As-Of",
    "in": "header",
    "description": "The `As-Of` of the newest answer that is known: another replica tells nothing older. A text "
    "that is no time is ignored.",
    "schema": _TEXT,
}


def parameters(rule: Rule, query: Iterable[Parameter], address: str, *, tagged: bool) -> list[Schema]:
    """Those of the path, of the query and of the head, with the values that they have in this example's address."""
    path, _, example = address.partition("?")
    routes = Map([rule.empty()], converters=rule.map.converters).bind("")
    in_path = routes.match(path, method=next(iter(rule.methods or ())))[1] if path else {}
    asked = parse_qs(example)
    said = [_in_path(name, in_path) for name in sorted(rule.arguments, key=rule.rule.index)]
    said += [_in_query(parameter, asked.get(parameter.name, [])) for parameter in query]
    return said + ([_KNOWN, _NO_OLDER] if tagged else [])


def _in_path(name: str, values: Any) -> Schema:  # noqa: ANN401
    says, schema = _IN_PATHS.get(name, (f"The {name.replace('_', ' ')}.", PLAIN_TEXT | {"minLength": 1}))
    said: Schema = {"name": name, "in": "path", "required": True, "description": says, "schema": schema}
    return said | ({"example": values[name]} if name in values else {})


def _in_query(parameter: Parameter, values: list[str]) -> Schema:
    said: Schema = {"name": parameter.name, "in": "query", "description": parameter.says, "schema": parameter.schema}
    if parameter.required:
        said["required"] = True
    if parameter.repeated:
        said |= {"style": "form", "explode": True}
    if not values:
        return said
    number = parameter.schema.get("type") == "integer"
    return said | {"example": values if parameter.repeated else int(values[0]) if number else values[0]}


def body(schema: Schema, operation: Operation, example: Any) -> Schema:  # noqa: ANN401 - JSON
    """The body of a request."""
    said = {"schema": schema} | ({"example": example} if example is not None else {})
    return {"required": True, "content": dict.fromkeys((JSON, FORM) if operation.forms else (JSON,), said)}


def good(code: int, answers: list[Schema], example: Any, *, dated: bool, tagged: bool) -> Schema:  # noqa: ANN401 - JSON
    """An answer that is no error, of one of these models; without any it has no body."""
    said: Schema = {"description": _SAYS[code]}
    headers = (_ETAG if tagged else {}) | (_DATED if dated else {})
    if headers and code in {200, 304}:
        said["headers"] = headers
    if answers:
        schema = answers[0] if len(answers) == 1 else {"anyOf": answers}
        said["content"] = {JSON: {"schema": schema} | ({"example": example} if example is not None else {})}
    return said


def with_tables(answer: Schema) -> Schema:
    """A good answer that may come as a table, too. A long one is sent as it is read, without a tag."""
    tables = {MEDIA_TYPES[form]: {"schema": _TEXT} for form in (Form.NDJSON, Form.CSV)}
    tag = {"ETag": {**_ETAG["ETag"], "required": False}}
    return {**answer, "headers": answer["headers"] | tag, "content": answer["content"] | tables}


def error(code: int, example: Any) -> Schema:  # noqa: ANN401 - JSON
    """An answer that is an error."""
    content = {"schema": {"$ref": "#/components/schemas/Error"}} | ({"example": example} if example else {})
    said: Schema = {"description": _SAYS[code], "content": {JSON: content}}
    return said | ({"headers": _OF_ERRORS[code]} if code in _OF_ERRORS else {})
