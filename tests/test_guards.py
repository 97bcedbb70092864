"""Every route of the real app, walked: what is not public takes a login."""

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient
from pydantic import SecretStr
from werkzeug.routing import Rule

from dashboard.app import create_app
from dashboard.settings import Settings

pytestmark = pytest.mark.web

# All that answers without a login: method, rule, and the status that an empty request gets.
PUBLIC = {
    ("GET", "/health"): 200,
    ("GET", "/ready"): 200,
    ("GET", "/static/<path:filename>"): 404,
    ("GET", "/login"): 200,
    ("POST", "/login"): 401,
    ("POST", "/logout"): 303,
    # The provider of this app is away, and nothing that comes from there was begun here.
    ("GET", "/login/oidc"): 503,
    ("GET", "/login/oidc/callback"): 401,
    ("POST", "/api/auth/login"): 422,
    ("POST", "/api/auth/refresh"): 422,
    # Its token is all that it asks for; this one is none.
    ("GET", "/kiosk/open/<token>"): 401,
    # So it is here, or a session or a token; without any of these the picture says so.
    ("GET", "/badges/releases/<id:release_id>.svg"): 401,
}
# What a wall screen is let see by its link; all else that takes a login takes one from it as well.
WALL = {"/kiosk", "/kiosk/releases/<id:release_id>"}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("guards"),
        secret_key=SecretStr("k" * 32),
        oidc_issuer="http://127.0.0.1:1",
        oidc_client_id="dashboard",
    )
    app = create_app(settings)
    yield app
    app.extensions["sign_on"].provider.close()
    app.extensions["accounts"].close()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def routes(app: Flask) -> Iterator[tuple[str, Rule, str]]:
    """Every method of every rule, with an address that leads there."""
    for rule in app.url_map.iter_rules():
        values = dict.fromkeys(rule.arguments, "release:x")
        built = rule.build(values)
        assert built
        for method in sorted(rule.methods - {"HEAD", "OPTIONS"}):
            yield method, rule, built[1]


def test_what_is_not_public_takes_a_login(app: Flask, client: FlaskClient):
    guarded = [(method, rule, path) for method, rule, path in routes(app) if (method, rule.rule) not in PUBLIC]
    assert len(guarded) > 10
    for method, rule, path in guarded:
        answer = client.open(path, method=method)
        if rule.rule.startswith("/api"):
            assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer"), (method, rule.rule)
            assert answer.get_json()["error"]["code"] == "not_logged_in"
        elif rule.rule.startswith("/live") or rule.rule in WALL:
            assert answer.status_code == 401, (method, rule.rule)
            assert "location" not in answer.headers
        elif method != "GET":
            assert (answer.status_code, answer.location) == (302, "/login"), (method, rule.rule)
        else:
            assert answer.status_code == 302, (method, rule.rule)
            # What was sent is not sent again after the login.
            back = f"?next={quote(path, safe='/:')}" if method == "GET" else ""
            assert answer.location == f"/login{back}", (method, rule.rule)


def test_what_is_public_answers(app: Flask, client: FlaskClient):
    found = {(method, rule.rule): path for method, rule, path in routes(app)}
    for (method, rule), status in PUBLIC.items():
        assert client.open(found[method, rule], method=method).status_code == status, (method, rule)


def test_every_method_and_htmx_meet_the_same_guard(app: Flask, client: FlaskClient):
    public = {rule for _, rule in PUBLIC}
    for _, rule, path in routes(app):
        if rule.rule in public:
            continue
        for method in ("HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"):
            assert client.open(path, method=method).status_code in {302, 401}, (method, rule.rule)
        assert client.get(path, headers={"HX-Request": "true"}).status_code == 401, rule.rule


@pytest.fixture
def screen(app: Flask) -> FlaskClient:
    """A browser that sends the token of a link with everything that it asks for, as no browser would."""
    accounts = app.extensions["accounts"]
    maker = accounts.ensure("maker@example.com", "correct horse battery")
    screen = app.test_client()
    screen.set_cookie("release_dashboard_kiosk", accounts.kiosk_links.add(maker, "Kitchen"))
    return screen


def test_the_link_of_a_wall_screen_opens_that_and_nothing_else(app: Flask, client: FlaskClient, screen: FlaskClient):
    opened = set()
    for method, rule, path in routes(app):
        if (method, rule.rule) in PUBLIC:
            continue
        nobody, answer = client.open(path, method=method), screen.open(path, method=method)
        if answer.status_code == nobody.status_code:
            assert answer.headers.get("location") == nobody.headers.get("location")
            assert answer.headers.get("Set-Cookie") is None, "it starts no session"
        else:
            # Nobody is there to answer for Temporal.
            assert (nobody.status_code, answer.status_code) == (401, 503), rule.rule
            opened.add((method, rule.rule))
    assert opened == {("GET", rule) for rule in WALL}


def test_by_its_link_a_wall_screen_does_nothing(app: Flask, screen: FlaskClient):
    public = {rule for _, rule in PUBLIC}
    for _, rule, path in routes(app):
        for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            if rule.rule not in public:
                assert screen.open(path, method=method).status_code in {302, 401}, (method, rule.rule)
    for prefix in ("/api", "/live"):
        assert screen.get(f"{prefix}/kiosk").status_code == 401
    token = screen.get_cookie("release_dashboard_kiosk")
    assert token is not None
    bearer = {"Authorization": f"Bearer {token.value}"}
    assert app.test_client().get("/api/kiosk", headers=bearer).status_code == 401


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/kiosk/", 401),
        ("/kiosk/nowhere", 401),
        ("/kiosk/../releases", 401),
        ("/kiosk//releases/release:x", 401),
        ("/kiosk%2f..%2freleases", 401),
        ("/releases?kiosk=1", 302),
        ("//kiosk", 302),
        ("/KIOSK", 302),
    ],
)
def test_no_way_of_writing_an_address_lets_a_wall_screen_further_in(screen: FlaskClient, path: str, status: int):
    answer = screen.get(path)
    assert answer.status_code == status
    assert status == 401 or str(answer.location).startswith("/login")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api", 401),
        ("/api/", 401),
        ("/API/releases", 302),
        ("//releases", 302),
        ("//api/releases", 302),
        ("/api//releases", 401),
        ("/releases/", 302),
        ("/./releases", 302),
        ("/static", 302),
        ("/static/../releases", 404),
        ("/static/%2e%2e/releases", 404),
        ("/static/../../dashboard/settings.py", 404),
        ("/health/", 302),
        ("/health/../releases", 302),
        ("/login/../releases", 302),
        ("/login/", 302),
        ("/releases;/login", 302),
        ("/%72eleases", 302),
        ("/releases%00", 302),
        ("/nowhere", 302),
        ("/api/auth/me/", 401),
        ("/api/auth/login/x", 401),
    ],
)
def test_no_way_of_writing_an_address_leads_around_it(client: FlaskClient, path: str, status: int):
    assert client.get(path).status_code == status
