"""What the commands make of answers: of a dashboard that does not reach Temporal, and of what is no dashboard."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from flask import Flask

from dashboard.app import create_app
from dashboard.auth.accounts import Accounts
from dashboard.cli import main
from dashboard.concurrency.loop_thread import LoopThread
from dashboard.domain.entities import Status
from dashboard.domain.problems import Problem, ProblemCode, SourceUnavailable
from dashboard.live.service import LiveReleases
from dashboard.settings.model import Settings
from tests.browser.conftest import over_http
from tests.support.fake_source import FakeSource
from tests.support.waiting import eventually

DOWN = SourceUnavailable(Problem(ProblemCode.UNAVAILABLE, "Temporal cannot be reached."))

Run = Callable[..., Result]


@pytest.fixture
def source() -> FakeSource:
    return FakeSource()


@pytest.fixture
def app(settings: Settings, accounts: Accounts, source: FakeSource) -> Iterator[Flask]:
    given: Any = source
    live = LiveReleases(given, LoopThread(), timeout=1.0, max_age=0.1)
    yield create_app(settings, accounts=accounts, releases=live)
    live.close()


@pytest.fixture
def env(app: Flask, bearer: dict[str, str]) -> Iterator[dict[str, str]]:
    with over_http(app) as url:
        yield {"DASHBOARD_URL": url, "DASHBOARD_TOKEN": bearer["Authorization"].removeprefix("Bearer ")}


@pytest.fixture
def run(env: dict[str, str]) -> Run:
    return lambda *args: CliRunner().invoke(main, args, env=env)


def test_what_may_be_out_of_date_is_told_as_such(run: Run, source: FakeSource) -> None:
    assert "Out of date" not in run("show", "r").output
    source.answer = DOWN
    eventually(lambda: run("show", "r").output.startswith("Out of date: as of "))
    assert run("show", "r").output.splitlines()[0].endswith(" UTC. Temporal cannot be reached.")
    result = run("wait", "r", "--phase", "running", "--timeout", "1")
    assert result.output.startswith("Out of date: as of ")
    assert result.exit_code == 6


def test_of_what_is_not_known_nothing_is_told(run: Run, source: FakeSource) -> None:
    source.answer = DOWN
    for args in (("show", "r"), ("show", "r", "--watch"), ("releases",)):
        result = run(*args)
        assert (result.exit_code, result.stdout) == (7, ""), args
        assert result.stderr == "Error: Temporal cannot be reached. Try again in 5 s.\n"


def test_watching_goes_on_when_temporal_comes_back(env: dict[str, str], source: FakeSource, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as file:
        argv = [sys.executable, "-P", "-m", "dashboard.cli", "show", "r", "--watch"]
        watching = subprocess.Popen(argv, env=os.environ | env, stdout=file, stderr=file)
    said = [
        "r  running  0/10 apps",
        "r  running  0/10 apps  out of date",
        "r  running  0/10 apps",
        "r  failed  0/10 apps",
    ]
    with watching:
        try:
            for number, answer in enumerate((DOWN, None, None)):
                eventually(lambda: heard(log) == said[: number + 1])  # noqa: B023 - called at once
                source.answer = answer
            source.status, source.state = Status.FAILED, "failed"
            assert watching.wait(30) == 1
        finally:
            watching.kill()
    assert heard(log) == said


def heard(log: Path) -> list[str]:
    """What a log says, without its times."""
    return [line.partition("  ")[2] for line in log.read_text().splitlines()]


class Elsewhere(BaseHTTPRequestHandler):
    """Something else than a dashboard: answers what it is told to, and remembers the headers that it was sent."""

    status = 200
    sent: dict[str, str]
    body = b""
    heard: list[dict[str, str]]

    def do_GET(self) -> None:
        type(self).heard.append(dict(self.headers))
        self.send_response(self.status)
        for name, value in self.sent.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def elsewhere() -> Iterator[Callable[..., tuple[str, list[dict[str, str]]]]]:
    """Serves one answer; where, and what it was sent."""
    with ExitStack() as stack:

        def served(status: int, body: bytes, **sent: str) -> tuple[str, list[dict[str, str]]]:
            heard: list[dict[str, str]] = []
            given = {"status": status, "body": body, "sent": sent, "heard": heard}
            server = stack.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), type("Answer", (Elsewhere,), given)))
            thread = threading.Thread(target=server.serve_forever, args=(0.02,))
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.shutdown)
            return f"http://127.0.0.1:{server.server_port}", heard

        yield served


def ask(url: str, *args: str) -> Result:
    return CliRunner().invoke(main, args, env={"DASHBOARD_URL": url, "DASHBOARD_TOKEN": "rdt_secret"})


@pytest.mark.parametrize("args", [("releases",), ("show", "r"), ("show", "r", "--watch"), ("wait", "r")])
@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"<html>Welcome to nginx"),
        (200, b"[]"),
        (200, b"{}"),
        (200, b'{"items": 3, "stale": []}'),
        (200, b"\xff"),
        (404, b"not here"),
        (404, b'{"error": "odd"}'),
        (500, b""),
        (204, b""),
    ],
)
def test_what_is_no_dashboard_is_told(elsewhere: Any, status: int, body: bytes, args: tuple[str, ...]) -> None:
    url, _ = elsewhere(status, body)
    result = ask(url, *args)
    assert (result.exit_code, result.stdout) in {(2, ""), (7, "")}
    assert result.stderr.startswith(("Error: The server at ", "Error: Unexpected response "))
    assert result.stderr.count("\n") == 1


def test_the_token_goes_nowhere_but_where_it_was_meant_to(elsewhere: Any) -> None:
    other, heard = elsewhere(200, b"{}")
    url, asked = elsewhere(302, b"", Location=f"{other}/api/releases")
    result = ask(url, "releases")
    assert (result.exit_code, heard) == (2, [])
    assert result.stderr == f"Error: {url} redirects to {other}. Set DASHBOARD_URL to the final address.\n"
    assert [headers["Authorization"] for headers in asked] == ["Bearer rdt_secret"]


def test_waiting_comes_again_after_as_long_as_it_is_told(elsewhere: Any) -> None:
    said = json.dumps({"error": {"code": "too_many_waits", "message": "More wait than can be held."}}).encode()
    url, asked = elsewhere(503, said, **{"Retry-After": "1"})
    result = ask(url, "wait", "r", "--timeout", "3")
    assert (result.exit_code, result.stderr) == (7, "Error: More wait than can be held. Try again in 1 s.\n")
    assert 2 <= len(asked) <= 3
    impatient = ask(url, "show", "r", "--watch")
    assert (impatient.exit_code, len(asked)) == (7, len(asked))


def test_a_proxy_that_the_environment_names_is_used(elsewhere: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy, heard = elsewhere(200, b'{"items": [], "total": 0, "stale": false}')
    monkeypatch.setenv("http_proxy", proxy)
    assert ask("http://dashboard.invalid", "releases").output == "No results.\n"
    assert [headers["Host"] for headers in heard] == ["dashboard.invalid"]
    monkeypatch.setenv("no_proxy", "dashboard.invalid")
    assert ask("http://dashboard.invalid", "releases").exit_code == 7
