"""Measures the list of a namespace with many releases beside the bare calls of the SDK, taken in turn in the same run.

python -m bench.many_releases --n 100 1000 10000
python -m bench.many_releases --n 50000 --db FILE    # keeps the releases in FILE, for another time
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from flask.testing import FlaskClient
from pydantic import SecretStr
from temporalio.client import Client

from bench.table import milliseconds
from dashboard.app import create_app
from dashboard.auth.accounts import Accounts
from dashboard.concurrency.loop_thread import LoopThread
from dashboard.demo.server import EmbeddedTemporal
from dashboard.domain.entities import Execution
from dashboard.domain.filters import LIST_PAGE_SIZE, MAX_OFFSET, Cursor
from dashboard.domain.problems import Problem, ProblemCode
from dashboard.domain.source import ReleaseReading
from dashboard.live.service import LiveReleases
from dashboard.settings.model import Settings
from dashboard.temporal.connection import TemporalConnection
from dashboard.temporal.deadline import Deadline
from dashboard.temporal.gateway import TemporalGateway
from dashboard.views.releases.query import cursor_sealer, requested_slice

T = TypeVar("T")
QUERY = "WorkflowType = 'ReleaseWorkflow'"
ROUNDS = 15
EMAIL, PASSWORD = "bench@example.com", "correct horse battery"
AT_ONCE = 16
UNASKED = Problem(ProblemCode.NO_WORKER, "Nobody polls this task queue.")


class Unasked(TemporalGateway):
    """The gateway as it is, but each release's own query is a gap at once: nobody would answer it."""

    async def _state(
        self, client: Client, run: Execution, known: ReleaseReading | None, budget: Deadline
    ) -> ReleaseReading:
        return ReleaseReading(run, problem=UNASKED)


def browser(address: str, folder: Path, releases: LiveReleases) -> FlaskClient:
    """A dashboard in this process that `releases` answers, and a user in it."""
    settings = Settings(
        data_dir=folder,
        secret_key=SecretStr("k" * 32),
        log_level="ERROR",
        temporal_environment={"TEMPORAL_ADDRESS": address, "TEMPORAL_CONFIG_FILE": os.devnull},
    )
    accounts = Accounts(settings.accounts_url)
    accounts.prepare()
    accounts.ensure(EMAIL, PASSWORD)
    client = create_app(settings, accounts=accounts, releases=releases).test_client()
    client.post("/login", data={"username": EMAIL, "password": PASSWORD})
    return client


class Many:
    """A namespace with so many releases on a task queue that nobody polls; one in ten has been terminated."""

    def __init__(self, address: str, folder: Path) -> None:
        self._loop = LoopThread()
        self._address = address
        self._client: Client | None = None
        self._folder = folder
        self.count = self.run(lambda client: client.count_workflows(QUERY)).count

    def run(self, make: Callable[[Client], Coroutine[Any, Any, T]]) -> T:
        """Do something with the SDK's client."""

        async def work() -> T:
            self._client = self._client or await Client.connect(self._address)
            return await make(self._client)

        return self._loop.call(work, 3600)

    def grow(self, count: int) -> None:
        """Start releases until there are so many, and wait until visibility has them."""

        async def start(client: Client) -> None:
            gate = asyncio.Semaphore(AT_ONCE)

            async def one(number: int) -> None:
                async with gate:
                    handle = await client.start_workflow(
                        "ReleaseWorkflow",
                        id=f"release:team-{number % 10}-{number:06}",
                        task_queue="nobody",
                    )
                    if number % 10 == 0:
                        await handle.terminate()

            await asyncio.gather(*(one(number) for number in range(self.count, count)))

        async def listed(client: Client) -> bool:
            return (await client.count_workflows(QUERY)).count >= count

        self.run(start)
        while not self.run(listed):
            time.sleep(0.2)
        self.count = count

    def cursor(self, query: str, depth: int) -> Cursor:
        """Where the page after so many rows begins: a walk, made once and not measured."""

        async def walk(client: Client) -> Cursor:
            token, offset = b"", 0
            while offset < depth:
                runs = client.list_workflows(query, page_size=min(MAX_OFFSET, depth - offset), next_page_token=token)
                await runs.fetch_next_page()
                token, offset = runs.next_page_token or b"", offset + len(runs.current_page or ())
            return Cursor(token, offset)

        return self.run(walk)

    def bare(self, query: str, size: int, token: bytes | None, *, count: str | None) -> None:
        """The list call and the count call that a page needs, at the same time, as the SDK makes them."""

        async def ask(client: Client) -> None:
            runs = client.list_workflows(query, page_size=size, next_page_token=token)
            calls: list[Awaitable[object]] = [runs.fetch_next_page()]
            if count is not None:
                calls.append(client.count_workflows(f"{count} GROUP BY ExecutionStatus"))
            await asyncio.gather(*calls)

        self.run(ask)

    def measure(
        self, what: str, parameters: str = "", *, query: str = "", deep: bool = False, count: bool = True
    ) -> None:
        """Print a row: what answers the page, the page as JSON and as HTML, the bare calls, and how they compare."""
        connection = TemporalConnection({"TEMPORAL_ADDRESS": self._address, "TEMPORAL_CONFIG_FILE": os.devnull})
        live = LiveReleases(
            Unasked(connection, QUERY), LoopThread(), timeout=10, max_age=0, count_age=0 if count else 3600
        )
        client = browser(self._address, self._folder, live)
        # Counts are without the phase.
        counting = (QUERY if "phase" in parameters or not query else f"{QUERY} AND {query}") if count else None
        query = f"{QUERY} AND {query}" if query else QUERY
        cursor = self.cursor(query, self.count - self.count % LIST_PAGE_SIZE - LIST_PAGE_SIZE) if deep else None
        with client.application.test_request_context(f"/releases?{parameters}"):
            asked = replace(requested_slice(), cursor=cursor)
            path = (
                f"/releases?{parameters}"
                if cursor is None
                else f"/releases?cursor={cursor_sealer(asked.filter)(cursor)}"
            )
        size = asked.page * asked.page_size
        acts: dict[str, Callable[[], object]] = {
            "bare": partial(self.bare, query, size, cursor.token if cursor else None, count=counting),
            "list": partial(live.page, asked),
            "json": partial(client.get, f"/api{path}"),
            "html": partial(client.get, path),
        }
        times: dict[str, list[float]] = {name: [] for name in acts}
        if client.get(f"/api{path}").status_code != 200:
            raise SystemExit(f"{path} is not answered")
        for _ in range(ROUNDS):
            for name, act in acts.items():
                times[name].append(milliseconds(act))
        live.close()
        median = {name: statistics.median(taken) for name, taken in times.items()}
        ratios = "".join(f"{median[name] / median['bare']:8.2f}" for name in ("list", "json", "html"))
        print(
            f"{self.count:>7,}  {what:<34}" + "".join(f"{value:8.1f}" for value in median.values()) + ratios, flush=True
        )

    def table(self) -> None:
        """Print what a page of each kind costs at this size."""
        self.measure("first page")
        self.measure("first page, counts shared", count=False)
        search = "(WorkflowId STARTS_WITH 'release:team-3')"
        self.measure("q=team-3", "q=release:team-3", query=search)
        self.measure("phase=terminated", "phase=terminated", query="ExecutionStatus IN ('Terminated')")
        self.measure("since=7d", "since=7d", query="StartTime >= '2020-01-01T00:00:00Z'")
        if self.count >= MAX_OFFSET:
            self.measure(f"page {MAX_OFFSET // LIST_PAGE_SIZE} by number", f"page={MAX_OFFSET // LIST_PAGE_SIZE}")
        self.measure(f"page {self.count // LIST_PAGE_SIZE} by cursor", deep=True)


def main() -> None:
    """Start a server, let it grow, and measure at each size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, nargs="+", default=[100, 1_000], help="how many releases to measure with")
    parser.add_argument("--db", type=Path, help="a file for the releases, which another run finds there again")
    asked = parser.parse_args()
    sizes = sorted(asked.n)
    with (
        tempfile.TemporaryDirectory() as name,
        EmbeddedTemporal(db=asked.db, log=Path(name) / "temporal.log") as temporal,
    ):
        many = Many(temporal.address, Path(name))
        print(f"{'N':>7}  {'ms':<34}{'bare':>8}{'list':>8}{'json':>8}{'html':>8}{'list/':>8}{'json/':>8}{'html/':>8}")
        for size in sizes:
            many.grow(size)
            many.table()


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)
