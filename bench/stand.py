"""What the measurements need: Temporal, a worker, the dashboard as it is shipped, and a bare server."""

import http.client
import os
import re
import sys
import time
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

from temporalio.api.workflowservice.v1 import GetSystemInfoRequest
from temporalio.client import Client as Temporal

from bench.client import Client
from dashboard.auth.accounts import Accounts
from dashboard.concurrency.loop_thread import LoopThread
from dashboard.demo.children import ChildProcess, spawn_process, stop_processes
from dashboard.demo.server import EmbeddedTemporal
from dashboard.server import ports

T = TypeVar("T")
QUEUE = "bench"
PASSWORD = "correct horse battery"  # noqa: S105 - opens nothing
COMMAND = str(Path(sys.executable).with_name("release-dashboard"))
TICKS = os.sysconf("SC_CLK_TCK")
# Clients at once; each is a user of its own, so that no two of them have anything in common.
SESSIONS = 100
SECONDS_TO_START = 60
# What a dashboard asks; the calls that workers make are others.
OURS = ("DescribeWorkflowExecution", "QueryWorkflow", "ListWorkflowExecutions", "CountWorkflowExecutions")


class Stand:
    """Each of them in a process of its own, until the stack is left."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self._stack = stack
        self._folder = folder
        self._temporal = stack.enter_context(EmbeddedTemporal(log=folder / "temporal.log", metrics=True))
        self._loop = LoopThread()
        self._client: Temporal | None = None
        self._dashboard: ChildProcess | None = None
        self._start("worker", [sys.executable, "-m", "bench.release", self._temporal.address, QUEUE], "ready")
        port = ports.find_free_port()
        self._start("bare", [sys.executable, "-m", "bench.bare", str(port)], "Serving on http")
        self.bare = f"http://127.0.0.1:{port}"
        self._add_users()
        self.renew()
        self.cookies = self._sessions("dashboard", lambda number: self._login(number).cookie)
        self.bare_cookies = self._sessions("bare", lambda number: Client(self.bare).login(f"/login/{number}"))

    def renew(self) -> None:
        """Serve a dashboard that has been asked nothing yet, instead of the one before."""
        if self._dashboard:
            stop_processes([self._dashboard], 10)
        port = ports.find_free_port()
        env = {
            "DATA_DIR": str(self._folder),
            "SECRET_KEY": "k" * 32,
            "LOG_LEVEL": "ERROR",
            "TEMPORAL_ADDRESS": self._temporal.address,
            "TEMPORAL_CONFIG_FILE": os.devnull,
            "DASHBOARD_ENV_FILE": os.devnull,
        }
        self._dashboard = self._start("dashboard", [COMMAND, "serve", "--port", str(port)], "Serving on http", env)
        self.base = f"http://127.0.0.1:{port}"

    def viewer(self) -> Client:
        """A client of the dashboard that has logged in."""
        return self._login(0)

    def run(self, make: Callable[[Temporal], Coroutine[Any, Any, T]]) -> T:
        """Do something with the SDK's client."""

        async def work() -> T:
            self._client = self._client or await Temporal.connect(self._temporal.address)
            return await make(self._client)

        return self._loop.call(work, 60)

    def temporal_version(self) -> str:
        """What the server says of itself."""
        return self.run(lambda client: client.workflow_service.get_system_info(GetSystemInfoRequest())).server_version

    def release(self, name: str, entities: int, state: str = "deploying") -> str:
        """Start a release of about so many entities; its id."""
        release_id, given = f"release:{name}", [entities, state]
        self.run(lambda client: client.start_workflow("ReleaseWorkflow", args=given, id=release_id, task_queue=QUEUE))
        return release_id

    def wait_for(self, release_id: str) -> None:
        """Wait until the worker has taken up a release, and so all that were started before it."""
        until = time.monotonic() + SECONDS_TO_START
        while time.monotonic() < until:
            found = self.run(lambda client: client.get_workflow_handle(release_id).describe())
            if found.history_length >= 4:
                return
            time.sleep(0.05)
        raise SystemExit(f"The worker did not take up {release_id}")

    def change(self, release_id: str, version: str) -> float:
        """Let its first app change, to this version; when that was told, by the wall clock."""
        told = time.time()
        self.run(lambda client: client.get_workflow_handle(release_id).signal("change", version))
        return told

    def query(self, release_id: str) -> None:
        """The bare call of the SDK for a whole release, decoded as the SDK decodes it."""
        self.run(lambda client: client.get_workflow_handle(release_id).query("get_hierarchy"))

    def listed(self) -> None:
        """The bare call of the SDK for a page of the list."""

        async def fetch(client: Temporal) -> None:
            await client.list_workflows("WorkflowType = 'ReleaseWorkflow'", page_size=20).fetch_next_page()

        self.run(fetch)

    def calls(self) -> dict[str, int]:
        """The calls of a dashboard's kinds that Temporal's frontend has taken so far, by their name."""
        connection = http.client.HTTPConnection(self._temporal.metrics_address, timeout=10)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        found = dict.fromkeys(OURS, 0)
        for line in text.splitlines():
            name = re.search(r'operation="(\w+)"', line)
            if name and name[1] in found and line.startswith("service_requests{") and 'name="frontend"' in line:
                found[name[1]] += int(float(line.rsplit(" ", 1)[1]))
        return found

    def asked(self, before: dict[str, int]) -> dict[str, int]:
        """What has been asked since, by whomever."""
        after = self.calls()
        return {name: after[name] - before[name] for name in OURS}

    def used(self, seconds: float) -> float:
        """The processor time that the dashboard's processes use in the next so many seconds."""
        before = self._processor_seconds()
        time.sleep(seconds)
        return self._processor_seconds() - before

    def _processor_seconds(self) -> float:
        mine = self._dashboard.process.pid if self._dashboard else 0
        return sum(_processor_seconds(pid) for pid in [mine, *_children_of(mine)])

    def _start(self, name: str, argv: list[str], said: str, env: dict[str, str] | None = None) -> ChildProcess:
        log = self._folder / f"{name}.log"
        child = spawn_process(name, argv, env={**os.environ, **(env or {})}, log=log)
        self._stack.callback(stop_processes, [child], 10)
        until = time.monotonic() + SECONDS_TO_START
        while said not in log.read_text():
            child.check()
            if time.monotonic() > until:
                raise SystemExit(f"The {name} did not start")
            time.sleep(0.05)
        return child

    def _add_users(self) -> None:
        accounts = Accounts(f"sqlite:///{self._folder / 'accounts.db'}")
        accounts.prepare()
        for number in range(SESSIONS):
            accounts.ensure(_email(number), PASSWORD)
        accounts.close()

    def _login(self, number: int) -> Client:
        client = Client(self.base)
        client.login("/login", username=_email(number), password=PASSWORD)
        return client

    def _sessions(self, name: str, login: Callable[[int], str]) -> str:
        """A file with a cookie for each of the clients, no two of them the same."""
        cookies = [login(number) for number in range(SESSIONS)]
        if len(set(cookies)) < SESSIONS:
            raise SystemExit("Some clients share a session")
        file = self._folder / f"{name}.cookies"
        file.write_text("\n".join(cookies))
        return str(file)


def _email(number: int) -> str:
    return f"viewer-{number}@example.com"


def _children_of(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found] + [below for child in found for below in _children_of(int(child))]


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS
