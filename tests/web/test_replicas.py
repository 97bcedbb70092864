"""Two servers, each a process of its own, with one database: what one of them is told holds in the other at once."""

import http.client
import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlencode

import pytest

from dashboard.accounts.models import User
from dashboard.accounts.store import Accounts
from dashboard.settings import Settings
from tests.postgres import ON_EVERY_DATABASE
from tests.served import Served, serving
from tests.stage import EMAIL, PASSWORD

pytestmark = [pytest.mark.web, ON_EVERY_DATABASE]


@pytest.fixture
def user(accounts: Accounts) -> User:
    return accounts.add(EMAIL, PASSWORD)


@pytest.fixture
def replicas(settings: Settings, user: User, tmp_path: Path) -> Iterator[tuple[Served, Served]]:
    """Two servers with a folder each, of which the user can tell no difference."""
    environment = {"DATABASE_URL": settings.accounts_url, "SECRET_KEY": "k" * 32}
    with ExitStack() as stack:
        folders = [tmp_path / name for name in ("one", "other")]
        for folder in folders:
            folder.mkdir()
        one, other = (stack.enter_context(serving(folder, **environment)) for folder in folders)
        yield one, other


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
    ends = [
        lambda cookie: one.ask("POST", "/logout", Cookie=cookie),
        lambda _: accounts.set_password(EMAIL, PASSWORD),
        lambda _: accounts.disable(EMAIL),
    ]
    for end in ends:
        cookie = one.login()
        assert [status(served, Cookie=cookie) for served in (one, other)] == [200, 200]
        end(cookie)
        assert [status(served, Cookie=cookie) for served in (one, other)] == [401, 401]
        assert status(other, "/releases", Cookie=cookie) == 302


def test_a_token_ends_on_every_replica_at_once(replicas: tuple[Served, Served], accounts: Accounts):
    one, other = replicas
    body = json.dumps({"username": EMAIL, "password": PASSWORD})
    _, answer, _ = one.ask("POST", "/api/auth/login", body, **{"Content-Type": "application/json"})
    bearer = {"Authorization": f"Bearer {json.loads(answer)['access_token']}"}
    assert [status(served, **bearer) for served in (one, other)] == [200, 200]
    accounts.disable(EMAIL)

    assert [status(served, **bearer) for served in (one, other)] == [401, 401]


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
