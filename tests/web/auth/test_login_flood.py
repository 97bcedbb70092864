"""Many who log in at the same moment: they wait for their turn without a thread, and nobody else waits for them."""

import http.client
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from select import select
from urllib.parse import urlencode

import pytest
from argon2 import PasswordHasher
from flask import Flask, request

from dashboard.app import create_app
from dashboard.auth.accounts import Accounts
from dashboard.auth.hash_queue import needs_hash_slot
from dashboard.auth.passwords import MAX_CONCURRENT_HASHES as MAX_HASHES
from dashboard.auth.passwords import PasswordHashing
from dashboard.database.models import Role
from dashboard.server.asgi import MAX_QUEUED_HASHES
from dashboard.settings.model import Settings
from dashboard.web.services import services
from tests.support.harness import EMAIL, PASSWORD
from tests.support.prepared_databases import make_ready
from tests.support.served import Served, account, serving
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

FLOOD = 300


def log_in(served: Served, number: int, address: str) -> socket.socket:
    """A connection on which a login was sent, from this address, as a proxy tells it."""
    body = urlencode({"username": f"user{number}@example.com", "password": "wrong horse battery"})
    client = socket.create_connection(("127.0.0.1", served.port), timeout=60)
    head = (
        "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        f"X-Forwarded-For: {address}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    client.sendall((head + body).encode())
    return client


def test_while_hundreds_wait_to_log_in_pages_are_answered_and_who_is_too_many_is_told_when_to_come_again(
    tmp_path: Path,
) -> None:
    account(tmp_path).close()
    with ExitStack() as stack:
        served = stack.enter_context(serving(tmp_path, TRUSTED_PROXIES="1"))
        clients = [
            stack.enter_context(log_in(served, number, f"198.51.{number // 250}.{number % 250}"))
            for number in range(FLOOD)
        ]
        eventually(lambda: select(clients, [], [], 0)[0], 60)
        # As many wait as may, far more than there are threads; whoever asks for anything else does not wait for them.
        asked = 0
        while len(unanswered(clients)) > MAX_QUEUED_HASHES // 2 and asked < 10:
            for path in ("/health", "/ready", "/static/css/dashboard.css"):
                assert served.ask("GET", path)[0] == 200
            asked += 1
        assert asked, "it was answered while they waited"
        refused = FLOOD - MAX_QUEUED_HASHES - MAX_HASHES
        eventually(lambda: FLOOD - len(unanswered(clients)) >= refused, 60)
        waiting = unanswered(clients)
        answers = [answer_on(client) for client in clients if client not in waiting]
        assert {answer.status for answer in answers} <= {401, 503}
        told = [answer.headers["Retry-After"] for answer in answers if answer.status == 503]
        assert told
        assert all(int(seconds) > 0 for seconds in told)


def test_however_many_log_in_from_a_few_addresses_others_have_their_turn(tmp_path: Path) -> None:
    account(tmp_path).close()
    with ExitStack() as stack:
        served = stack.enter_context(serving(tmp_path, TRUSTED_PROXIES="1"))
        for number in range(FLOOD):
            # Two machines, and a site that has an address of its own for each login.
            few = ("192.0.2.1", "192.0.2.2", f"2001:db8:1:{number}::1")
            stack.enter_context(log_in(served, number, few[number % len(few)]))
        another = stack.enter_context(log_in(served, FLOOD, "192.0.2.3"))
        assert answer_on(another).status == 401


def unanswered(clients: list[socket.socket]) -> list[socket.socket]:
    there = select(clients, [], [], 0)[0]
    return [client for client in clients if client not in there]


def answer_on(client: socket.socket) -> http.client.HTTPResponse:
    answer = http.client.HTTPResponse(client)
    answer.begin()
    return answer


class NotingHasher(PasswordHasher):
    """Argon2 that notes which view asks for it."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.views: set[tuple[str, str]] = set()

    def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
        self._note()
        return super().hash(password, salt=salt)

    def verify(self, hash: str | bytes, password: str | bytes) -> bool:
        self._note()
        return super().verify(hash, password)

    def _note(self) -> None:
        if request:
            self.views.add((request.method, request.path))


@pytest.fixture
def noting(settings: Settings) -> Iterator[tuple[Flask, NotingHasher]]:
    """A dashboard that notes which views hash."""
    make_ready(settings)
    hasher = NotingHasher()
    accounts = Accounts(settings.accounts_url, PasswordHashing(hasher))
    accounts.prepare()
    accounts.add(EMAIL, PASSWORD, role=Role.admin)
    accounts.add("bob@example.com", PASSWORD)
    app = create_app(settings, accounts=accounts)
    yield app, hasher
    accounts.close()


# What a form and what a script may give, whatever the view.
FORM = {"username": EMAIL, "current": PASSWORD, "new": "battery staple horse", "do": "reset", "email": "n@example.com"}
FORM |= {"role": "viewer", "password": PASSWORD, "again": "battery staple horse"}
JSON = (
    {"username": EMAIL, "password": PASSWORD},
    {"current": PASSWORD, "new": "staple horse battery"},
    {"email": "next@example.com", "role": "viewer"},
    {},
)


def test_every_view_that_hashes_a_password_has_it_done_in_turn(noting: tuple[Flask, NotingHasher]) -> None:
    app, hasher = noting
    accounts, browser = services(app).accounts, app.test_client()
    bob = accounts.by_email("bob@example.com")
    for rule in app.url_map.iter_rules():
        path = _path(app, rule.endpoint, rule.arguments, bob.id)
        sent = JSON if path.startswith("/api/") else (None,)
        for method, given in product((rule.methods or set()) & {"POST", "PUT", "PATCH", "DELETE"}, sent):
            if browser.get("/api/auth/me").status_code != 200:
                accounts.set_password(EMAIL, PASSWORD)
                browser.post("/login", data={"username": EMAIL, "password": PASSWORD})
            browser.open(path, method=method, json=given, data=None if given is not None else FORM)
    assert {path.replace(bob.id, "bob") for _, path in hasher.views} == {
        *("/login", "/profile/password", "/users", "/users/bob"),
        *("/api/auth/login", "/api/profile/password", "/api/users", "/api/users/bob/password"),
    }
    assert [each for each in hasher.views if not needs_hash_slot(app, *each)] == []


def _path(app: Flask, endpoint: str, arguments: set[str], user_id: str) -> str:
    """The address of a view, with ids of what is not there but for the user."""
    with app.test_request_context():
        return app.url_map.bind("x").build(endpoint, dict.fromkeys(arguments, user_id)).removeprefix("http://x")
