"""Who may do what: every method of every route of the real app, asked by everybody there is, against one table.

Temporal cannot be reached here, so what shows a release answers 503 to whoever is let in, and streams, which take
another server than this one, 501.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import NamedTuple
from urllib.parse import quote

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from pydantic import SecretStr
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from dashboard.app import create_app
from dashboard.auth.accounts import Accounts
from dashboard.auth.api_tokens import TokenScope
from dashboard.database.models import Role, User
from dashboard.settings.model import Settings
from dashboard.web.services import services
from tests.support.harness import CHEAP

pytestmark = pytest.mark.web

# What each answers to an empty request of whoever is let in. This answers without a login:
PUBLIC = {
    "GET /health": 200,
    "GET /ready": 200,
    "GET /static/<path:filename>": 404,
    "GET /login": 200,
    "POST /login": 401,
    "POST /logout": 303,
    # The provider of this app is away, and nothing that comes from there was begun here.
    "GET /login/oidc": 503,
    "GET /login/oidc/callback": 401,
    "POST /api/auth/login": 422,
    "POST /api/auth/refresh": 422,
    # Its token is all that it asks for; this one is none.
    "GET /kiosk/open/<token>": 401,
    # So it is here, or a session or a token; without any of these the picture says so.
    "GET /badges/releases/<id:release_id>.svg": 401,
}
# Who logged in looks at releases, as a page, as its twin, and live:
VIEWS = {
    "/releases": 503,
    "/releases/<id:release_id>": 503,
    "/releases/<id:release_id>/hierarchy": 503,
    "/releases/<id:release_id>/matrix": 503,
    "/releases/<id:release_id>/strip": 503,
    "/releases/<id:release_id>/timeline": 503,
    "/releases/<id:release_id>/entities/<id:entity_id>": 503,
    "/releases/<id:release_id>/entities/<id:entity_id>/panel": 503,
    "/entities/<id:entity_id>": 503,
    "/problems": 503,
    "/compare": 503,
    "/find": 200,
    "/kiosk": 503,
    "/kiosk/releases/<id:release_id>": 503,
}
# Besides, everybody who is logged in:
EVERYBODY = {
    **{f"GET {prefix}{rule}": status for rule, status in VIEWS.items() for prefix in ("", "/api")},
    **{f"GET /live{rule}": 501 for rule in VIEWS},
    "GET /": 302,
    "GET /releases/<id:release_id>/matrix.csv": 503,
    "GET /releases/<id:release_id>/strip/small": 200,
    "GET /api/releases/<id:release_id>/wait": 422,
    "GET /badges": 200,
    "GET /docs": 200,
    "GET /redoc": 200,
    "GET /api/openapi.json": 200,
    "GET /settings": 200,
    "POST /settings": 303,
    "POST /settings/theme": 422,
    "GET /api/settings": 200,
    "PUT /api/settings": 415,
    "POST /stars": 303,
    "PUT /api/stars/<id:release_id>": 204,
    "DELETE /api/stars/<id:release_id>": 204,
    "POST /views": 422,
    "POST /views/<view_id>": 404,
    "POST /api/views": 415,
    "PUT /api/views/<view_id>": 415,
    "DELETE /api/views/<view_id>": 404,
    "GET /screens": 200,
    "POST /screens": 422,
    "POST /screens/<link_id>/revoke": 404,
    "GET /tokens": 200,
    "POST /tokens": 422,
    "POST /tokens/<token_id>/revoke": 404,
    "GET /api/tokens": 200,
    "GET /api/auth/me": 200,
    "GET /profile": 200,
    "POST /profile/name": 303,
    "POST /profile/password": 422,
    "POST /profile/sessions/<session_id>/end": 404,
    "POST /profile/sessions/end-others": 303,
    "GET /api/profile": 200,
    "PATCH /api/profile": 415,
    "GET /api/sessions": 200,
}
# Everybody, but not by a token that was not given for a password:
BY_PASSWORD = {
    "POST /api/tokens": 415,
    "DELETE /api/tokens/<token_id>": 404,
    "PUT /api/profile/password": 415,
    "DELETE /api/sessions": 204,
    "DELETE /api/sessions/<session_id>": 404,
}
# Admins, whatever lets them in:
ADMINS = {
    "GET /audit": 200,
    "GET /api/audit": 200,
    "GET /users": 200,
    "POST /users": 422,
    "GET /users/<user_id>": 404,
    "POST /users/<user_id>": 422,
    "GET /api/users": 200,
    "GET /api/users/<user_id>": 404,
}
# Admins, but not by a token that was not given for a password:
ADMINS_BY_PASSWORD: dict[str, int] = {
    "POST /api/users": 415,
    "PATCH /api/users/<user_id>": 415,
    "POST /api/users/<user_id>/password": 415,
    "DELETE /api/users/<user_id>/sessions": 404,
}

TABLE = PUBLIC | EVERYBODY | BY_PASSWORD | ADMINS | ADMINS_BY_PASSWORD
FOR_ADMINS = ADMINS.keys() | ADMINS_BY_PASSWORD.keys()
NEED_PASSWORD = BY_PASSWORD.keys() | ADMINS_BY_PASSWORD.keys()
# What a wall screen is let see by its link; all else that takes a login takes one from it as well.
WALL = {"GET /kiosk", "GET /kiosk/releases/<id:release_id>"}
# A login ends what it was asked with: to whoever is in already it shows the way on.
ALREADY_IN = {
    "GET /login": 302,
    "GET /login/oidc": 302,
    "GET /login/oidc/callback": 303,
    "GET /badges/releases/<id:release_id>.svg": 503,
}
# A picture cannot lead to the login page, so it takes a token where other pages do not.
TAKES_TOKENS = "GET /badges/releases/<id:release_id>.svg"


class Route(NamedTuple):
    """A method of a rule, by its name in the table, with an address that leads there."""

    name: str
    method: str
    path: str

    @property
    def is_api(self) -> bool:
        """Whether it is one for scripts."""
        return self.path.startswith("/api")

    @property
    def is_safe(self) -> bool:
        """Whether it changes nothing."""
        return self.method == "GET"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("guards"),
        secret_key=SecretStr("k" * 32),
        oidc_issuer="http://127.0.0.1:9",
        oidc_client_id="dashboard",
        temporal_environment={"TEMPORAL_ADDRESS": "127.0.0.1:9", "TEMPORAL_CONFIG_FILE": "/dev/null"},
    )
    app = create_app(settings, accounts=Accounts(settings.accounts_url, CHEAP))
    yield app
    services(app).sign_on.provider.close()
    services(app).live.close()
    services(app).accounts.close()


@pytest.fixture(scope="module")
def routes(app: Flask) -> list[Route]:
    return [
        Route(f"{method} {rule.rule}", method, path_of(rule))
        for rule in app.url_map.iter_rules()
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
    ]


def path_of(rule: Rule) -> str:
    built = rule.build(dict.fromkeys(rule.arguments, "release:x"))
    assert built
    return built[1]


@pytest.fixture(scope="module", params=Role, ids=str)
def user(request: pytest.FixtureRequest, app: Flask) -> User:
    """One of each role."""
    return services(app).accounts.add(f"{request.param}@example.com", "correct horse battery", role=request.param)


ADDRESSES = (f"127.0.{number // 250}.{number % 250 + 1}" for number in count(1))


def somewhere(app: Flask) -> FlaskClient:
    """A client at an address of its own: the empty logins of all of them would be too many from one."""
    client = app.test_client()
    client.environ_base["REMOTE_ADDR"] = next(ADDRESSES)
    return client


Asks = Callable[[Route], TestResponse]


def asking(app: Flask, *, headers: dict[str, str] | None = None) -> Asks:
    """Asks as nobody, or with these headers."""
    return lambda route: somewhere(app).open(route.path, method=route.method, headers=headers)


def with_session(app: Flask, user: User, **more: str) -> Asks:
    """Asks with a session of its own each time, as some of what is asked for ends it."""

    def ask(route: Route) -> TestResponse:
        client = somewhere(app)
        client.set_cookie(app.config["SESSION_COOKIE_NAME"], session_of(app, user))
        return client.open(route.path, method=route.method, headers=more)

    return ask


def session_of(app: Flask, user: User) -> str:
    secret: str = services(app).sessions.start(user, device="test", address="127.0.0.1")
    return secret


def access_token(app: Flask, user: User, *, by_password: bool = True) -> str:
    token: str = services(app).tokens.issue(user, by_password=by_password)[0]
    return token


def personal_token(app: Flask, user: User, scope: TokenScope = TokenScope.write) -> str:
    secret: str = services(app).api_tokens.add(user, "guards", scope, 1)[1]
    return secret


def bearing(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def check_refused(answer: TestResponse, route: Route, code: str = "not_logged_in") -> None:
    """That nobody was let in: told to scripts and parts of pages, led to the login from pages, and no way around."""
    said = (answer.status_code, answer.headers.get("WWW-Authenticate"), answer.location)
    if route.is_api:
        challenge = "Bearer" if code == "not_logged_in" else 'Bearer error="invalid_token"'
        assert said == (401, challenge, None), route.name
        assert answer.get_json()["error"]["code"] == code, route.name
    elif route.path.startswith("/live") or route.name in WALL:
        assert said == (401, None, None), route.name
    else:
        # What was sent is not sent again after the login.
        back = f"?next={quote(route.path, safe='/:')}" if route.is_safe else ""
        assert said == (302, None, f"/login{back}"), route.name


def test_every_route_stands_in_the_table_once(routes: list[Route]):
    assert sorted(route.name for route in routes) == sorted(TABLE)
    parts = (PUBLIC, EVERYBODY, BY_PASSWORD, ADMINS, ADMINS_BY_PASSWORD)
    assert sum(map(len, parts)) == len(TABLE)


def test_nobody_is_let_in_but_where_it_is_public(app: Flask, routes: list[Route]):
    for route in routes:
        answer = asking(app)(route)
        if route.name in PUBLIC:
            assert answer.status_code == PUBLIC[route.name], route.name
        else:
            check_refused(answer, route)


def test_a_session_lets_in_where_its_users_role_does(app: Flask, routes: list[Route], user: User):
    ask = with_session(app, user)
    for route in routes:
        answer = ask(route)
        if route.name in FOR_ADMINS and user.role is not Role.admin:
            assert answer.status_code == 403, route.name
            assert "Admins only" in answer.text
        else:
            assert answer.status_code == ALREADY_IN.get(route.name, TABLE[route.name]), route.name


@pytest.mark.parametrize("kind", ["of a login", "refreshed", "personal", "that may only read"])
def test_a_token_lets_in_where_its_kind_and_its_users_role_do(app: Flask, routes: list[Route], user: User, kind: str):
    token = {
        "of a login": lambda: access_token(app, user),
        "refreshed": lambda: access_token(app, user, by_password=False),
        "personal": lambda: personal_token(app, user),
        "that may only read": lambda: personal_token(app, user, TokenScope.read),
    }[kind]()
    for route in routes:
        answer = asking(app, headers=bearing(token))(route)
        if route.name in PUBLIC:
            assert answer.status_code == (503 if route.name == TAKES_TOKENS else PUBLIC[route.name]), route.name
        elif not route.is_api:
            # Pages take none.
            check_refused(answer, route)
        elif kind == "that may only read" and not route.is_safe:
            assert (answer.status_code, code_of(answer)) == (403, "read_only_token"), route.name
        elif route.name in FOR_ADMINS and user.role is not Role.admin:
            assert (answer.status_code, code_of(answer)) == (403, "admin_needed"), route.name
        elif route.name in NEED_PASSWORD and kind != "of a login":
            assert (answer.status_code, code_of(answer)) == (403, "password_needed"), route.name
        else:
            assert answer.status_code == TABLE[route.name], route.name


def code_of(answer: TestResponse) -> str:
    code: str = answer.get_json()["error"]["code"]
    return code


@pytest.mark.parametrize("role", Role, ids=str)
@pytest.mark.parametrize("why", ["disabled", "other password", "expired"])
def test_what_has_ended_lets_nobody_in(app: Flask, routes: list[Route], role: Role, why: str):
    accounts: Accounts = services(app).accounts
    user = accounts.ensure(f"ended-{role}-{why.replace(' ', '-')}@example.com", "correct horse battery", role=role)
    secret = session_of(app, user)
    tokens = [access_token(app, user), access_token(app, user, by_password=False), personal_token(app, user)]
    with_cookie = {"Cookie": f"{app.config['SESSION_COOKIE_NAME']}={secret}"}
    for headers in (with_cookie, *map(bearing, tokens)):
        assert app.test_client(use_cookies=False).get("/api/auth/me", headers=headers).status_code == 200, "until then"
    if why == "disabled":
        accounts.disable(user.email)
    elif why == "other password":
        accounts.set_password(user.email, "horse battery correct")
    later = timedelta(days=2 if why == "expired" else 0)
    with time_machine.travel(datetime.now(UTC) + later, tick=True):
        for route in routes:
            if route.name in PUBLIC:
                continue
            client = somewhere(app)
            client.set_cookie(app.config["SESSION_COOKIE_NAME"], secret)
            check_refused(client.open(route.path, method=route.method), route)
            for token in tokens:
                answer = asking(app, headers=bearing(token))(route)
                check_refused(answer, route, "invalid_token" if route.is_api else "not_logged_in")


@pytest.mark.parametrize(
    "elsewhere",
    [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://elsewhere.example"}],
    ids=["cross-site", "same-site", "origin"],
)
def test_another_site_makes_nobody_do_anything(app: Flask, routes: list[Route], elsewhere: dict[str, str]):
    accounts: Accounts = services(app).accounts
    admin = accounts.ensure("led@example.com", "correct horse battery", role=Role.admin)
    token = bearing(access_token(app, admin))
    # A token beside a cookie is no excuse, and the login is no exception.
    ways = [with_session(app, admin, **elsewhere), with_session(app, admin, **elsewhere, **token)]
    ways += [asking(app, headers=elsewhere), asking(app, headers={**elsewhere, **token})]
    for route in routes:
        if not route.is_safe:
            for ask in ways:
                answer = ask(route)
                assert answer.status_code == 403, route.name
                assert "came from another site" in answer.text, route.name


def test_every_method_and_htmx_meet_the_same_guard(app: Flask, routes: list[Route]):
    public = {name.partition(" ")[2] for name in PUBLIC}
    for route in routes:
        if route.name.partition(" ")[2] in public:
            continue
        for method in ("HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"):
            assert somewhere(app).open(route.path, method=method).status_code in {302, 401}, (method, route.name)
        fragment = asking(app, headers={"HX-Request": "true"})(route._replace(method="GET"))
        assert fragment.status_code == 401, route.name


@pytest.fixture
def screen(app: Flask) -> FlaskClient:
    """A browser that sends the token of a link with everything that it asks for, as no browser would."""
    accounts: Accounts = services(app).accounts
    maker = accounts.ensure("maker@example.com", "correct horse battery")
    screen = somewhere(app)
    screen.set_cookie("release_dashboard_kiosk", accounts.kiosk_links.add(maker, "Kitchen"))
    return screen


def test_the_link_of_a_wall_screen_opens_that_and_nothing_else(app: Flask, routes: list[Route], screen: FlaskClient):
    opened = set()
    for route in routes:
        if route.name in PUBLIC:
            continue
        answer = screen.open(route.path, method=route.method)
        if route.name in WALL:
            assert answer.status_code == TABLE[route.name]
            opened.add(route.name)
        else:
            check_refused(answer, route)
            assert answer.headers.get("Set-Cookie") is None, "it starts no session"
    assert opened == WALL


def test_by_its_link_a_wall_screen_does_nothing(app: Flask, routes: list[Route], screen: FlaskClient):
    public = {name.partition(" ")[2] for name in PUBLIC}
    for route in routes:
        for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            if route.name.partition(" ")[2] not in public:
                assert screen.open(route.path, method=method).status_code in {302, 401}, (method, route.name)
    token = screen.get_cookie("release_dashboard_kiosk")
    assert token is not None
    assert somewhere(app).get("/api/kiosk", headers=bearing(token.value)).status_code == 401
