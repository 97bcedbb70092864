"""One form for every error: which status, which code, what it says, and what a program has to know besides."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from structlog.testing import capture_logs
from werkzeug.test import TestResponse

from dashboard.settings.model import Settings
from dashboard.web.services import services
from tests.contract.test_answers import conforms

Ask = Callable[[FlaskClient], TestResponse]

REFUSED: dict[str, tuple[Ask, int, str]] = {
    "json that cannot be read": (
        lambda b: b.post("/api/auth/login", data="{", content_type="application/json"),
        400,
        "bad_request",
    ),
    "a header with control characters": (
        lambda b: b.get("/api/settings", environ_overrides={"HTTP_X_A": "\0"}),
        400,
        "malformed_header",
    ),
    "a token that is none": (
        lambda b: b.get("/api/settings", headers={"Authorization": "Bearer x"}),
        401,
        "invalid_token",
    ),
    "a wrong password": (
        lambda b: b.post("/api/auth/login", data={"username": "x@example.com", "password": "x"}),
        401,
        "wrong_credentials",
    ),
    "another site": (lambda b: b.put("/api/settings", headers={"Sec-Fetch-Site": "cross-site"}), 403, "cross_site"),
    "an address that leads nowhere": (lambda b: b.get("/api/nowhere"), 404, "not_found"),
    "a view that is not theirs": (lambda b: b.delete("/api/views/x"), 404, "view_not_found"),
    "another method": (lambda b: b.patch("/api/settings"), 405, "method_not_allowed"),
    "a name that is taken": (
        lambda b: [b.post("/api/views", json={"name": "a", "query": "phase=failed"}) for _ in "ab"][1],
        409,
        "conflict",
    ),
    "a large body": (lambda b: b.post("/api/views", data=b"x" * 70_000), 413, "too_large"),
    "no json": (lambda b: b.post("/api/views", data="x"), 415, "unsupported_media_type"),
    "an id of the wrong form": (lambda b: b.get(f"/api/releases/{'x' * 1001}"), 422, "malformed_id"),
    "a parameter of the wrong form": (lambda b: b.get("/api/releases?page=x"), 422, "invalid_parameter"),
    "fields of the wrong form": (
        lambda b: b.put("/api/settings", json={"hours": "x", "more": 1}),
        422,
        "invalid_field",
    ),
    "no Temporal": (lambda b: b.get("/api/releases"), 503, "temporal_unavailable"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_every_refusal_has_the_same_form(logged_in: FlaskClient, name: str):
    ask, status, code = REFUSED[name]
    answer = ask(logged_in)
    assert (answer.status_code, answer.mimetype) == (status, "application/json"), answer.text
    conforms(answer.get_json(), "Error")
    said = answer.get_json()["error"]
    assert (said["code"], said["request_id"]) == (code, answer.headers["X-Request-ID"])
    assert ("WWW-Authenticate" in answer.headers) is (status == 401)
    assert ("Retry-After" in answer.headers) is (status in {429, 503})
    assert ("Allow" in answer.headers) is (status == 405)
    assert bool(said.get("fields")) is (status in {409, 422})
    assert answer.headers["Cache-Control"] == "no-store"


def test_each_field_that_is_wrong_is_named_with_why(logged_in: FlaskClient):
    answer = logged_in.put("/api/settings", json={"hours": "x", "more": 1})
    fields = {field["field"]: field["message"] for field in answer.get_json()["error"]["fields"]}
    assert set(fields) == {"hours", "more"}
    assert all(fields.values())


def test_a_mistake_of_ours_has_the_form_too_and_tells_nothing_of_itself(app: Flask, logged_in: FlaskClient):
    app.testing = False
    app.view_functions["kept_api.settings"] = lambda: 1 / 0
    with capture_logs() as logs:
        answer = logged_in.get("/api/settings")
    assert answer.status_code == 500
    conforms(answer.get_json(), "Error")
    assert "division" not in answer.text
    (entry,) = [entry for entry in logs if entry["event"] == "request_failed"]
    assert entry["request_id"] == answer.get_json()["error"]["request_id"]


@pytest.mark.parametrize("accept", ["text/html", "text/csv", "application/x-ndjson", "image/png", None])
def test_the_form_does_not_depend_on_what_is_accepted(logged_in: FlaskClient, accept: str | None):
    headers = {"Accept": accept} if accept else {}
    for address in ("/api/releases/odd", "/api/nowhere", "/api/releases?format=csv&page=1"):
        answer = logged_in.get(address, headers=headers)
        conforms(answer.get_json(), "Error")


def test_accounts_that_cannot_be_read_are_503_with_a_time_to_come_again(
    logged_in: FlaskClient, settings: Settings, app: Flask
):
    services(app).accounts.close()
    database = settings.data_dir / "accounts.db"
    database.write_bytes(b"no database" * 100)
    for suffix in ("-wal", "-shm"):
        database.with_name(database.name + suffix).unlink(missing_ok=True)
    answer = logged_in.get("/api/settings")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    error: dict[str, Any] = answer.get_json()
    conforms(error, "Error")
    assert error["error"]["code"] == "accounts_unavailable"
