"""What the measurements under load need: Temporal, a worker, the dashboard as it is shipped, and a bare server."""

import http.client
import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

from temporalio.client import Client

from bench.pages import EMAIL, PASSWORD
from dashboard import ports
from dashboard.accounts.store import Accounts
from dashboard.bridge import LoopThread
from dashboard.demo.children import Child, spawn, stop
from dashboard.demo.server import EmbeddedTemporal

T = TypeVar("T")
QUEUE = "bench"
COMMAND = str(Path(sys.executable).with_name("release-dashboard"))
TICKS = os.sysconf("SC_CLK_TCK")


class Stand:
    """Temporal with releases, the dashboard as it is shipped, and the bare server, each in a process of its own."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self._stack = stack
        self._folder = folder
        self.temporal = stack.enter_context(EmbeddedTemporal(log=folder / "temporal.log", metrics=True))
        self._loop = LoopThread()
        self._client: Client | None = None
        self._start("worker", [sys.executable, "-m", "bench.release", self.temporal.address, QUEUE], "ready")
        self.base, self.dashboard = self._dashboard()
        port = ports.find_free()
        self._start("bare", [sys.executable, "-m", "bench.bare", str(port)], "Serving")
        self.bare = f"http://127.0.0.1:{port}"
        self.cookie = cookie_of(self.base, "POST", "/login", {"username": EMAIL, "password": PASSWORD})
        self.bare_cookie = cookie_of(self.bare, "GET", "/login", {})

    def _start(self, name: str, argv: list[str], said: str, env: dict[str, str] | None = None) -> Child:
        log = self._folder / f"{name}.log"
        child = spawn(name, argv, env={**os.environ, **(env or {})}, log=log)
        self._stack.callback(stop, [child], 10)
        until = time.monotonic() + 60
        while said not in log.read_text() and time.monotonic() < until:
            child.check()
            time.sleep(0.05)
        return child

    def _dashboard(self) -> tuple[str, Child]:
        port = ports.find_free()
        env = {
            "DATA_DIR": str(self._folder),
            "SECRET_KEY": "k" * 32,
            "LOG_LEVEL": "ERROR",
            "TEMPORAL_ADDRESS": self.temporal.address,
            "TEMPORAL_CONFIG_FILE": os.devnull,
            "DASHBOARD_ENV_FILE": os.devnull,
        }
        accounts = Accounts(f"sqlite:///{self._folder / 'accounts.db'}")
        accounts.create_tables()
        accounts.ensure(EMAIL, PASSWORD)
        accounts.close()
        child = self._start("dashboard", [COMMAND, "serve", "--port", str(port)], "Serving", env)
        return f"http://127.0.0.1:{port}", child

    def run(self, make: Callable[[Client], Coroutine[Any, Any, T]]) -> T:
        """Do something with the SDK's client."""

        async def work() -> T:
            self._client = self._client or await Client.connect(self.temporal.address)
            return await make(self._client)

        return self._loop.call(work, 60)

    def release(self, name: str, entities: int, state: str = "deploying") -> str:
        """Start a release of about so many entities; its id."""
        release_id = f"release:{name}"
        self.run(
            lambda client: client.start_workflow(
                "ReleaseWorkflow", args=[entities, state], id=release_id, task_queue=QUEUE
            )
        )
        return release_id

    def change(self, release_id: str, word: str) -> float:
        """Let its first app change; when that was told, by the wall clock."""
        told = time.time()
        self.run(lambda client: client.get_workflow_handle(release_id).signal("change", word))
        return told

    def timed(self, make: Callable[[Client], Coroutine[Any, Any, object]], rounds: int = 15) -> float:
        """The median time of a bare call, in seconds."""
        taken = []
        for _ in range(rounds):
            started = time.perf_counter()
            self.run(make)
            taken.append(time.perf_counter() - started)
        return statistics.median(taken)

    def get(self, path: str, **headers: str) -> http.client.HTTPResponse:
        """One answer of the dashboard, its body read."""
        connection = http.client.HTTPConnection(self.base.removeprefix("http://"), timeout=30)
        connection.request("GET", path, headers={"Cookie": self.cookie, **headers})
        answer = connection.getresponse()
        answer.text = answer.read()  # type: ignore[attr-defined]
        connection.close()
        return answer

    def calls(self) -> dict[str, int]:
        """The calls that Temporal's frontend has taken so far, by their name, of all clients."""
        connection = http.client.HTTPConnection(self.temporal.metrics_address, timeout=10)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        found: dict[str, int] = {}
        for line in text.splitlines():
            name = re.search(r'operation="(\w+)"', line)
            if line.startswith("service_requests{") and 'service_name="frontend"' in line and name:
                found[name[1]] = found.get(name[1], 0) + int(float(line.rsplit(" ", 1)[1]))
        return found

    def asked(self, before: dict[str, int]) -> dict[str, int]:
        """What a dashboard has asked since: the calls that workers make are left out."""
        ours = ("DescribeWorkflowExecution", "QueryWorkflow", "ListWorkflowExecutions", "CountWorkflowExecutions")
        after = self.calls()
        return {name: after.get(name, 0) - before.get(name, 0) for name in ours}

    def processor_seconds(self) -> float:
        """What the dashboard's processes have used so far."""
        mine = self.dashboard.process.pid
        return sum(_processor_seconds(pid) for pid in [mine, *_children_of(mine)])


def _children_of(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found] + [below for child in found for below in _children_of(int(child))]


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def cookie_of(base: str, method: str, path: str, form: dict[str, str]) -> str:
    """The session that a login gives."""
    connection = http.client.HTTPConnection(base.removeprefix("http://"), timeout=30)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    connection.request(method, path, urlencode(form) if form else None, headers)
    answer = connection.getresponse()
    answer.read()
    cookie = (answer.getheader("Set-Cookie") or "").partition(";")[0]
    connection.close()
    return cookie


class Load:
    """The load generator at work, in a process of its own."""

    def __init__(self, what: str, url: str, cookie: str, *more: str) -> None:
        argv = [sys.executable, "-m", "bench.load", what, url, "--cookie", cookie, *more]
        self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603

    def ready(self) -> None:
        """Wait until every viewer is there."""
        if not self._process.stdout or self._process.stdout.readline() != "ready\n":
            raise SystemExit("the viewers did not come")

    def end(self) -> dict[str, Any]:
        """Let it come to its end; what came of it."""
        found: dict[str, Any] = json.loads(self._process.communicate("end\n", timeout=60)[0])
        return found
