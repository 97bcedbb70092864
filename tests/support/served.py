"""`release-dashboard serve` as a process of its own, with its own accounts, and streams of news from it."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

from dashboard.auth.accounts import Accounts
from dashboard.database.models import Role
from dashboard.server import ports
from tests.support.api_document import check
from tests.support.harness import EMAIL, PASSWORD, UNHURRIED
from tests.support.waiting import eventually

# How long a database takes on a busy machine is nothing to fail for.
PATIENT = {f"DATABASE_{what}_TIMEOUT": "60" for what in ("CONNECT", "STATEMENT", "POOL")}


class Served:
    """A dashboard in a process of its own."""

    def __init__(
        self,
        folder: Path,
        temporal: str,
        environment: dict[str, str],
        port: int | None = None,
        files: int | None = None,
    ) -> None:
        self.folder = folder
        self.port = port or ports.find_free_port()
        argv = [sys.executable, "-P", "-m", "dashboard.cli", "serve", "--port", str(self.port)]
        if files:
            argv = ["sh", "-c", f'ulimit -n {files} && exec "$@"', "sh", *argv]
        env = os.environ | {"DATA_DIR": str(folder / "data"), "TEMPORAL_ADDRESS": temporal} | PATIENT | environment
        self.log = folder / "serve.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(argv, cwd=folder, env=env, stdout=log, stderr=log)
        eventually(lambda: ports.http_answers(self.port, "/health") or self.process.poll() is not None, 60)
        assert self.process.poll() is None, self.log.read_text()

    def ask(self, method: str, path: str, body: str = "", **headers: str) -> tuple[int, str, float]:
        """The answer's status and text, and how many seconds it took. Each on a connection of its own.

        One of the API is checked against its reference.
        """
        started = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body or None, headers)
            answer = connection.getresponse()
            text = answer.read()
            seconds = time.monotonic() - started
            check(method, path.partition("?")[0], answer.status, answer.headers, text)
            return answer.status, text.decode(), seconds
        finally:
            connection.close()

    def login(self) -> str:
        """The cookie of a new session of the user that `account` makes."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            form = urlencode({"username": EMAIL, "password": PASSWORD})
            connection.request("POST", "/login", form, {"Content-Type": "application/x-www-form-urlencoded"})
            answer = connection.getresponse()
            assert answer.status == 303
            return answer.headers["Set-Cookie"].partition(";")[0]
        finally:
            connection.close()

    def token(self) -> str:
        """An access token of that user, for a script."""
        form, sent = urlencode({"username": EMAIL, "password": PASSWORD}), "application/x-www-form-urlencoded"
        status, text, _ = self.ask("POST", "/api/auth/login", form, **{"Content-Type": sent})
        assert status == 200
        return str(json.loads(text)["access_token"])

    def end_sessions(self) -> None:
        """End the sessions of the user that `account` makes, as another process does; the password stays the same."""
        accounts = account(self.folder)
        accounts.set_password(EMAIL, PASSWORD)
        accounts.close()

    def end(self) -> int:
        """Tell it to end; return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@contextmanager
def serving(
    folder: Path,
    temporal: str = "127.0.0.1:1",
    *,
    port: int | None = None,
    files: int | None = None,
    **environment: str,
) -> Iterator[Served]:
    """A dashboard that has ended when the context ends; it may open so many `files`."""
    served = Served(folder, temporal, environment, port, files)
    try:
        yield served
    finally:
        if served.process.poll() is None:
            served.process.kill()
            served.process.wait()


def account(folder: Path) -> Accounts:
    """The accounts of the dashboard that is served from this folder, with one user."""
    (folder / "data").mkdir(exist_ok=True)
    accounts = Accounts(f"sqlite:///{folder / 'data' / 'accounts.db'}", bounds=UNHURRIED)
    accounts.prepare()
    accounts.ensure(EMAIL, PASSWORD, name="Rita", role=Role.viewer)
    return accounts


class Listener:
    """An open stream of news. `status` is what it was answered with."""

    def __init__(self, served: Served, path: str, **headers: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=45)
        self._connection.request("GET", f"/live{path}", headers={"Accept": "text/event-stream"} | headers)
        self.answer = self._connection.getresponse()
        self.status = self.answer.status

    def event(self) -> tuple[str, str] | None:
        """The next event: its name and its version; None when the stream has ended. `data` has its lines."""
        fields: dict[str, str] = {}
        self.data: list[str] = []
        while line := self.answer.readline().decode():
            field, _, value = line.rstrip("\n").partition(": ")
            if field == "data":
                self.data.append(value)
            elif field:
                fields[field] = value
            elif "event" in fields:
                return fields["event"], fields["id"]
        return None

    def close(self) -> None:
        """Go away."""
        self.answer.close()
        self._connection.close()
