"""The API's reference: one OpenAPI 3.1 document, made of the routes, of what is said of their views, and of the models.

Its examples are answers as they came, kept in `api_examples.json`.
"""

import inspect
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from flask import Flask
from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema
from werkzeug.routing import Rule

from dashboard import __version__
from dashboard.web.errors import ErrorPage
from dashboard.web.openapi_parts import ABOUT, ERROR, SECURITY, body, error, good, parameters
from dashboard.web.operations import Operation, operation_of
from dashboard.web.parameters import Schema
from dashboard.web.security import SAFE_METHODS

EXAMPLES = Path(__file__).with_name("api_examples.json")
ERRORS = range(400, 600)

Models = Mapping[tuple[type[BaseModel], JsonSchemaMode], Schema]


class Undescribed(LookupError):
    """A route under `/api` of which nothing is said. Its message says what to add."""


class _Untitled(GenerateJsonSchema):
    """Schemas without a title for each field, which would say its name once more."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ANN401 - pydantic's own kinds of schemas
        return False


def document(app: Flask) -> Schema:
    """The whole document. Raises Undescribed."""
    said = list(operations(app))
    models, schemas = _schemas(operation for _, _, operation in said)
    examples = json.loads(EXAMPLES.read_text())
    paths: dict[str, Schema] = {}
    for rule, method, operation in said:
        example = examples.get(f"{method} {template(rule)}", {})
        view = app.view_functions[rule.endpoint]
        paths.setdefault(template(rule), {})[method.lower()] = _operation(
            rule, method, view, operation, models, example
        )
    codes = sorted({status for rule, method, operation in said for status in statuses(rule, method, operation)})
    responses = {f"Error{code}": error(code, examples["errors"].get(str(code))) for code in codes if code in ERRORS}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Release dashboard", "version": __version__, "description": ABOUT},
        "servers": [{"url": "/"}],
        "security": [{name: []} for name in SECURITY],
        "tags": [{"name": tag} for tag in sorted({_tag(rule) for rule, _, _ in said})],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": dict(sorted({**schemas, "Error": ERROR}.items())),
            "responses": responses,
            "securitySchemes": SECURITY,
        },
    }


def operations(app: Flask) -> Iterator[tuple[Rule, str, Operation]]:
    """Every rule under `/api` with each of its methods, and what is said of its view. Raises Undescribed."""
    for rule in app.url_map.iter_rules():
        if not rule.rule.startswith("/api/"):
            continue
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            view = app.view_functions[rule.endpoint]
            operation = operation_of(view)
            if operation is None:
                raise Undescribed(
                    f"{method} {rule.rule}: nothing is said of {view.__module__}.{view.__name__}. Add @described(...) "
                    "of dashboard.web.operations to it, an address to tests/api_examples.py, and run `make examples`."
                )
            yield rule, method, operation


def template(rule: Rule) -> str:
    """A rule's path as OpenAPI writes it."""
    return re.sub(r"<(?:[^<>:]*:)?([^<>]+)>", r"{\1}", rule.rule)


def statuses(rule: Rule, method: str, operation: Operation) -> set[int]:
    """Every status that an operation can have."""
    found = {operation.status, 401, 503} | operation.may
    if is_twin(rule):
        found |= {304}
        found |= {404} if rule.arguments else set()
    if operation.query or rule.arguments & {"release_id", "entity_id"}:
        found |= {422}
    if method not in SAFE_METHODS:
        found |= {403}
    if operation.takes:
        found |= {400, 413, 415, 422}
    return found


def is_twin(rule: Rule) -> bool:
    """Whether a rule is that of a page's twin."""
    return rule.endpoint.rpartition(".")[2].startswith("api_")


def _operation(
    rule: Rule, method: str, view: Callable[..., Any], operation: Operation, models: Models, example: Schema
) -> Schema:
    title, _, more = inspect.getdoc(view).partition("\n\n") if view.__doc__ else ("", "", "")
    said: Schema = {
        "operationId": rule.endpoint.rpartition(".")[2].removeprefix("api_"),
        "summary": " ".join(title.split()).removesuffix("."),
        "tags": [_tag(rule)],
    }
    if more:
        said["description"] = more
    codes = sorted(statuses(rule, method, operation))
    said["parameters"] = parameters(rule, operation, example.get("address", ""), tagged=304 in codes)
    if operation.takes:
        said["requestBody"] = body(models[operation.takes, "validation"], operation, example.get("body"))
    answers = [models[answer, "serialization"] for answer in operation.answers]
    said["responses"] = {
        str(code): (
            {"$ref": f"#/components/responses/Error{code}"}
            if code in ERRORS
            else good(
                code,
                answers if code == operation.status else [],
                example.get("answer"),
                twin=is_twin(rule),
                tagged=304 in codes,
            )
        )
        for code in codes
    }
    if operation.public:
        said["security"] = []
    return said


def _tag(rule: Rule) -> str:
    return rule.rule.split("/")[2].partition(".")[0].capitalize()


def _schemas(said: Iterable[Operation]) -> tuple[Models, dict[str, Schema]]:
    """The reference to each model's schema, and the schemas by name."""
    wanted: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {(ErrorPage, "serialization"): None}
    for operation in said:
        wanted |= {(answer, "serialization"): None for answer in operation.answers}
        wanted |= {(operation.takes, "validation"): None} if operation.takes else {}
    models, found = models_json_schema(
        list(wanted), ref_template="#/components/schemas/{model}", schema_generator=_Untitled
    )
    return models, found["$defs"]
