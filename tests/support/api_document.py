"""Holds every answer of the API, wherever the suite asks for one, to what the API's reference says of it."""

import json
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jsonschema_rs
from flask import Flask, Request
from flask.testing import FlaskClient
from pydantic import SecretStr
from werkzeug.datastructures import ImmutableMultiDict
from werkzeug.exceptions import HTTPException
from werkzeug.test import TestResponse

from dashboard.app import create_app
from dashboard.settings.model import Settings
from dashboard.web.address import declared_parameters
from dashboard.web.openapi.document import openapi_document, path_template
from dashboard.web.services import services
from tests.support.prepared_databases import make_ready

ERROR = "#/components/schemas/Error"
JSON = "application/json"

_noted = threading.local()
_making = threading.Lock()


class Reference:
    """The document of a dashboard, and where in it an answer is described."""

    def __init__(self, app: Flask) -> None:
        self.document = openapi_document(app)
        self._routes = app.url_map.bind("dashboard")
        self._validators: dict[str, jsonschema_rs.Draft202012Validator] = {}

    def place(self, method: str, path: str) -> tuple[str, str] | None:
        """The keys of a request's operation among `paths`; None where there is no such route."""
        try:
            rule, _ = self._routes.match(path, method, return_rule=True)
        except HTTPException:
            return None
        return path_template(rule), method.lower()

    def flaws(self, pointer: str, value: Any) -> list[str]:
        """What is wrong with a value by the schema at this pointer into the document."""
        if pointer not in self._validators:
            schema = {**self.document, "$ref": pointer}
            self._validators[pointer] = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
        found = self._validators[pointer].iter_errors(value)
        return [f"{list(error.instance_path)}: {error.message[:200]}" for error in found]


def reference() -> Reference:
    """The reference of the dashboard as it is built here: made once, though many may ask at the same moment."""
    with _making:
        return _reference()


@cache
def _reference() -> Reference:
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder), secret_key=SecretStr("k" * 32))
        make_ready(settings)
        app = create_app(settings)
        try:
            return Reference(app)
        finally:
            services(app).accounts.close()


def check(method: str, path: str, status: int, headers: Mapping[str, str], body: bytes) -> None:
    """Fail where an answer is not as the reference says. What has no route is answered in the form of all errors."""
    if not path.startswith("/api/") or method in {"HEAD", "OPTIONS"}:
        return
    asked = f"{method} {path}, answered with {status}"
    place = reference().place(method, path)
    # A mistake of ours is in no reference. Where a test has not asked for it, it is raised in the test itself.
    if place is None or status == 500:
        if status >= 400:
            _check_json(asked, ERROR, body)
        return
    responses = reference().document["paths"][place[0]][place[1]]["responses"]
    assert str(status) in responses, (
        f"{asked}: the API's reference says nothing of that status (@api_operation(responses=...))"
    )
    said, pointer = _resolved(responses[str(status)], place, status)
    required = [name for name, header in said.get("headers", {}).items() if header.get("required")]
    assert [name for name in required if name not in headers] == [], asked
    if "content" not in said:
        # Who is sent elsewhere is told so in words, too.
        assert body == b"" or status == 302, f"{asked}: it has a body, of which the API's reference says nothing"
        return
    media = headers["Content-Type"].partition(";")[0]
    assert media in said["content"], f"{asked}: the API's reference says nothing of {media}"
    if media == JSON:
        _check_json(asked, pointer, body)


def _resolved(said: dict[str, Any], place: tuple[str, str], status: int) -> tuple[dict[str, Any], str]:
    """An answer as it is described, and the pointer to its schema."""
    if "$ref" in said:
        return reference().document["components"]["responses"][said["$ref"].rpartition("/")[2]], ERROR
    path, method = place
    escaped = quote(path.replace("~", "~0").replace("/", "~1"))
    return said, f"#/paths/{escaped}/{method}/responses/{status}/content/application~1json/schema"


def _check_json(asked: str, pointer: str, body: bytes) -> None:
    flaws = reference().flaws(pointer, json.loads(body))
    assert flaws == [], f"{asked} is not as the API's reference says: {flaws[:5]}"


class NotedParameters(ImmutableMultiDict[str, Any]):
    """The parameters of a request; it is noted for which of them somebody asks."""

    def __getitem__(self, name: str) -> Any:
        _note(name)
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        _note(str(name))
        return super().__contains__(name)

    def getlist(self, name: str, *args: Any, **options: Any) -> list[Any]:
        _note(name)
        return super().getlist(name, *args, **options)


def _note(name: str) -> None:
    if hasattr(_noted, "names"):
        _noted.names.add(name)


class CheckedClient(FlaskClient):
    """A browser whose every answer from the API is checked; no view must have read what it does not declare."""

    def open(self, *args: Any, **options: Any) -> TestResponse:
        _noted.names = set()
        response = super().open(*args, **options)
        method, path = response.request.method, response.request.path
        if response.headers.get("Content-Encoding") is None:
            check(method, path, response.status_code, response.headers, response.data)
        if method == "GET":
            _check_read(self.application, path, _noted.names)
        return response


def _check_read(app: Flask, path: str, names: set[str]) -> None:
    with suppress(HTTPException), app.app_context():
        endpoint, _ = app.url_map.bind("dashboard").match(path)
        told = {parameter.name for parameter in declared_parameters(endpoint)}
        assert names <= told, f"GET {path} reads {names - told}: name them in @described(query=...)"


def check_all_clients() -> None:
    """Let every client of every app in this process be one that checks."""
    Flask.test_client_class = CheckedClient
    Request.parameter_storage_class = NotedParameters
