"""Other sites: what they cannot make a browser do, what the settings let them read, and the headers on every answer."""

from itertools import product

import pytest
from flask import Flask
from flask.testing import FlaskClient

from dashboard.app import create_app
from dashboard.auth.accounts import Accounts
from dashboard.database.models import User
from dashboard.settings.model import Settings
from dashboard.web.services import services

PASSWORD = "correct horse battery"
CI = "https://ci.example.com"

FROM_ELSEWHERE = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": ""},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
    {"Origin": "https://example.org"},
    {"Origin": "http://localhost:8001"},
    {"Origin": "http://localhost.example.org"},
    {"Origin": "http://localhost@example.org"},
    {"Origin": "null"},
    {"Origin": ""},
]
FROM_HERE = [
    {},
    {"Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "none"},
    {"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"},
    {"Origin": "http://localhost"},
    {"Origin": "http://localhost:80"},
    # The proxy ends TLS and does not say so.
    {"Origin": "https://localhost"},
    {"Origin": "HTTP://LOCALHOST"},
]


@pytest.fixture
def shared(settings: Settings, accounts: Accounts, user: User) -> FlaskClient:
    """The dashboard of a company whose CI pages read its API."""
    return create_app(settings.model_copy(update={"api_cors_origins": (CI,)}), accounts=accounts).test_client()


@pytest.fixture
def open_to_all(settings: Settings, accounts: Accounts) -> FlaskClient:
    return create_app(settings.model_copy(update={"api_cors_origins": ("*",)}), accounts=accounts).test_client()


@pytest.mark.parametrize("path", ["/login", "/logout", "/api/auth/login", "/releases", "/nowhere"])
def test_another_site_cannot_send_anything(client: FlaskClient, logged_in: FlaskClient, user: User, path: str):
    data = {"username": user.email, "password": PASSWORD}
    for headers in FROM_ELSEWHERE:
        for browser in (client, logged_in):
            answer = browser.post(path, data=data, headers=headers)
            assert answer.status_code == 403, headers
            assert "Set-Cookie" not in answer.headers, headers
        assert logged_in.get("/api/auth/me").status_code == 200, headers


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_no_unsafe_method_is_let_through(logged_in: FlaskClient, method: str):
    assert logged_in.open("/releases", method=method, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403


def test_a_token_does_not_excuse_another_site(client: FlaskClient, bearer: dict[str, str]):
    answer = client.post("/api/releases", headers={**bearer, "Sec-Fetch-Site": "cross-site"})

    assert (answer.status_code, answer.get_json()["error"]["code"]) == (403, "cross_site")


def test_nor_does_one_beside_a_session(logged_in: FlaskClient, shared: FlaskClient, user: User, bearer: dict[str, str]):
    shared.post("/login", data={"username": user.email, "password": PASSWORD})
    for headers, browser in product(FROM_ELSEWHERE, (logged_in, shared)):
        answer = browser.put("/api/settings", json={"zone": "Europe/Berlin"}, headers={**bearer, **headers})
        assert (answer.status_code, answer.get_json()["error"]["code"]) == (403, "cross_site"), headers
    assert logged_in.get("/api/settings").get_json()["zone"] == ""


def test_an_origin_of_the_settings_acts_by_its_token_but_not_beside_a_session(
    shared: FlaskClient, user: User, bearer: dict[str, str]
):
    cross = {"Origin": CI, "Sec-Fetch-Site": "cross-site", **bearer}

    assert shared.put("/api/settings", json={"zone": "Europe/Berlin"}, headers=cross).status_code == 200
    shared.post("/login", data={"username": user.email, "password": PASSWORD})
    assert shared.put("/api/settings", json={"zone": ""}, headers=cross).status_code == 403


def test_our_own_pages_and_programs_can(app: Flask, user: User):
    data = {"username": user.email, "password": PASSWORD}
    for headers in FROM_HERE:
        client = app.test_client()
        assert client.post("/login", data=data, headers=headers).status_code == 303, headers
        assert client.post("/api/auth/login", data=data, headers=headers).status_code == 200, headers


def test_the_port_belongs_to_the_host(client: FlaskClient):
    headers = {"Origin": "http://dash.example.com:8000"}

    assert client.post("/logout", headers=headers, base_url="http://dash.example.com:8000").status_code == 303
    assert client.post("/logout", headers=headers, base_url="http://dash.example.com:8001").status_code == 403
    assert client.post("/logout", headers=headers, base_url="http://dash.example.com").status_code == 403


TOLD_BY_A_PROXY = {"trusted_proxies": 1, "trust_forwarded_host": True}


def test_behind_a_trusted_proxy_the_host_is_the_one_it_tells(settings: Settings, accounts: Accounts):
    client = create_app(settings.model_copy(update=TOLD_BY_A_PROXY), accounts=accounts).test_client()
    proxied = {"X-Forwarded-Host": "dash.example.com", "X-Forwarded-Proto": "https"}

    assert client.post("/logout", headers={**proxied, "Origin": "https://dash.example.com"}).status_code == 303
    assert client.post("/logout", headers={**proxied, "Origin": "https://example.org"}).status_code == 403


def test_links_from_other_sites_work(logged_in: FlaskClient):
    assert logged_in.get("/", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 302


def test_an_answer_to_another_site_says_why(client: FlaskClient):
    answer = client.post("/login", headers={"Sec-Fetch-Site": "cross-site"})

    assert answer.mimetype == "text/html"
    assert "The request came from another site and was rejected." in answer.text


def test_no_origin_reads_the_api_by_default(client: FlaskClient, bearer: dict[str, str]):
    answer = client.get("/api/auth/me", headers={**bearer, "Origin": CI})
    preflight = client.options("/api/releases", headers={"Origin": CI, "Access-Control-Request-Method": "GET"})

    assert not [name for name, _ in (*answer.headers, *preflight.headers) if name.startswith("Access-Control")]
    assert preflight.status_code == 401
    assert "Origin" not in answer.headers.get("Vary", "")


def test_an_origin_of_the_settings_reads_the_api(shared: FlaskClient, user: User):
    given = shared.post("/api/auth/login", data={"username": user.email, "password": PASSWORD})
    headers = {"Authorization": f"Bearer {given.get_json()['access_token']}", "Origin": CI}
    answer = shared.get("/api/auth/me", headers=headers)

    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == CI
    assert "Origin" in answer.headers["Vary"]
    assert "ETag" in answer.headers["Access-Control-Expose-Headers"]
    assert "Access-Control-Allow-Credentials" not in answer.headers


def test_it_reads_our_errors_too(shared: FlaskClient):
    answer = shared.get("/api/auth/me", headers={"Origin": CI})

    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (401, CI)


def test_a_preflight_takes_no_login(shared: FlaskClient):
    asked = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
    answer = shared.options("/api/releases", headers={"Origin": CI, "Sec-Fetch-Site": "cross-site", **asked})

    assert (answer.status_code, answer.data) == (204, b"")
    assert answer.headers["Access-Control-Allow-Origin"] == CI
    assert answer.headers["Access-Control-Allow-Methods"] == "GET, HEAD, POST, PUT, PATCH, DELETE"
    assert answer.headers["Access-Control-Allow-Headers"] == "As-Of, Authorization, Content-Type, If-None-Match"


@pytest.mark.parametrize("origin", ["https://example.org", "http://ci.example.com", f"{CI}.example.org", f"{CI}:8443"])
def test_no_other_origin_does(shared: FlaskClient, origin: str):
    for answer in (
        shared.get("/api/auth/me", headers={"Origin": origin}),
        shared.options("/api/releases", headers={"Origin": origin, "Access-Control-Request-Method": "GET"}),
    ):
        assert answer.status_code == 401
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert "Origin" in answer.headers["Vary"]


def test_pages_are_not_shared(shared: FlaskClient):
    for answer in (
        shared.get("/login", headers={"Origin": CI}),
        shared.options("/login", headers={"Origin": CI, "Access-Control-Request-Method": "POST"}),
    ):
        assert "Access-Control-Allow-Origin" not in answer.headers


def test_such_an_origin_can_get_a_token_but_never_use_a_session(shared: FlaskClient, user: User):
    data = {"username": user.email, "password": PASSWORD}
    cross = {"Origin": CI, "Sec-Fetch-Site": "cross-site"}

    assert shared.post("/api/auth/login", data=data, headers=cross).status_code == 200
    assert shared.post("/login", data=data, headers=cross).status_code == 403
    shared.post("/login", data=data)
    assert shared.post("/api/auth/login", data=data, headers=cross).status_code == 403


def test_a_star_is_every_origin_without_cookies(open_to_all: FlaskClient):
    answer = open_to_all.get("/api/auth/me", headers={"Origin": "https://example.org"})

    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize(
    "path", ["/login", "/releases", "/nowhere", "/api/nowhere", "/api/auth/me", "/health", "/static/x"]
)
def test_every_answer_carries_the_headers(client: FlaskClient, logged_in: FlaskClient, path: str):
    for answer in (client.get(path), client.post(path, headers={"Sec-Fetch-Site": "cross-site"}), logged_in.put(path)):
        policy = dict(rule.partition(" ")[::2] for rule in answer.headers["Content-Security-Policy"].split("; "))
        nothing = ("default-src", "object-src", "base-uri", "frame-ancestors")
        assert [policy[name] for name in nothing] == ["'none'"] * 4
        assert policy["script-src"] == policy["style-src"] == policy["form-action"] == "'self'"
        assert not [
            source for source in " ".join(policy.values()).split() if source not in {"'none'", "'self'", "data:"}
        ]
        assert "unsafe" not in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "same-origin"
        assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert "Strict-Transport-Security" not in answer.headers
        assert answer.headers["Cache-Control"]


def test_a_mistake_of_ours_carries_them_too(settings: Settings, accounts: Accounts):
    app = create_app(settings, accounts=accounts)
    app.add_url_rule("/api/auth/broken", "broken", lambda: 1 / 0)
    token, _ = services(app).tokens.issue(accounts.add("bob@example.com", PASSWORD))
    answer = app.test_client().get("/api/auth/broken", headers={"Authorization": f"Bearer {token}"})

    assert answer.status_code == 500
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("status", [200, 304, 400, 413])
def test_no_answer_is_without_them(logged_in: FlaskClient, status: int):
    tag = logged_in.get("/api/settings").headers["ETag"]
    answer = {
        200: lambda: logged_in.get("/settings", headers={"Accept-Encoding": "gzip"}),
        304: lambda: logged_in.get("/api/settings", headers={"If-None-Match": tag}),
        400: lambda: logged_in.get("/", environ_overrides={"HTTP_X_ANY": "\0"}),
        413: lambda: logged_in.post("/logout", data=b"x" * 70_000),
    }[status]()
    assert answer.status_code == status
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_over_https_browsers_are_told_to_stay_there(client: FlaskClient):
    answer = client.get("/login", base_url="https://localhost")

    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"


def test_private_pages_are_asked_for_again(logged_in: FlaskClient):
    assert logged_in.get("/").headers["Cache-Control"] == "private, no-cache"


def test_static_files_are_nobodys(app: Flask, logged_in: FlaskClient, tmp_path):
    (tmp_path / "x.css").write_text("")
    app.static_folder = str(tmp_path)
    with logged_in.get("/static/x.css") as answer:
        assert answer.data == b""

    assert answer.status_code == 200
    assert "Cookie" not in answer.headers.get("Vary", "")
    assert "private" not in answer.headers["Cache-Control"]
