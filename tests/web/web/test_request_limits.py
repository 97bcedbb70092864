"""What no request may be, whoever sends it: too large, for another host, or with control characters."""

import io
from itertools import product
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from pydantic import SecretStr
from structlog.testing import capture_logs

from dashboard.app import create_app
from dashboard.auth.accounts import Accounts
from dashboard.database.models import User
from dashboard.settings.model import Settings
from dashboard.web.request_limits import MAX_BODY_BYTES

TOO_LARGE = b"x" * (MAX_BODY_BYTES + 1)


class Endless(io.RawIOBase):
    """A body of which nobody has said where it ends."""

    def __init__(self) -> None:
        self.taken = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self.taken += len(buffer)
        buffer[:] = b"x" * len(buffer)
        return len(buffer)


def error(answer: Any) -> dict[str, Any]:
    return answer.get_json()["error"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/auth/login"),
        ("POST", "/api/views"),
        ("PUT", "/api/settings"),
        # These look into no body.
        ("PUT", "/api/stars/release:x"),
        ("DELETE", "/api/stars/release:x"),
        ("GET", "/api/settings"),
        ("POST", "/api/nowhere"),
    ],
)
def test_a_body_over_64_kb_is_413_wherever_it_is_sent(logged_in: FlaskClient, method: str, path: str):
    for content_type in ("application/json", "application/x-www-form-urlencoded", "text/plain"):
        answer = logged_in.open(path, method=method, data=TOO_LARGE, content_type=content_type)
        assert answer.status_code == 413
        assert (error(answer)["code"], error(answer)["message"]) == (
            "too_large",
            "A request body is limited to 64 KB and 1,000 fields.",
        )
    stars = logged_in.get("/api/settings").get_json()["stars"]
    assert stars == []


def test_a_page_says_so_too(client: FlaskClient):
    answer = client.post("/login", data=TOO_LARGE, content_type="application/x-www-form-urlencoded")
    assert (answer.status_code, answer.mimetype) == (413, "text/html")
    assert "A request body is limited to 64 KB and 1,000 fields." in answer.text
    assert "object-src 'none'" in answer.headers["Content-Security-Policy"]


def test_a_body_of_64_kb_is_taken(client: FlaskClient):
    answer = client.post("/api/auth/login", data=TOO_LARGE[1:], content_type="text/plain")
    assert answer.status_code == 422


def unended(body: io.RawIOBase | io.BytesIO) -> dict[str, Any]:
    """A body in chunks, as a server hands it on."""
    given = io.BufferedReader(body) if isinstance(body, io.RawIOBase) else body
    form = {"CONTENT_TYPE": "application/x-www-form-urlencoded", "HTTP_TRANSFER_ENCODING": "chunked"}
    return {"wsgi.input_terminated": True, "wsgi.input": given, **form}


@pytest.mark.parametrize("path", ["/api/auth/login", "/logout", "/login"])
def test_a_body_without_a_length_is_read_no_further_than_that(client: FlaskClient, path: str):
    body = Endless()
    assert client.post(path, environ_overrides=unended(body)).status_code == 413
    assert body.taken < 2 * MAX_BODY_BYTES


def test_a_body_without_a_length_is_taken_whole_or_not_at_all(client: FlaskClient, user: User):
    body = b"username=rita@example.com&password=correct+horse+battery&more="
    fits = body + b"x" * (MAX_BODY_BYTES - len(body))
    assert client.post("/api/auth/login", environ_overrides=unended(io.BytesIO(body))).status_code == 200
    assert client.post("/api/auth/login", environ_overrides=unended(io.BytesIO(fits))).status_code == 200
    assert client.post("/api/auth/login", environ_overrides=unended(io.BytesIO(fits + b"x"))).status_code == 413


@pytest.fixture
def named(settings: Settings, accounts: Accounts) -> FlaskClient:
    """A dashboard that is asked for by two names."""
    hosts = ("dash.example.com", ".example.net", "[::1]")
    return create_app(settings.model_copy(update={"trusted_hosts": hosts}), accounts=accounts).test_client()


def test_a_host_of_the_settings_is_answered(named: FlaskClient):
    for host in ("dash.example.com", "DASH.example.com:8443", "example.net", "a.b.example.net", "[::1]:8000", "[::1]"):
        assert named.get("/login", headers={"Host": host}).status_code == 200, host
        assert named.get("/api/settings", headers={"Host": host}).status_code == 401, host


def test_another_host_is_refused_before_anything_else(named: FlaskClient, user: User):
    for host in (
        *("localhost", "example.com", "127.0.0.1", "", "x y", "badexample.net", "evil-dash.example.com"),
        *("dash.example.com.", "dash.example.com.evil.org", "dash.example.com@evil.org", "dash.example.com:x"),
    ):
        for path in ("/login", "/", "/releases", "/static/css/dashboard.css", "/nowhere"):
            answer = named.get(path, headers={"Host": host})
            assert (answer.status_code, answer.location) == (400, None), host
            assert "TRUSTED_HOSTS" in answer.text
        answer = named.post("/api/auth/login", data={"username": user.email}, headers={"Host": host})
        assert (answer.status_code, error(answer)["code"]) == (400, "unknown_host"), host


def test_whether_it_lives_is_asked_by_any_name(named: FlaskClient):
    assert named.get("/health", headers={"Host": "10.0.0.7:8000"}).status_code == 200
    assert named.get("/ready", headers={"Host": "10.0.0.7:8000"}).status_code == 200


def test_behind_a_proxy_the_name_is_the_one_that_it_tells(settings: Settings, accounts: Accounts):
    given = {"trusted_hosts": ("dash.example.com",), "trusted_proxies": 1, "trust_forwarded_host": True}
    client = create_app(settings.model_copy(update=given), accounts=accounts).test_client()
    assert client.get("/login", headers={"X-Forwarded-Host": "dash.example.com"}).status_code == 200
    forwarded = {"Host": "dash.example.com", "X-Forwarded-Host": "evil.org"}
    assert client.get("/login", headers=forwarded).status_code == 400


@pytest.mark.parametrize("proxies", [0, 1, 2])
def test_the_name_that_a_proxy_tells_takes_a_setting_of_its_own(settings: Settings, accounts: Accounts, proxies: int):
    client = create_app(settings.model_copy(update={"trusted_proxies": proxies}), accounts=accounts).test_client()
    forwarded = {"Host": "dash.example.com", "X-Forwarded-Host": "evil.org, evil.org", "X-Forwarded-Port": "1"}
    same = {**forwarded, "Origin": "http://dash.example.com"}

    assert client.post("/logout", headers=same).status_code == 303
    assert client.post("/logout", headers={**forwarded, "Origin": "http://evil.org"}).status_code == 403


def test_without_the_setting_any_host_will_do(client: FlaskClient):
    assert client.get("/login", headers={"Host": "whatever.example.org"}).status_code == 200


def test_the_setting_takes_names(tmp_path, accounts: Accounts):
    settings = Settings(data_dir=tmp_path, secret_key=SecretStr("k" * 32), trusted_hosts="A.example.com, .b.example")
    assert settings.trusted_hosts == ("a.example.com", ".b.example")


@pytest.mark.parametrize("header", ["HTTP_USER_AGENT", "HTTP_HX_CURRENT_URL", "HTTP_ACCEPT", "HTTP_X_ANY"])
def test_a_header_with_control_characters_is_refused(client: FlaskClient, logged_in: FlaskClient, header: str):
    for browser, character in product((client, logged_in), "\0\x01\x08\x0b\x1b\x1f\x7f"):
        answer = browser.get("/api/settings", environ_overrides={header: f"a{character}b"})
        assert (answer.status_code, error(answer)["code"]) == (400, "malformed_header")
        assert "Remove them." in error(answer)["message"]
        assert character not in answer.text


def test_a_header_may_have_tabs_and_letters_of_any_language(logged_in: FlaskClient):
    for value in ("a\tb", "größe".encode().decode("latin1"), "日本".encode().decode("latin1")):
        assert logged_in.get("/api/settings", environ_overrides={"HTTP_USER_AGENT": value}).status_code == 200


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/releases", "q"),
        ("/problems", "q"),
        ("/find", "q"),
        ("/releases/release:x/hierarchy", "q"),
        ("/releases/release:x", "open"),
        ("/releases", "whatever"),
    ],
)
def test_what_is_looked_for_has_no_control_characters(logged_in: FlaskClient, path: str, name: str):
    for character in ("%00", "%01", "%0A", "%0d", "%1b", "%7f", "%C2%85"):
        answer = logged_in.get(f"/api{path}?{name}=a{character}b")
        assert answer.status_code == 422, character
        (field,) = error(answer)["fields"]
        assert (field["field"], field["message"]) == (name, "must not contain control characters")
        assert logged_in.get(f"{path}?{name}=a{character}b").status_code == 422, character


@pytest.mark.parametrize(
    ("method", "path", "field"),
    [
        ("GET", "/api/releases/release:a/entities/app:a{}b", "entity_id"),
        ("DELETE", "/api/views/a{}b", "view_id"),
        ("POST", "/views/a{}b", "view_id"),
        ("POST", "/screens/a{}b/revoke", "link_id"),
    ],
)
def test_no_id_but_a_workflows_has_control_characters(logged_in: FlaskClient, method: str, path: str, field: str):
    for character in ("%00", "%0A", "%1b", "%7f"):
        answer = logged_in.open(path.format(character), method=method)
        if character == "%0A" and "{}b" in path and answer.status_code == 404:
            # No address has a line's end in an id.
            continue
        assert answer.status_code == 422, character
        if path.startswith("/api"):
            assert (error(answer)["code"], error(answer)["fields"][0]["field"]) == ("malformed_id", field)
        assert "\0" not in answer.text


@pytest.mark.parametrize("character", ["%00", "%0A", "%1b", "%7f"])
def test_a_workflow_id_may_have_any_characters(logged_in: FlaskClient, character: str):
    for path in (
        f"/api/releases/a{character}b",
        f"/api/compare?left=a{character}b&right=c",
        f"/api/entities/a{character}b",
    ):
        answer = logged_in.get(path)
        assert (answer.status_code, error(answer)["code"]) == (503, "temporal_unavailable"), path
    assert logged_in.put(f"/api/stars/a{character}b").status_code == (422 if character == "%00" else 204)


@pytest.mark.parametrize("path", ["/api/releases/", "/api/entities/", "/api/stars/"])
def test_what_is_not_utf8_is_not_taken_for_another_id(logged_in: FlaskClient, path: str):
    method = "PUT" if "stars" in path else "GET"
    answer = logged_in.open(path, method=method, environ_overrides={"PATH_INFO": f"{path}a\xff"})
    assert (answer.status_code, error(answer)["code"]) == (422, "malformed_id")


def test_a_link_of_a_wall_screen_with_control_characters_opens_nothing(client: FlaskClient):
    assert client.get("/kiosk/open/a%00b").status_code == 422
    assert client.get("/kiosk/open/a%0ab").status_code in {401, 404, 422}


def test_an_id_of_the_wrong_form_is_named_with_its_field(logged_in: FlaskClient):
    for address, field in (
        (f"/api/releases/{'x' * 1001}", "release_id"),
        ("/api/releases/release:a/entities/odd", "entity_id"),
        (f"/api/compare?left={'x' * 1001}", "left"),
        (f"/api/find?in={'x' * 1001}", "in"),
        ("/api/releases/release:a?selected=odd", "selected"),
    ):
        answer = logged_in.get(address)
        assert (answer.status_code, error(answer)["code"]) == (422, "malformed_id")
        assert [each["field"] for each in error(answer)["fields"]] == [field]
        assert error(answer)["fields"][0]["message"]


def test_where_a_login_leads_is_not_refused_but_leads_to_the_start(client: FlaskClient):
    answer = client.get("/login?next=/%0A/example.org")
    assert answer.status_code == 200
    assert 'name="next" value="/"' in answer.text


def test_the_app_reads_no_more_than_is_allowed(app: Flask):
    assert app.config["MAX_CONTENT_LENGTH"] == MAX_BODY_BYTES == 65_536


@pytest.mark.parametrize("host", ["a..b", "x" * 64, ".", "x" * 64 + ":80"])
def test_what_can_be_no_host_is_refused_in_words(client: FlaskClient, host: str):
    with capture_logs() as logs:
        pages = [client.get(path, headers={"Host": host}) for path in ("/login", "/releases", "/nowhere", "/health")]
        api = client.get("/api/releases", headers={"Host": host})

    assert {(page.status_code, page.mimetype) for page in pages} == {(400, "text/plain")}
    assert (api.status_code, error(api)["code"]) == (400, "unknown_host")
    assert logs == []
