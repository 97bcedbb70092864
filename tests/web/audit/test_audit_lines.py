"""The log of a real server: whatever it is sent, a line is one JSON object, and no secret is in it or in the audit."""

import csv
import io
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from bs4 import BeautifulSoup
from sqlalchemy import make_url, text

from dashboard.auth.accounts import Accounts
from dashboard.database.models import Role, User
from dashboard.settings.model import Settings
from tests.support.harness import EMAIL, PASSWORD
from tests.support.postgres import ON_EVERY_DATABASE_IN_FULL
from tests.support.served import Served, serving

pytestmark = pytest.mark.integration

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}
MARKUP = "<img src=x onerror=alert(1)>"
# Each would begin a line of its own, or change what a terminal shows, or stand where there is no room for it.
EVIL = (
    'a\r\n{"event": "login_succeeded", "user_id": "forged"}\r\n',
    '\n\n{"forged": 1}',
    "\x1b[2J\x1b[31mforged",
    "a\u2028forged\u2029\x85\x0b\x0c",
    "\ud800forged\udfff",
    "forged" * 1_700,
    '"}, {"forged": "',
    MARKUP,
)
SECRET = {
    "key": "secret-key-" + "k" * 32,
    "jwt": "jwt-secret-" + "j" * 32,
    "previous": "previous-key-" + "p" * 32,
    "database": "database-password-of-the-accounts",
    "temporal": "temporal-api-key-of-the-cluster",
    "typed": "wrong horse of somebody else",
    "next": "another horse battery of rita",
}


@pytest.fixture
def admin(accounts: Accounts) -> User:
    return accounts.add(EMAIL, PASSWORD, role=Role.admin)


@pytest.fixture
def served(settings: Settings, admin: User, tmp_path: Path) -> Iterator[Served]:
    """A server behind one proxy, with every secret that a setting takes."""
    with serving(tmp_path, TRUSTED_PROXIES="1", **environment(settings)) as served:
        yield served


def environment(settings: Settings) -> dict[str, str]:
    url = make_url(settings.accounts_url)
    if url.get_backend_name() != "sqlite":
        # This server asks for none, so that it takes any.
        url = url.set(password=SECRET["database"])
    return {
        "DATABASE_URL": url.render_as_string(hide_password=False),
        "SECRET_KEY": SECRET["key"],
        "SECRET_KEY_PREVIOUS": SECRET["previous"],
        "JWT_SECRET": SECRET["jwt"],
        "TEMPORAL_API_KEY": SECRET["temporal"],
    }


def lines(served: Served) -> list[dict[str, Any]]:
    """Every line of the log, which is an object each; what a start says to people is no part of it."""
    said = served.log.read_bytes().decode().split("\n")
    assert said.pop() == ""
    said.remove(f"Serving on http://127.0.0.1:{served.port}")
    found = [json.loads(line) for line in said]
    assert all(isinstance(line, dict) and line["event"] and line["timestamp"] for line in found)
    # As others split lines.
    assert len("\n".join(said).splitlines()) == len(found)
    return found


def raw(served: Served, head: bytes, body: bytes = b"") -> bytes:
    """The answer to these very bytes, as far as there is one."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=30) as connection:
        length = b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(body)
        connection.sendall(head + b"Host: 127.0.0.1\r\n" + length + body)
        return connection.makefile("rb").read()


def send(served: Served, method: str, path: str, body: str = "", **headers: str) -> tuple[int, str]:
    status, answer, _ = served.ask(method, path, body, **headers)
    return status, answer


def written(value: str) -> bytes:
    return value.encode("utf-8", "surrogatepass")


def test_nothing_that_is_sent_can_write_a_line_of_its_own(served: Served, accounts: Accounts):
    no_request_is_a_line(served)
    session = {"Cookie": served.login()}
    cookie = f"Cookie: {session['Cookie']}\r\n".encode()
    for evil in EVIL:
        send(served, "POST", "/login", urlencode({"username": written(f"{evil}@example.com"), "password": "x"}), **FORM)
        send(served, "POST", "/api/auth/login", json.dumps({"username": evil, "password": evil}), **JSON)
        send(served, "POST", "/api/auth/refresh", json.dumps({"refresh_token": evil}), **JSON)
        for path, given in (("/api/tokens", {"name": evil}), ("/api/views", {"name": evil, "query": evil})):
            send(served, "POST", path, json.dumps(given), **JSON, **session)
        for path in ("/tokens", "/screens"):
            name = urlencode({"name": written(evil), "scope": "read", "days": "7"})
            send(served, "POST", path, name, **FORM, **session)
        for path in ("/api/releases/release:{}", "/badges/releases/release:{}.svg?key=x", "/kiosk/open/{}", "/{}"):
            send(served, "GET", path.format(quote(written(evil), safe="")), **session)
        send(served, "GET", f"/api/audit?format=ndjson&actor={quote(written(evil))}", **session)
        for field in (b"User-Agent", b"X-Request-ID", b"X-Forwarded-For", b"X-Forwarded-Host", b"Cookie", b"Referer"):
            header = b"%b: %b\r\n" % (field, written(evil))
            for path in (b"GET /api/releases", b"GET /live/releases", b"POST /logout"):
                raw(served, path + b" HTTP/1.1\r\n" + header + (cookie if field != b"Cookie" else b""))
            login = urlencode({"username": EMAIL, "password": "x"}).encode()
            raw(
                served,
                b"POST /login HTTP/1.1\r\nContent-Type: %b\r\n%b" % (FORM["Content-Type"].encode(), header),
                login,
            )
        raw(served, b"GET /" + written(evil) + b" HTTP/1.1\r\n")
        # Each of these may have been taken, and ended the session.
        with accounts.session() as transaction:
            transaction.execute(text("DELETE FROM login_failures"))
        session = {"Cookie": served.login()}
        cookie = f"Cookie: {session['Cookie']}\r\n".encode()
    found = lines(served)

    assert {line["event"] for line in found} >= {"login_failed", "login_succeeded", "token_created", "exported"}
    assert not [line for line in found if "forged" in line or line.get("user_id") == "forged"]
    assert [line for line in found if len(json.dumps(line)) > 3_000] == []
    addresses = {str(line.get("address", "")) for line in found}
    assert any("forged" in address for address in addresses), "a proxy may say so"
    assert max(map(len, addresses)) <= 64
    shown(served, session)


def shown(served: Served, session: dict[str, str]) -> None:
    """The page and its tables have each entry once, as text."""
    status, page = send(served, "GET", "/audit?page_size=500", **session)
    soup = BeautifulSoup(page, "html.parser")
    assert status == 200
    assert MARKUP in soup.select_one(".audit").text
    assert not soup.select("main img")
    count = len(soup.select(".audit tbody tr"))
    assert count > 50
    for form in ("csv", "ndjson"):
        status, table = send(served, "GET", f"/api/audit?format={form}", **session)
        assert status == 200
        rows = list(csv.reader(io.StringIO(table))) if form == "csv" else [*map(json.loads, table.splitlines())]
        # The table that was taken away before has an entry, too; besides, there is a head or an end.
        assert len(rows) == count + 1 + (form == "ndjson")


def no_request_is_a_line(served: Served) -> None:
    """What is no request is refused without a line, or strangers could fill the log."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=30) as connection:
        connection.sendall(b"\x1b[31mNONSENSE\r\n\r\n")
        assert connection.makefile("rb").read().startswith(b"HTTP/1.1 400 ")

    assert lines(served) == []


class Secrets:
    """What must be found nowhere, by name. Of what is signed, each part for itself."""

    def __init__(self, settings: Settings) -> None:
        self.known = SECRET | {"password": PASSWORD}
        if make_url(settings.accounts_url).get_backend_name() == "sqlite":
            del self.known["database"]

    def add(self, **secrets: str) -> None:
        assert all(len(secret) > 20 for secret in secrets.values())
        self.known |= secrets

    def found_in(self, text: str) -> list[str]:
        """The names of those that stand in a text, as they are or as they are written in addresses."""
        return [
            name
            for name, secret in self.known.items()
            for written in {secret, quote(secret, safe=""), quote(secret), secret.replace(" ", "+")}
            if written in text
        ]


def pair(served: Served, path: str, **given: str) -> dict[str, str]:
    status, answer = send(served, "POST", path, json.dumps(given), **JSON)
    assert status == 200, answer
    found: dict[str, str] = json.loads(answer)
    return found


def all_kinds(served: Served, secrets: Secrets, settings: Settings) -> dict[str, str]:
    """Come by everything that opens something, and use it, well and badly; the cookie of a session."""
    cookie = served.login()
    secrets.add(cookie=cookie.partition("=")[2])
    session = {"Cookie": cookie}
    first = pair(served, "/api/auth/login", username=EMAIL, password=PASSWORD)
    second = pair(served, "/api/auth/refresh", refresh_token=first["refresh_token"])
    for number, given in enumerate((first, second)):
        access, refresh = given["access_token"], given["refresh_token"]
        secrets.add(**{f"access {number}": access, f"signature {number}": access.rpartition(".")[2]})
        secrets.add(**{f"refresh {number}": refresh})
        send(served, "GET", "/api/auth/me", Authorization=f"Bearer {access}")
        send(served, "GET", "/api/auth/me", Authorization=f"Bearer {access}x")
        send(served, "POST", "/api/auth/refresh", json.dumps({"refresh_token": refresh}), **JSON)
    _, made = send(served, "POST", "/api/tokens", json.dumps({"name": "CI"}), **JSON, **session)
    token = json.loads(made)["token"]
    secrets.add(token=token)
    for path in ("/api/auth/me", "/api/problems", f"/api/releases?q={token}", f"/releases/{token}"):
        send(served, "GET", path, Authorization=f"Bearer {token}")
    links(served, secrets, session)
    for username, password in ((EMAIL, SECRET["typed"]), (SECRET["typed"], "x"), (SECRET["typed"] + "@x.org", "x")):
        send(served, "POST", "/login", urlencode({"username": username, "password": password}), **FORM)
        send(served, "POST", "/api/auth/login", json.dumps({"username": username, "password": password}), **JSON)
    for table in ("csv", "ndjson"):
        send(served, "GET", f"/api/audit?format={table}", **session)
    return session


def links(served: Served, secrets: Secrets, session: dict[str, str]) -> None:
    """Make the links of a wall screen and of a badge, and open them."""
    _, page = send(served, "POST", "/screens", urlencode({"name": "Kitchen"}), **FORM, **session)
    found = re.search(r"/kiosk/open/([\w-]+)", page)
    assert found is not None
    secrets.add(screen=found[1])
    _, page = send(served, "GET", "/badges?release=release:x", **session)
    badge = re.search(r"key=([\w.~-]+)", page)
    assert badge is not None
    secrets.add(badge=badge[1])
    for path in (found[0], f"{found[0]}x", f"/badges/releases/release:x.svg?key={badge[1]}"):
        send(served, "GET", path)
    send(served, "GET", "/kiosk", Cookie=f"release_dashboard_kiosk={found[1]}")
    send(served, "GET", "/releases", Cookie=f"release_dashboard_kiosk={found[1]}")


def command(settings: Settings, folder: Path, *arguments: str, typed: str) -> str:
    """What a command says, to people and otherwise."""
    argv = [sys.executable, "-P", "-m", "dashboard.cli", *arguments]
    env = os.environ | environment(settings) | {"DATA_DIR": str(folder)}
    done = subprocess.run(argv, env=env, input=typed, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout + done.stderr


def break_every_user(accounts: Accounts, served: Served, session: dict[str, str], bearer: dict[str, str]) -> None:
    """Have every request that asks for a user fail with a mistake of ours, and send such with secrets in them."""
    with accounts.session() as transaction:
        transaction.execute(text("UPDATE users SET role = 'wizard'"))
    login = {"username": EMAIL, "password": PASSWORD}
    statuses = [
        send(served, "GET", "/releases", **session)[0],
        send(served, "GET", "/api/auth/me", **bearer)[0],
        send(served, "POST", "/login", urlencode(login), **FORM)[0],
        send(served, "POST", "/api/auth/login", json.dumps(login), **JSON)[0],
    ]
    with accounts.session() as transaction:
        transaction.execute(text("UPDATE users SET role = 'admin'"))
    assert statuses == [500] * 4


@ON_EVERY_DATABASE_IN_FULL
def test_no_secret_is_in_the_log_or_in_the_audit(
    served: Served, settings: Settings, accounts: Accounts, tmp_path: Path
):
    secrets = Secrets(settings)
    session = all_kinds(served, secrets, settings)
    break_every_user(accounts, served, session, {"Authorization": f"Bearer {secrets.known['token']}"})
    typed = f"{SECRET['next']}\n"
    said = command(settings, tmp_path, "users", "password", EMAIL, "--password-stdin", typed=typed)
    said += command(settings, tmp_path, "users", "add", "bob@example.com", "--password-stdin", typed=typed)
    with accounts.session() as transaction:
        transaction.execute(text("DELETE FROM login_failures"))
    login = urlencode({"username": EMAIL, "password": SECRET["next"]})
    answer = raw(
        served, b"POST /login HTTP/1.1\r\nContent-Type: %b\r\n" % FORM["Content-Type"].encode(), login.encode()
    )
    again = re.search(rb"release_dashboard=([\w-]+)", answer)
    assert again is not None
    secrets.add(again=again[1].decode())
    session = {"Cookie": f"release_dashboard={again[1].decode()}"}
    exports = [send(served, "GET", f"/api/audit?format={form}", **session) for form in ("csv", "ndjson")]
    with accounts.session() as transaction:
        rows = [tuple(row) for row in transaction.execute(text("SELECT * FROM audit"))]
    events = {line["event"] for line in lines(served)}

    assert events >= {
        *("login_succeeded", "login_failed", "refresh_reused", "token_created", "kiosk_link_created", "exported"),
        "request_failed",
    }
    assert [status for status, _ in exports] == [200, 200]
    assert all("password_reset" in table and "user_added" in table for _, table in exports)
    places = {"log": served.log.read_text(), "audit": repr(rows), "commands": said, "exports": repr(exports)}
    assert [(place, name) for place, text in places.items() for name in secrets.found_in(text)] == []
    assert len(secrets.known) > 15
    for hashed in ("$argon2", "argon2id"):
        assert hashed not in "".join(places.values())
