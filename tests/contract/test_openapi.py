"""The API's reference: it is complete, valid, true of the parsers, and its examples are answers as they come."""

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from flask import Flask, request
from flask.testing import FlaskClient
from openapi_spec_validator import OpenAPIV31SpecValidator

from dashboard.domain.filters import MalformedFilter, ReleaseFilter
from dashboard.web.openapi.document import EXAMPLES_PATH, UndocumentedRoute, openapi_document, path_template
from tests.support.api_document import ERROR, check, reference
from tests.support.harness import dashboard_for, logged_in, shut

Operation = dict[str, Any]
# Those that take two at the same moment, or more than a client of the app itself can send.
WITHOUT_EXAMPLE = {f"Error{status}" for status in (408, 409, 414, 429, 431)}
FOR_ADMINS = {"GET /api/audit", "GET /api/users", "GET /api/users/{user_id}"}
WAYS_IN = {"POST /api/auth/login", "POST /api/auth/refresh"}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """A dashboard whose Temporal never answers."""
    app = dashboard_for("127.0.0.1:1", tmp_path_factory.mktemp("openapi"), "WorkflowType = 'x'", timeout=0.2)
    yield app
    shut(app)


@pytest.fixture(scope="module")
def browser(app: Flask) -> FlaskClient:
    return logged_in(app)


def operations() -> dict[str, Operation]:
    """All of them by method and path."""
    paths = reference().document["paths"]
    return {f"{method.upper()} {path}": said for path, methods in paths.items() for method, said in methods.items()}


def examples() -> dict[str, Any]:
    return json.loads(EXAMPLES_PATH.read_text())


def test_it_has_every_route_of_the_api_and_no_other(app: Flask):
    routes = {
        f"{method} {path_template(rule)}"
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api")
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    assert set(operations()) == routes
    assert len(routes) > 20


def test_a_route_of_which_nothing_is_said_is_told_what_it_takes(tmp_path: Path):
    app = dashboard_for("127.0.0.1:1", tmp_path, "WorkflowType = 'x'")
    app.add_url_rule("/api/new", "new", lambda: "")
    with pytest.raises(UndocumentedRoute, match=r"GET /api/new: .* is not described. Add @described.*make examples"):
        openapi_document(app)
    shut(app)


def test_it_is_valid():
    assert list(OpenAPIV31SpecValidator(reference().document).iter_errors()) == []


@pytest.mark.parametrize("name", sorted(operations()))
def test_an_operation_says_all_that_a_caller_has_to_know(name: str):
    said = operations()[name]
    assert 5 < len(said["summary"]) <= 120, said["summary"]
    assert said["operationId"]
    assert {parameter["name"] for parameter in said["parameters"] if parameter["in"] == "path"} == {
        part[1:-1] for part in name.split("/") if part.startswith("{")
    }
    for parameter in said["parameters"]:
        assert parameter["description"].endswith("."), parameter
        assert parameter["schema"].keys() - {"type"} or parameter["in"] == "header", f"no bounds: {parameter}"
    codes = set(said["responses"])
    assert {"400", "401", "413", "422", "503"} <= codes
    assert codes & {"200", "201", "204"}, "one good answer at least"
    method = name.partition(" ")[0]
    assert ("403" in codes) == (method not in {"GET"} or name in FOR_ADMINS)
    assert ("415" in codes) == (set(said.get("requestBody", {}).get("content", ())) == {"application/json"})
    assert ("security" in said) == (name in WAYS_IN), "only who logs in need not be signed in"


def test_each_operation_has_a_name_of_its_own():
    names = [said["operationId"] for said in operations().values()]
    assert len(names) == len(set(names))


def test_whoever_asks_is_known_by_a_token_or_a_session():
    assert reference().document["security"] == [{"bearer": []}, {"session": []}]
    assert set(reference().document["components"]["securitySchemes"]) == {"bearer", "session"}


def test_every_operation_and_every_error_has_an_example_that_came_so():
    kept = examples()
    assert set(kept) - {"errors"} == set(operations()), "run `make examples`"
    for name, said in operations().items():
        bodies = [answer["content"]["application/json"] for answer in said["responses"].values() if "content" in answer]
        assert all("example" in body for body in bodies), name
        assert all("example" in body for body in said.get("requestBody", {}).get("content", {}).values()), name
        required = [parameter for parameter in said["parameters"] if parameter.get("required")]
        assert all("example" in parameter for parameter in required), name
    for code, answer in reference().document["components"]["responses"].items():
        assert "example" in answer["content"]["application/json"] or code in WITHOUT_EXAMPLE, code


@pytest.mark.parametrize("name", sorted(operations()))
def test_an_example_conforms_to_its_schema(name: str):
    example, (method, _, path) = examples()[name], name.partition(" ")
    good = next(status for status in operations()[name]["responses"] if status.startswith("2"))
    body = json.dumps(example["answer"]).encode() if "answer" in example else b""
    headers = {"ETag": "", "As-Of": "", "Content-Type": "application/json"}
    check(method, example["address"].partition("?")[0], int(good), headers, body)
    if "body" in example:
        schema = f"#/paths/{path.replace('/', '~1').replace('{', '%7B').replace('}', '%7D')}/{method.lower()}"
        schema += "/requestBody/content/application~1json/schema"
        assert reference().flaws(schema, example["body"]) == []


def test_examples_of_errors_have_the_form_of_errors():
    for answer in examples()["errors"].values():
        assert reference().flaws(ERROR, answer) == []


def numbers() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every parameter that is a number: an address, its name and its schema."""
    for name, said in operations().items():
        if name.endswith("/wait") or name in FOR_ADMINS:
            # Waits last while Temporal is away: tests/integration/test_long_poll.py has their bounds. What admins see
            # takes no Temporal: tests/web/audit/test_audit_log.py and tests/web/users/test_users_api.py have it.
            continue
        address = examples().get(name, {}).get("address", "").partition("?")[0]
        for parameter in said["parameters"]:
            if parameter["schema"].get("type") == "integer":
                yield address, parameter["name"], parameter["schema"]


@pytest.mark.parametrize(("address", "name", "schema"), list(numbers()))
def test_the_bounds_are_those_of_the_parser(browser: FlaskClient, address: str, name: str, schema: dict[str, Any]):
    for bound, beyond in (("minimum", -1), ("maximum", 1)):
        # As far as the list goes, where the last page is asked for by its number.
        size = "&page_size=1" if address == "/api/releases" and name == "page" else ""
        assert browser.get(f"{address}?{name}={schema[bound]}{size}").status_code == 503, "it came as far as Temporal"
        refused = browser.get(f"{address}?{name}={schema[bound] + beyond}{size}")
        assert refused.status_code == 422
        assert [each["field"] for each in refused.get_json()["error"]["fields"]] == [name]


def test_the_days_that_the_reference_takes_are_those_of_the_filter():
    takes = next(said for said in operations()["GET /api/releases"]["parameters"] if said["name"] == "since")["schema"]
    validator = jsonschema_rs.Draft202012Validator(takes)
    for number in range(date(1968, 1, 1).toordinal(), date(2201, 1, 1).toordinal()):
        day = date.fromordinal(number).isoformat()
        assert validator.is_valid(day) == ("1970" <= day[:4] < "2200"), day
    for text in ("2025-02-29", "2100-02-29", "2025-04-31", "2025-00-01", "2025-1-1", "yesterday", "2025-01-01T24:00"):
        assert not validator.is_valid(text), text
        with pytest.raises(MalformedFilter):
            ReleaseFilter.parse("", (), text, "")
    for text in ("", "1970-01-01", "2199-12-31", "2024-02-29T23:59:59.123Z", "2024-02-29T09:30+02:00", "90m", "2w"):
        assert validator.is_valid(text), text
        ReleaseFilter.parse("", (), text, "")


def test_an_answer_that_is_not_as_it_says_is_found():
    broken = {"error": {"code": "x", "message": "y"}}
    assert reference().flaws(ERROR, broken) == ["['error']: \"request_id\" is a required property"]
    with pytest.raises(AssertionError, match=r"says nothing of that status"):
        check("GET", "/api/auth/me", 418, {}, b"")
    with pytest.raises(AssertionError, match=r"is not as the API's reference says"):
        check("GET", "/api/auth/me", 401, {"Content-Type": "application/json"}, json.dumps(broken).encode())
    with pytest.raises(AssertionError, match=r"says nothing of text/html"):
        check("GET", "/api/auth/me", 200, {"Content-Type": "text/html", "ETag": "x"}, b"")


def test_a_parameter_that_nobody_is_told_of_is_found(tmp_path: Path):
    app = dashboard_for("127.0.0.1:1", tmp_path, "WorkflowType = 'x'")
    app.before_request(lambda: request.args.get("secret"))
    browser = logged_in(app)
    with pytest.raises(AssertionError, match=r"reads \{'secret'\}: name them"):
        browser.get("/api/openapi.json")
    shut(app)


def test_it_is_served_like_other_answers_to_who_is_logged_in(app: Flask, browser: FlaskClient):
    answer = browser.get("/api/openapi.json")
    assert answer.get_json() == reference().document
    assert answer.headers["Cache-Control"] == "private, no-cache"
    again = browser.get("/api/openapi.json", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    for path, status in (("/api/openapi.json", 401), ("/docs", 302), ("/redoc", 302)):
        assert app.test_client().get(path).status_code == status
