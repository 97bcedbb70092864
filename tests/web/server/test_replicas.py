"""Two servers, each a process of its own, with one database: what one of them is told holds in the other at once."""

import http.client
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Barrier
from typing import Any
from urllib.parse import urlencode

import pytest
from sqlalchemy import delete

from dashboard.auth.accounts import Accounts
from dashboard.database.models import Base, Role, User
from tests.support.every_page import ANSWERS
from tests.support.harness import EMAIL, PASSWORD, Stage
from tests.support.oidc_provider import OpenIdProvider, provided, sent_back
from tests.support.postgres import Postgres
from tests.support.rollout_makers import hierarchy
from tests.support.served import Listener, Served, serving


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the accounts are that the servers share."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('shared') / 'accounts.db'}"
        Accounts(url).prepare()
        yield url
    else:
        postgres: Postgres = request.getfixturevalue("postgres")
        yield postgres.emptied()


@pytest.fixture(scope="module")
def provider() -> Iterator[OpenIdProvider]:
    with provided() as provider:
        yield provider


@pytest.fixture(scope="module")
def replicas(
    database: str, provider: OpenIdProvider, tmp_path_factory: pytest.TempPathFactory, temporal_address: str
) -> Iterator[tuple[Served, Served]]:
    """Two servers with a folder each, between which a user can tell no difference."""
    environment = {"DATABASE_URL": database, "SECRET_KEY": "k" * 32, "OIDC_DEFAULT_ROLE": "viewer"}
    environment |= {"RELEASE_FILTER": "WorkflowType = 'ScriptedRelease'"}
    environment |= {"OIDC_ISSUER": provider.issuer, "OIDC_CLIENT_ID": "dashboard"}
    environment |= {"OIDC_CLIENT_SECRET": provider.secret or ""}
    with ExitStack() as stack:
        folders = [tmp_path_factory.mktemp(name) for name in ("one", "other")]
        one, other = (stack.enter_context(serving(folder, temporal_address, **environment)) for folder in folders)
        yield one, other


@pytest.fixture
def accounts(database: str, open_accounts: Callable[..., Accounts]) -> Accounts:
    """The accounts, in which nothing is left of the test before but what the audit log keeps."""
    accounts = open_accounts(database)
    with accounts.session() as session:
        for table in reversed(Base.metadata.sorted_tables):
            if table.name != "audit":
                session.execute(delete(table))
    return accounts


@pytest.fixture(autouse=True)
def user(accounts: Accounts) -> User:
    return accounts.add(EMAIL, PASSWORD)


def status(served: Served, path: str = "/api/auth/me", method: str = "GET", **headers: str) -> int:
    return served.ask(method, path, **headers)[0]


def log_in(served: Served, password: str) -> tuple[int, str | None]:
    """The status of the answer, and what it says of when to try again."""
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=30)
    form = urlencode({"username": EMAIL, "password": password})
    connection.request("POST", "/login", form, {"Content-Type": "application/x-www-form-urlencoded"})
    answer = connection.getresponse()
    connection.close()
    return answer.status, answer.headers["Retry-After"]


def test_what_ends_a_session_ends_it_on_every_replica_at_once(replicas: tuple[Served, Served], accounts: Accounts):
    one, other = replicas
    here = one.login()

    def end_by_name(_: str) -> None:
        listed = json.loads(one.ask("GET", "/api/sessions", Cookie=here)[1])["sessions"]
        (named,) = [session["id"] for session in listed if not session["current"]]
        assert status(one, f"/api/sessions/{named}", "DELETE", Cookie=here) == 204

    ends = [
        end_by_name,
        lambda _: one.ask("DELETE", "/api/sessions", Cookie=here),
        lambda cookie: one.ask("POST", "/logout", Cookie=cookie),
        lambda _: accounts.set_password(EMAIL, PASSWORD),
        lambda _: accounts.disable(EMAIL),
    ]
    for end in ends:
        cookie = other.login()
        assert [status(served, Cookie=cookie) for served in (one, other)] == [200, 200]
        end(cookie)
        assert [status(served, Cookie=cookie) for served in (one, other)] == [401, 401]
        assert status(other, "/releases", Cookie=cookie) == 302


def send(
    served: Served, path: str, given: dict[str, Any], method: str = "POST", **headers: str
) -> tuple[int, dict[str, Any]]:
    """The status and the JSON of the answer to this JSON."""
    code, answer, _ = served.ask(method, path, json.dumps(given), **{"Content-Type": "application/json"}, **headers)
    return code, json.loads(answer or "{}")


def pair_of(served: Served, email: str = EMAIL) -> dict[str, Any]:
    code, pair = send(served, "/api/auth/login", {"username": email, "password": PASSWORD})
    assert code == 200
    return pair


def renew(served: Served, pair: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    return send(served, "/api/auth/refresh", {"refresh_token": pair["refresh_token"]})


def test_a_personal_token_ends_on_every_replica_at_once(replicas: tuple[Served, Served], accounts: Accounts):
    one, other = replicas
    cookie = one.login()

    def make() -> tuple[str, dict[str, str]]:
        _, made = send(one, "/api/tokens", {"name": "Deploy job"}, Cookie=cookie)
        bearer = {"Authorization": f"Bearer {made['token']}"}
        assert [status(served, **bearer) for served in (one, other)] == [200, 200]
        return made["id"], bearer

    token_id, bearer = make()
    assert status(other, f"/api/tokens/{token_id}", "DELETE", Cookie=cookie) == 204
    assert [status(served, **bearer) for served in (one, other)] == [401, 401]
    _, bearer = make()
    accounts.set_password(EMAIL, PASSWORD)
    assert [status(served, **bearer) for served in (one, other)] == [401, 401]


def test_a_refresh_token_is_used_up_on_every_replica_and_using_it_twice_ends_its_family(
    replicas: tuple[Served, Served],
):
    one, other = replicas
    first = pair_of(one)
    code, second = renew(other, first)
    assert code == 200
    assert renew(one, first)[0] == 401

    assert [renew(served, second)[0] for served in (one, other)] == [401, 401]
    assert "refresh_reused" in one.log.read_text()
    assert first["refresh_token"] not in one.log.read_text() + other.log.read_text()


def test_of_two_that_use_a_refresh_token_at_the_same_moment_one_wins(replicas: tuple[Served, Served]):
    for _ in range(10):
        pair, ready = pair_of(replicas[0]), Barrier(2)

        def use(served: Served, pair: dict[str, Any] = pair, ready: Barrier = ready) -> int:
            ready.wait(30)
            return renew(served, pair)[0]

        with ThreadPoolExecutor(2) as pool:
            assert sorted(pool.map(use, replicas)) == [200, 401]


class Ways:
    """All that lets a user in: got from one server, and used with the other."""

    def __init__(self, one: Served, other: Served, page: str) -> None:
        self.served, self.page, self.cookie, self.pair = other, page, one.login(), pair_of(one)
        _, made = send(one, "/api/tokens", {"name": "Deploy job"}, Cookie=self.cookie)
        self.headers = [
            {"Cookie": self.cookie},
            {"Authorization": f"Bearer {self.pair['access_token']}"},
            {"Authorization": f"Bearer {made['token']}"},
        ]
        # Often enough to be given answers again.
        assert {status(other, f"/api{page}", **sent) for sent in self.headers for _ in range(10)} == {200}
        self.listener = Listener(other, page, Cookie=self.cookie)
        told = self.listener.event()
        assert (self.listener.status, told and told[0]) == (200, "version")

    def left(self) -> list[int]:
        """What the other server answers to each now; the last is for the refresh token."""
        return [
            *(status(self.served, f"/api{self.page}", **sent) for sent in self.headers),
            renew(self.served, self.pair)[0],
        ]

    def heard(self) -> list[str]:
        """What the stream still says until it ends."""
        told = [event[0] for event in iter(self.listener.event, None) if event]
        self.listener.close()
        return told


def test_whatever_admins_and_users_do_to_end_it_nothing_lets_in_on_any_replica(
    replicas: tuple[Served, Served], accounts: Accounts, user: User, stage: Stage
):
    one, other = replicas
    accounts.add("ada@example.com", PASSWORD, role=Role.admin)
    admin = {"Authorization": f"Bearer {pair_of(one, 'ada@example.com')['access_token']}"}
    release, them = stage.start("watched", ANSWERS), f"/api/users/{user.id}"
    ends: dict[str, Callable[[Ways], tuple[int, Any]]] = {
        "disabled": lambda _: send(one, them, {"disabled": True}, "PATCH", **admin),
        "password reset": lambda _: send(one, f"{them}/password", {"password": PASSWORD}, **admin),
        "all ended": lambda _: send(one, f"{them}/sessions", {}, "DELETE", **admin),
        "own password": lambda ways: send(
            one, "/api/profile/password", {"current": PASSWORD, "new": PASSWORD[::-1]}, "PUT", Cookie=ways.cookie
        ),
    }
    for number, (how, end) in enumerate(ends.items()):
        ways = Ways(one, other, f"/releases/{release}")
        assert end(ways)[0] in {200, 204}, how
        assert ways.left() == [401] * 4, how
        tree = hierarchy(state=f"state {number}")
        stage.tell(release, {"get_hierarchy": tree, "get_release_state": tree})
        assert ways.heard() == ["ended"], how
        accounts.enable(EMAIL)


def test_failed_logins_are_counted_by_all_replicas_together(replicas: tuple[Served, Served]):
    one, other = replicas
    cookie = one.login()
    statuses = [log_in(served, "wrong")[0] for served in (one, other, one, other, one)]

    assert statuses == [401] * 5
    for served in (one, other):
        refused, seconds = log_in(served, PASSWORD)
        assert (refused, 0 < int(seconds or 0) <= 300) == (429, True)
        assert status(served, Cookie=cookie) == 200


def test_secrets_are_in_no_log(replicas: tuple[Served, Served]):
    one, other = replicas
    cookie = one.login()
    log_in(other, "wrong horse battery")
    one.ask("POST", "/logout", Cookie=cookie)
    said = "".join(served.log.read_text() for served in (one, other))

    assert "login_succeeded" in said
    assert "login_failed" in said
    for secret in (PASSWORD, "wrong horse", cookie.partition("=")[2], "k" * 32, "argon2"):
        assert secret not in said


def opened(served: Served, path: str, cookie: str = "") -> http.client.HTTPResponse:
    """The answer to a browser that knows all of the replicas by one name."""
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=30)
    connection.request("GET", path, headers={"Host": "dash.example.com", "Cookie": cookie})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


def cookie_of(answer: http.client.HTTPResponse, name: str) -> str:
    cookies = [value.partition(";")[0] for value in answer.headers.get_all("Set-Cookie", [])]
    return next(cookie for cookie in cookies if cookie.startswith(f"{name}="))


def test_a_login_that_began_at_one_replica_is_finished_at_another_and_once(replicas: tuple[Served, Served]):
    one, other = replicas
    begun = opened(one, "/login/oidc?next=/problems")
    kept = cookie_of(begun, "release_dashboard_sign_on")
    finished = opened(other, sent_back(begun.headers["Location"]), kept)

    assert (finished.status, finished.headers["Location"]) == (303, "/problems")
    session = cookie_of(finished, "release_dashboard")
    assert [status(served, Cookie=session) for served in (one, other)] == [200, 200]
    assert opened(one, sent_back(begun.headers["Location"]), kept).status == 401
    log = one.log.read_text() + other.log.read_text()
    assert "used_before" in log
    assert not any(secret in log for secret in (kept.partition("=")[2], session.partition("=")[2], "a secret of the"))
