"""Count modules, and changes from one to another, for a page and for a change: `python -m scripts.module_trace`."""

import asyncio
import http.client
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from http.cookies import SimpleCookie
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import urlencode

from temporalio.client import Client

from scripts import support

PACKAGE = f"{support.ROOT / 'dashboard'}{os.sep}"
QUEUE = "module-trace"
RELEASES = [f"release:module-trace-{number}" for number in range(5)]
SIGN_IN = {"username": support.VIEWER, "password": support.PASSWORD}
# Where the rollout that says what it is told stands.
SCRIPTED = ("tests/support/scripted_rollout.py", "tests/scripted.py")


@dataclass(frozen=True, order=True)
class Count:
    """How many changes from one module to another, calls, threads, and which modules."""

    changes: int
    calls: int
    threads: int
    modules: frozenset[str]

    def show(self, what: str) -> None:
        """Print it as a row; with VERBOSE set, the modules as well."""
        folders = {Path(name).parent for name in self.modules}
        print(f"{what:16} {len(self.modules):7} {len(folders):7} {self.threads:7} {self.calls:6,} {self.changes:7,}")
        if os.environ.get("VERBOSE"):
            print("  " + "\n  ".join(sorted(name.removeprefix(PACKAGE) for name in self.modules)))
        sys.stdout.flush()


class Trace:
    """Which modules of the dashboard have functions called, thread by thread, while it is recording."""

    def __init__(self) -> None:
        self._recording = False
        self._called: dict[int, list[str]] = defaultdict(list)
        # Before the app is there, so that all threads that it starts have it.
        threading.setprofile(self._note)
        sys.setprofile(self._note)

    def _note(self, frame: FrameType, event: str, _arg: object) -> None:
        code = frame.f_code
        if self._recording and event == "call" and code.co_filename.startswith(PACKAGE) and code.co_name != "<module>":
            self._called[threading.get_ident()].append(code.co_filename)

    def count(self, act: Callable[[], object]) -> Count:
        """Do something, and count what it makes the dashboard do, in whatever threads."""
        self._called.clear()
        self._recording = True
        act()
        self._recording = False
        called = list(self._called.values())
        changes = sum(one != other for names in called for one, other in pairwise(names))
        return Count(changes, sum(map(len, called)), len(called), frozenset().union(*called))


def trace_pages() -> None:
    """Trace pages of releases that nobody has looked at yet, and one of them again and again."""
    trace = Trace()
    from dashboard.app import create_app

    app = create_app()
    # As the server does before it serves.
    for name in app.jinja_env.list_templates():
        app.jinja_env.get_template(name)
    browser = app.test_client()
    check(browser.post("/login", data=SIGN_IN).status_code, 303)
    paths = [f"/releases/{release_id}" for release_id in RELEASES]

    def look(path: str) -> None:
        check(browser.get(path).status_code, 200)

    # What else the process does meanwhile, such as looking at the others for those who might stay, counts as well:
    # the least of some is what the page itself takes.
    min(trace.count(partial(look, path)) for path in paths).show("cold page")
    min(trace.count(partial(look, paths[-1])) for _ in paths).show("warm page")


def trace_change(port: int) -> None:
    """Serve the dashboard, and trace changes, each from the signal to the rollout to the event on an open page."""
    trace = Trace()
    from dashboard.cli import main

    threading.Thread(target=_open_and_change, args=(trace, port)).start()
    main(["serve", "--port", str(port)])


def _open_and_change(trace: Trace, port: int) -> None:
    try:
        support.eventually(lambda: support.answers(port))
        cookie, path = _signed_in(port), f"/releases/{RELEASES[0]}"
        _ask(port, path, cookie).read()
        stream = _ask(port, f"/live{path}", cookie)
        _next_event(stream)
        with asyncio.Runner() as runner:
            client = runner.run(Client.connect(os.environ["TEMPORAL_ADDRESS"]))
            handle = client.get_workflow_handle(RELEASES[0])

            def change(state: str) -> None:
                runner.run(handle.signal("tell", {"get_hierarchy": tree(RELEASES[0], state)}))
                _next_event(stream)

            states = ("completed", "failed", "deploying", "completed", "failed")
            min(trace.count(partial(change, state)) for state in states).show("change")
    finally:
        os.kill(os.getpid(), signal.SIGINT)


def check(status: int, expected: int) -> None:
    """Raise RuntimeError if an answer has another status than it must have."""
    if status != expected:
        raise RuntimeError(f"Answered with {status}, not {expected}")


def _signed_in(port: int) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", "/login", urlencode(SIGN_IN), {"Content-Type": "application/x-www-form-urlencoded"})
    (cookie,) = SimpleCookie(connection.getresponse().headers["Set-Cookie"]).values()
    connection.close()
    return f"{cookie.key}={cookie.value}"


def _ask(port: int, path: str, cookie: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path, headers={"Cookie": cookie})
    answer = connection.getresponse()
    check(answer.status, 200)
    return answer


def _next_event(stream: http.client.HTTPResponse) -> None:
    while not stream.readline().startswith(b"event: "):
        pass
    while stream.readline().strip():
        pass


def tree(release_id: str, state: str) -> dict[str, Any]:
    """What a release answers: two waves of two clusters with three apps each, half of them in this state."""
    return _entity(release_id, "in_progress", waves=[_wave(number, state) for number in (1, 2)])


def _wave(number: int, state: str) -> dict[str, Any]:
    clusters = [_cluster(f"{number}-{letter}", state if letter == "a" else "pending") for letter in "ab"]
    return _entity(f"wave:{number}", "in_progress", sequence=number, clusters=clusters)


def _cluster(name: str, state: str) -> dict[str, Any]:
    apps = [_entity(f"app:{app}-{name}", state, version="1.2.3") for app in ("basket", "ledger", "search")]
    bundle = _entity(f"bundle:{name}", "in_progress", apps=apps)
    return _entity(f"cluster:{name}", "in_progress", bundle=bundle)


def _entity(entity_id: str, state: str, **more: object) -> dict[str, Any]:
    return {"id": entity_id, "name": entity_id.partition(":")[2], "state": state, **more}


def start_releases(address: str) -> None:
    """Start the releases."""

    async def start() -> None:
        client = await Client.connect(address)
        for release_id in RELEASES:
            answers = {"get_hierarchy": tree(release_id, "deploying")}
            await client.start_workflow("ScriptedRelease", answers, id=release_id, task_queue=QUEUE)

    with asyncio.Runner() as runner:
        runner.run(start())


def trace_all() -> None:
    """Start what is needed, and trace pages and changes, each in a process of its own."""
    scripted = next(name for name in SCRIPTED if (support.ROOT / name).exists())
    module = scripted.removesuffix(".py").replace("/", ".")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        address = stack.enter_context(support.temporal(folder))
        stack.enter_context(support.worker(folder, address, "ready", module, address, QUEUE))
        start_releases(address)
        support.prepare(folder, address, RELEASE_FILTER="WorkflowType = 'ScriptedRelease'")
        print(f"{'':16} modules folders threads  calls changes", flush=True)
        for step in (["pages"], ["change", str(support.free_port())]):
            subprocess.run([sys.executable, "-m", "scripts.module_trace", *step], check=True)


def main() -> None:
    """Do all, or the step that is named."""
    match sys.argv[1:]:
        case ["pages"]:
            trace_pages()
        case ["change", port]:
            trace_change(int(port))
        case _:
            trace_all()


if __name__ == "__main__":
    main()
