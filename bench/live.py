"""Measures the dashboard as it is served, under load: python -m bench.live. `make bench` runs it after bench.pages."""

import http.client
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
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
VIEWERS = int(os.environ.get("BENCH_VIEWERS", "1000"))
QUIET_SECONDS = int(os.environ.get("BENCH_QUIET_SECONDS", "60"))
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


def rate(url: str, cookie: str, *more: str) -> dict[str, Any]:
    """Answers a second for 100 clients at once."""
    return Load("requests", url, cookie, *more).end()


def row(what: str, figure: str, reference: str, compared: str, bound: str) -> None:
    """Print one row."""
    print(f"{what:<52} {figure:>14}   {reference:<34} {compared:>9}   {bound}", flush=True)


def rates(stand: Stand, thousand: str) -> None:
    """What 100 clients at once are answered, beside the bare server."""
    path = f"/api/releases/{thousand}/hierarchy"
    size = len(stand.get(path).text)  # type: ignore[attr-defined]
    ours = rate(f"{stand.base}{path}", stand.cookie)
    bare = rate(f"{stand.bare}/bytes/{size}", stand.bare_cookie)
    row(
        "hierarchy JSON, 1,000 entities, warm, 100 clients",
        f"{ours['rate']:.0f}/s",
        f"bare view, as many bytes {bare['rate']:.0f}/s",
        f"{ours['rate'] / bare['rate']:.2f}",
        ">= 0.7",
    )
    tag = stand.get(f"/releases/{thousand}", **{"HX-Request": "true"}).getheader("HX-PTag") or ""
    headers = ("--header", "HX-Request: true", "--header", f"HX-PTag: {tag}")
    ours = rate(f"{stand.base}/releases/{thousand}", stand.cookie, *headers)
    bare = rate(f"{stand.bare}/unchanged", stand.bare_cookie, "--header", "If-None-Match: x")
    row(
        f"unchanged poll, 100 clients {ours['statuses']}",
        f"{ours['rate']:.0f}/s",
        f"bare view, 304 {bare['rate']:.0f}/s",
        f"{ours['rate'] / bare['rate']:.2f}",
        ">= 0.7",
    )
    ours = rate(f"{stand.base}/releases", stand.cookie)

    async def listed(client: Client) -> None:
        await client.list_workflows("WorkflowType = 'ReleaseWorkflow'", page_size=20).fetch_next_page()

    once = 1 / stand.timed(listed)
    row(
        "list page of 20, warm, 100 clients",
        f"{ours['rate']:.0f}/s",
        f"SDK list, one at a time {once:.0f}/s",
        f"{ours['rate'] / once:.1f}",
        ">= 25",
    )


def seen_by(stand: Stand, release_id: str, viewers: int, word: str, seconds: float) -> tuple[dict[str, Any], Any]:
    """Let so many look for a while and let an app change: what they saw, and what Temporal was asked meanwhile."""
    url = f"{stand.base}/releases/{release_id}?open=cluster:c0"
    looking = Load("viewers", url, stand.cookie, "--clients", str(viewers), "--mark", word)
    looking.ready()
    before = stand.calls()
    time.sleep(seconds / 2)
    told = stand.change(release_id, word)
    time.sleep(seconds / 2)
    asked = stand.asked(before)
    found = looking.end()
    found["late"] = [at - told for at in found["at"]]
    return found, asked


def changes(stand: Stand, thousand: str) -> None:
    """How soon a change reaches everybody, what it costs Temporal, and how many bytes it is."""
    _, asked_by_one = seen_by(stand, thousand, 1, "verifying", 10)
    found, asked = seen_by(stand, thousand, VIEWERS, "rolling-back", 10)
    late = found["late"]
    if late:
        p50, p95 = statistics.median(late), late[int(len(late) * 0.95)]
        reached = f"{len(late):,} of {found['connected']:,} viewers, {found['lost']} lost"
        row("change of one app in 1,000 to the answer", f"p50 {p50:.2f} s", reached, f"p95 {p95:.2f}", "p50 0.5, p95 1")
    total, by_one = sum(asked.values()), sum(asked_by_one.values())
    row(
        f"calls to Temporal in 10 s, {VIEWERS:,} viewers",
        str(total),
        f"1 viewer {by_one} {asked_by_one}",
        f"{total / max(by_one, 1):.2f}",
        "<= 1.2",
    )
    whole = stand.get(f"/releases/{thousand}/hierarchy", **{"HX-Request": "true"})
    size = len(whole.text)  # type: ignore[attr-defined]
    row(
        "bytes per viewer for that change",
        str(found["bytes"]),
        f"whole tree fragment {size:,}",
        f"{found['bytes'] / size:.3f}",
        "<= 0.05",
    )


def quiet(stand: Stand) -> None:
    """Ten watched releases in which nothing happens."""
    ids = [stand.release(f"quiet-{number}", 1_000, "awaiting_approval") for number in range(10)]
    looking = [Load("viewers", f"{stand.base}/releases/{one}", stand.cookie, "--clients", "1") for one in ids]
    for each in looking:
        each.ready()
    time.sleep(5)
    before, used = stand.calls(), stand.processor_seconds()
    time.sleep(QUIET_SECONDS)
    asked, used = stand.asked(before), stand.processor_seconds() - used
    for each in looking:
        each.end()
    row(f"10 quiet releases, queries in {QUIET_SECONDS} s", str(asked["QueryWorkflow"]), f"{asked}", "", "0")
    row("their processor time", f"{100 * used / QUIET_SECONDS:.1f} %", "of one core", "", "< 5 %")


def cost_of_changes(stand: Stand, release_id: str) -> float:
    """The dashboard's processor time for one change that one viewer sees, in seconds."""
    looking = Load("viewers", f"{stand.base}/releases/{release_id}?open=cluster:c0", stand.cookie, "--clients", "1")
    looking.ready()
    time.sleep(3)
    quiet_before = stand.processor_seconds()
    time.sleep(5)
    rest = stand.processor_seconds() - quiet_before
    before = stand.processor_seconds()
    for number in range(5):
        stand.change(release_id, "deployed" if number % 2 else "verifying")
        time.sleep(2)
    used = stand.processor_seconds() - before - 2 * rest
    looking.end()
    return used / 5


def sizes(stand: Stand, thousand: str) -> None:
    """What a change of one app costs in a release of 7,000 entities beside one of 1,000."""
    large = stand.release("seven", 7_000)
    small_cost, large_cost = cost_of_changes(stand, thousand), cost_of_changes(stand, large)
    row(
        "processor time per change, 7,000 entities",
        f"{1000 * large_cost:.0f} ms",
        f"1,000 entities {1000 * small_cost:.0f} ms",
        f"{large_cost / max(small_cost, 0.001):.1f}",
        "<= 8",
    )


def main() -> None:
    """Start everything, print the table, stop everything."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stand = Stand(stack, folder)
        for number in range(20):
            stand.release(f"small-{number}", 25)
        thousand = stand.release("thousand", 1_000)
        stand.get(f"/releases/{thousand}")
        print(f"{'what':<52} {'figure':>14}   {'beside':<34} {'ratio':>9}   must be")
        rates(stand, thousand)
        changes(stand, thousand)
        quiet(stand)
        sizes(stand, thousand)


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)
