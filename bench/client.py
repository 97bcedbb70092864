"""Who asks: one kept-alive client, and the load generator with as many as it takes."""

import http.client
import json
import subprocess
import sys
from typing import Any
from urllib.parse import urlencode

SECONDS_TO_ANSWER = 30


class Client:
    """One client with a connection that it keeps, and a session."""

    def __init__(self, base: str) -> None:
        self._connection = http.client.HTTPConnection(base.removeprefix("http://"), timeout=SECONDS_TO_ANSWER)
        self.cookie = ""
        self.body = b""

    def login(self, path: str, **form: str) -> str:
        """Log in; the session's cookie. Raises SystemExit if that is refused."""
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = self._ask("POST" if form else "GET", path, urlencode(form) if form else None, headers)
        self.cookie = (answer.getheader("Set-Cookie") or "").partition(";")[0]
        if answer.status >= 400 or not self.cookie:
            raise SystemExit(f"The login at {path} answered {answer.status}")
        return self.cookie

    def get(self, path: str, **headers: str) -> http.client.HTTPResponse:
        """Ask for a page and read all of it, into `body`. Raises SystemExit for what is no answer to measure."""
        answer = self._ask("GET", path, None, {"Cookie": self.cookie, **headers})
        if answer.status not in {200, 304}:
            raise SystemExit(f"{path} answered {answer.status}")
        return answer

    def close(self) -> None:
        """Let the connection go."""
        self._connection.close()

    def _ask(self, method: str, path: str, form: str | None, headers: dict[str, str]) -> http.client.HTTPResponse:
        self._connection.request(method, path, form, headers)
        answer = self._connection.getresponse()
        self.body = answer.read()
        return answer


class Load:
    """The load generator at work, in a process of its own."""

    def __init__(self, what: str, *given: str) -> None:
        argv = [sys.executable, "-m", "bench.load", what, *given]
        self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603

    def ready(self) -> "Load":
        """Wait until every viewer is there."""
        if not self._process.stdout or self._process.stdout.readline() != "ready\n":
            raise SystemExit("The viewers did not come")
        return self

    def end(self) -> dict[str, Any]:
        """Let it come to its end; what came of it."""
        said = self._process.communicate("end\n", timeout=60)[0]
        if self._process.returncode:
            raise SystemExit("The load generator failed")
        found: dict[str, Any] = json.loads(said)
        return found
