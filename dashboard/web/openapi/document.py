"""Generate the OpenAPI 3.1 document from the routes, the descriptions of their views, and the models.

Its examples are actual responses, stored in `api_examples.json`.
"""

import inspect
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Flask
from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema
from werkzeug.routing import Rule

from dashboard import __version__
from dashboard.web.errors import ErrorPage
from dashboard.web.http_cache import ENDPOINTS_WITHOUT_ETAG
from dashboard.web.negotiation import FORMAT_PARAMETER, JSON_ONLY_PARAMETER
from dashboard.web.openapi.components import (
    API_DESCRIPTION,
    ERROR_SCHEMA,
    SECURITY_SCHEMES,
    error_response_object,
    operation_parameters,
    request_body,
    success_response,
    with_table_formats,
)
from dashboard.web.openapi.operation import ApiOperation, operation_of
from dashboard.web.page_model import Page
from dashboard.web.query_params import JsonSchema
from dashboard.web.security import SAFE_METHODS

EXAMPLES_PATH = Path(__file__).with_name("api_examples.json")

_SCHEMA_REFERENCE = "#/components/schemas/{model}"
_ERROR_STATUSES = range(400, 600)


class UndocumentedRoute(LookupError):
    """A route under `/api` without a description. The message says what to add."""


class _UntitledJsonSchema(GenerateJsonSchema):
    """Generates schemas without redundant field titles."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ANN401 - pydantic's own kinds of schemas
        return False


@dataclass(frozen=True, slots=True)
class RoutedOperation:
    """An operation: a rule with one method, its view's docstring and description."""

    rule: Rule
    method: str
    doc: str
    said: ApiOperation

    @property
    def path(self) -> str:
        """Return the rule's path as OpenAPI writes it."""
        return path_template(self.rule)

    @property
    def tag(self) -> str:
        """Return the group to which it belongs: the first word of its path."""
        return self.path.split("/")[2].partition(".")[0].capitalize()

    @property
    def twin(self) -> bool:
        """Return whether it is a page's twin."""
        return str(self.rule.endpoint).startswith("web.api_")

    @property
    def dated(self) -> bool:
        """Return whether the response has data from Temporal."""
        return any(issubclass(answer, Page) for answer in self.said.answers)

    @property
    def statuses(self) -> list[int]:
        """Return every status that it can have, in order."""
        # No address may have a parameter with control characters.
        found = {self.said.status, 400, 401, 408, 413, 414, 422, 431, 503} | self.said.responses
        if self.said.tables:
            found |= {429}
        if self.twin:
            found |= {404} if self.rule.arguments else set()
        if self.method == "GET" and self.rule.endpoint not in ENDPOINTS_WITHOUT_ETAG:
            found |= {304}
        if self.method not in SAFE_METHODS:
            found |= {403}
        if self.said.takes and not self.said.forms:
            found |= {415}
        return sorted(found)


def openapi_document(app: Flask) -> JsonSchema:
    """Return the whole document. Raises UndocumentedRoute."""
    found, examples = list(routed_operations(app)), json.loads(EXAMPLES_PATH.read_text())
    paths: dict[str, JsonSchema] = {}
    for operation in sorted(found, key=lambda one: one.path):
        example = examples.get(f"{operation.method} {operation.path}", {})
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, example)
    codes = sorted({status for operation in found for status in operation.statuses} & set(_ERROR_STATUSES))
    return {
        "openapi": "3.1.0",
        "info": {"title": "Release dashboard", "version": __version__, "description": API_DESCRIPTION},
        "servers": [{"url": "/"}],
        "security": [{name: []} for name in SECURITY_SCHEMES],
        "tags": [{"name": tag} for tag in sorted({operation.tag for operation in found})],
        "paths": paths,
        "components": {
            "schemas": _schemas(operation.said for operation in found),
            "responses": {
                f"Error{code}": error_response_object(code, examples["errors"].get(str(code))) for code in codes
            },
            "securitySchemes": SECURITY_SCHEMES,
        },
    }


def routed_operations(app: Flask) -> Iterator[RoutedOperation]:
    """Yield every rule under `/api` with each of its methods. Raises UndocumentedRoute."""
    for rule in app.url_map.iter_rules():
        if not rule.rule.startswith("/api/"):
            continue
        view = app.view_functions[rule.endpoint]
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            said = operation_of(view)
            if said is None:
                raise UndocumentedRoute(
                    f"{method} {rule.rule}: {view.__module__}.{view.__name__} is not described. Add @described(...) "
                    "of `openapi.operation` to it, an address to scripts/api_examples.py, and run `make examples`."
                )
            yield RoutedOperation(rule, method, inspect.getdoc(view) or "", said)


def path_template(rule: Rule) -> str:
    """Return a rule's path as OpenAPI writes it."""
    return re.sub(r"<(?:[^<>:]*:)?([^<>]+)>", r"{\1}", rule.rule)


def _operation(operation: RoutedOperation, example: JsonSchema) -> JsonSchema:
    summary, _, more = operation.doc.partition("\n\n")
    said, forms = (
        operation.said,
        [FORMAT_PARAMETER if operation.said.tables else JSON_ONLY_PARAMETER] if operation.twin else [],
    )
    written: JsonSchema = {
        "operationId": operation.rule.endpoint.rpartition(".")[2].removeprefix("api_"),
        "summary": " ".join(summary.split()).removesuffix("."),
        "tags": [operation.tag],
        "parameters": operation_parameters(
            operation.rule, (*said.query, *forms), example.get("address", ""), tagged=304 in operation.statuses
        ),
        "responses": {str(code): _response(operation, code, example) for code in operation.statuses},
    }
    if more:
        written["description"] = more
    if said.takes:
        written["requestBody"] = request_body(_reference(said.takes), said, example.get("body"))
    if said.public:
        written["security"] = []
    return written


def _response(operation: RoutedOperation, code: int, example: JsonSchema) -> JsonSchema:
    if code in _ERROR_STATUSES:
        return {"$ref": f"#/components/responses/Error{code}"}
    answers = operation.said.answers if code == operation.said.status else ()
    tagged = 304 in operation.statuses
    written = success_response(
        code, list(map(_reference, answers)), example.get("answer"), dated=operation.dated, tagged=tagged
    )
    return with_table_formats(written) if answers and operation.said.tables else written


def _reference(model: type[object]) -> JsonSchema:
    return {"$ref": _SCHEMA_REFERENCE.format(model=model.__name__)}


def _schemas(said: Iterable[ApiOperation]) -> dict[str, JsonSchema]:
    """Return every model's schema, by its name."""
    wanted: set[tuple[type[BaseModel], JsonSchemaMode]] = {(ErrorPage, "serialization")}
    for operation in said:
        wanted |= {(answer, "serialization") for answer in operation.answers}
        wanted |= {(operation.takes, "validation")} if operation.takes else set()
    _, found = models_json_schema(list(wanted), ref_template=_SCHEMA_REFERENCE, schema_generator=_UntitledJsonSchema)
    schemas: dict[str, JsonSchema] = found["$defs"]
    return dict(sorted({**schemas, "Error": ERROR_SCHEMA}.items()))
