"""Measures pages and twins beside the bare calls of the SDK, taken in turn in the same run."""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from flask.testing import FlaskClient
from pydantic import SecretStr
from temporalio.client import Client

from dashboard.accounts.store import Accounts
from dashboard.app import create_app
from dashboard.bridge import LoopThread
from dashboard.demo.children import spawn, stop
from dashboard.demo.samples import samples
from dashboard.demo.server import EmbeddedTemporal
from dashboard.live.releases import MAX_AGE, LiveReleases
from dashboard.settings import Settings
from dashboard.temporal.connection import Connection
from dashboard.temporal.gateway import TemporalGateway

ROUNDS = 15
EMAIL, PASSWORD = "bench@example.com", "correct horse battery"


def browser(address: str, folder: Path, max_age: float = MAX_AGE, releases: LiveReleases | None = None) -> FlaskClient:
    """A fresh dashboard that has never asked Temporal, and a user in it. `releases` is what answers it, if given."""
    settings = Settings(
        data_dir=folder,
        secret_key=SecretStr("k" * 32),
        log_level="ERROR",
        temporal_environment={"TEMPORAL_ADDRESS": address, "TEMPORAL_CONFIG_FILE": os.devnull},
    )
    accounts = Accounts(settings.accounts_url)
    accounts.create_tables()
    accounts.ensure(EMAIL, PASSWORD)
    gateway = TemporalGateway(Connection(settings.temporal_environment), settings.release_query)
    releases = releases or LiveReleases(gateway, LoopThread(), timeout=settings.temporal_timeout, max_age=max_age)
    client = create_app(settings, accounts=accounts, releases=releases).test_client()
    client.post("/login", data={"username": EMAIL, "password": PASSWORD})
    return client


def milliseconds(act: Callable[[], object]) -> float:
    """How long it takes."""
    started = time.perf_counter()
    act()
    return (time.perf_counter() - started) * 1000


class Bench:
    """Bare calls and pages, measured in turn."""

    def __init__(self, address: str, folder: Path) -> None:
        self._address = address
        self._folder = folder
        self._loop = LoopThread()
        self._client: Client | None = None

    def bare(self, release_id: str, query: str) -> None:
        """The SDK's own query, decoded as the SDK decodes it."""

        async def ask() -> None:
            self._client = self._client or await Client.connect(self._address)
            await self._client.get_workflow_handle(release_id).query(query)

        self._loop.call(ask, 30)

    def bare_list(self) -> None:
        """The SDK's own list of 20."""

        async def ask() -> None:
            self._client = self._client or await Client.connect(self._address)
            runs = self._client.list_workflows("WorkflowType = 'ReleaseWorkflow'", page_size=20)
            await runs.fetch_next_page()

        self._loop.call(ask, 30)

    def row(self, what: str, path: str, reference: str, bare: Callable[[], None], *, before: str = "") -> None:
        """Print one row: the page, the bare call, and how they compare.

        Cold if `before` is given, the same page of something else: a dashboard that has served that, and nothing else,
        has connected and compiled its templates, which a server does once in its life.
        """
        bare()
        # Warm: within the second in which viewers share an answer, as they do while many look.
        warm = browser(self._address, self._folder, max_age=3600)
        times, references, size = [], [], 0
        for _ in range(ROUNDS):
            client = browser(self._address, self._folder) if before else warm
            references.append(milliseconds(bare))
            if before:
                client.get(before)
            times.append(milliseconds(partial(client.get, path)))
            size = len(client.get(path).data)
            if before:
                client.application.extensions["releases"].close()
        page, call = statistics.median(times), statistics.median(references)
        print(f"{what:<46} {page:8.1f} {size / 1000:9.1f} KB   {reference:<28} {call:8.1f}   {page / call:6.2f}")

    def run(self, thousand: str, other: str) -> None:
        """Print the table."""
        print(f"{'what':<46} {'ms':>8} {'size':>12}   {'beside':<28} {'ms':>8}   {'ratio':>6}")

        def hierarchy() -> None:
            self.bare(thousand, "get_hierarchy")

        bare = "SDK query get_hierarchy"
        tree = "/api/releases/{}/hierarchy"
        for what, path in (
            ("hierarchy JSON", tree),
            ("release JSON", "/api/releases/{}"),
            ("release page", "/releases/{}"),
        ):
            name = f"{what}, 1,000 entities, cold"
            self.row(name, path.format(thousand), bare, hierarchy, before=path.format(other))
        listing, bare_list = "SDK list of 20", self.bare_list
        self.row("list page of 20, cold", "/releases", listing, bare_list, before="/releases?q=nowhere")
        self.row("hierarchy JSON, 1,000 entities, warm", tree.format(thousand), bare, hierarchy)
        self.row("release page, 1,000 entities, warm", f"/releases/{thousand}", bare, hierarchy)
        self.row("list page of 20, warm", "/releases", listing, bare_list)


def main() -> None:
    """Start what is needed, measure, and stop it."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        temporal = stack.enter_context(EmbeddedTemporal(log=folder / "temporal.log"))
        log = folder / "worker.log"
        env = {"TEMPORAL_ADDRESS": temporal.address, "TEMPORAL_CONFIG_FILE": os.devnull, "PATH": os.environ["PATH"]}
        worker = spawn("worker", [sys.executable, "-m", "dashboard.demo.worker", "--pace", "0.02"], env=env, log=log)
        stack.callback(stop, [worker], 10)
        until = time.monotonic() + 180
        while "settled" not in log.read_text().splitlines() and time.monotonic() < until:
            worker.check()
            time.sleep(0.2)
        ids = {sample.role: sample.release_id for sample in samples()}
        Bench(temporal.address, folder).run(ids["thousand"], ids["completed"])


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)
