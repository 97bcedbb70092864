"""A stage on the real server: releases that say what a test tells them to, and the dashboard that reads them."""

import os
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from math import inf
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from pydantic import SecretStr
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError
from werkzeug.test import TestResponse

from dashboard.app import create_app
from dashboard.auth.accounts import Accounts
from dashboard.auth.passwords import PasswordHashing
from dashboard.concurrency.loop_thread import LoopThread
from dashboard.database.models import Role
from dashboard.database.timeouts import DatabaseTimeouts
from dashboard.demo.children import ChildProcess, spawn_process, stop_processes
from dashboard.domain.entity_map import EntityMap
from dashboard.live.service import DEFAULT_MAX_AGE_SECONDS, LiveReleases
from dashboard.settings.model import Settings
from dashboard.temporal.connection import TemporalConnection
from dashboard.temporal.gateway import TemporalGateway
from dashboard.web.services import services
from tests.support.prepared_databases import make_ready
from tests.support.waiting import eventually

T = TypeVar("T")
EMAIL = "rita@example.com"
TIMEOUT = Settings().temporal_timeout
# What Temporal is given for an answer where no test measures it: a busy machine takes its time.
PATIENCE = 4.0
PASSWORD = "correct horse battery"
# Hashes that cost nothing: what they are to cost is for the tests of passwords.
# How long a database takes on a busy machine is nothing to fail for.
UNHURRIED = DatabaseTimeouts(connect=60, statement=60, pool=60)
CHEAP = PasswordHashing(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


class Stage:
    """Releases on one task queue, seen by a dashboard that lists those of this stage only, every `max_age` seconds."""

    def __init__(
        self,
        address: str,
        task_queue: str,
        folder: Path,
        max_age: float = DEFAULT_MAX_AGE_SECONDS,
        timeout: float = PATIENCE,
    ) -> None:
        self.address = address
        self.task_queue = task_queue
        self.prefix = f"release:{uuid4().hex[:8]}"
        self._loop = LoopThread()
        self._client: Client | None = None
        self._started: set[str] = set()
        self._folder = folder
        self._max_age = max_age
        self._timeout = timeout
        self._shown = False
        self.app: Flask
        self.show(f"WorkflowId STARTS_WITH '{self.prefix}'")

    def show(self, release_filter: str, timeout: float | None = None, entity_map: EntityMap | None = None) -> None:
        """Look with a dashboard that lists these releases."""
        if self._shown:
            shut(self.app)
        self._shown = True
        self.app = dashboard_for(
            self.address,
            self._folder,
            release_filter,
            timeout=timeout or self._timeout,
            entity_map=entity_map,
            max_age=self._max_age,
        )
        self.browser = logged_in(self.app)

    async def _terminate(self, client: Client) -> None:
        for release_id in self._started:
            # It may have ended, or be gone.
            with suppress(RPCError):
                await client.get_workflow_handle(release_id).terminate()

    def run(self, make: Callable[[Client], Coroutine[Any, Any, T]]) -> T:
        """Do something with a client of the test's own."""

        async def work() -> T:
            self._client = self._client or await Client.connect(self.address)
            return await make(self._client)

        return self._loop.call(work, 30)

    def start(self, name: str, answers: dict[str, Any], *, task_queue: str | None = None, **options: Any) -> str:
        """Start a release that answers its queries so; returns its id."""
        release_id = f"{self.prefix}-{name}"
        queue = task_queue or self.task_queue
        self._started.add(release_id)
        self.run(
            lambda client: client.start_workflow("ScriptedRelease", answers, id=release_id, task_queue=queue, **options)
        )
        return release_id

    def start_tree(self, name: str, *children: dict[str, Any], kind: str = "TreeRelease", **options: Any) -> str:
        """Start a release that has these child workflows and, but for some kinds, answers no query; returns its id."""
        release_id = f"{self.prefix}-{name}"
        options = {"task_queue": self.task_queue} | options
        plan = {"children": list(children)}
        self._started.add(release_id)
        self.run(lambda client: client.start_workflow(kind, plan, id=release_id, **options))
        return release_id

    def on(self, release_id: str, act: Callable[[WorkflowHandle[Any, Any]], Coroutine[Any, Any, T]]) -> T:
        """Do something to a release."""
        return self.run(lambda client: act(client.get_workflow_handle(release_id)))

    def tell(self, release_id: str, answers: dict[str, Any]) -> None:
        """Change what a release answers."""
        self.on(release_id, lambda handle: handle.signal("tell", answers))

    def end(self, release_id: str, how: str) -> None:
        """Let a release end well or with a failure of this message, and wait until it has."""
        self.on(release_id, lambda handle: handle.signal("finish", how))
        self.wait_until_closed(release_id)

    def wait_until_closed(self, release_id: str) -> None:
        """Wait until Temporal describes the release as closed."""
        eventually(lambda: self.on(release_id, lambda handle: handle.describe()).close_time is not None, 30)

    def ask(self, path: str) -> TestResponse:
        """The dashboard's answer."""
        return self.browser.get(path)

    def json(self, path: str, status: int = 200) -> Any:
        """The JSON of a twin, with the status that it must have."""
        answer = self.ask(f"/api{path}")
        assert answer.status_code == status, answer.text
        return answer.get_json()

    def listed(self, *names: str) -> dict[str, Any]:
        """The list's items by name, once visibility has all of these."""
        found: dict[str, Any] = {}

        def all_there() -> bool:
            items = self.json("/releases?page_size=100")["items"]
            found.update({item["id"].removeprefix(f"{self.prefix}-"): item for item in items})
            return set(names) <= set(found)

        eventually(all_there, 30)
        return found

    def close(self) -> None:
        """End its releases, which would keep Temporal busy, and the threads of client and dashboard."""
        self.run(self._terminate)
        self._loop.stop()
        shut(self.app)


def shut(app: Flask) -> None:
    """End what a dashboard keeps open: its loop's thread and its database."""
    services(app).live.close()
    services(app).accounts.close()


def dashboard_for(
    address: str,
    folder: Path,
    release_filter: str,
    namespace: str = "default",
    timeout: float = TIMEOUT,
    entity_map: EntityMap | None = None,
    environment: Mapping[str, str] | None = None,
    max_age: float = DEFAULT_MAX_AGE_SECONDS,
    *,
    visibility_rps: float = inf,
    styleguide: bool = False,
    more: Mapping[str, Any] | None = None,
) -> Flask:
    """The dashboard for one Temporal, with a user who may log in."""
    settings = Settings(
        data_dir=folder,
        secret_key=SecretStr("k" * 32),
        release_filter=release_filter,
        temporal_timeout=timeout,
        entity_map=entity_map or EntityMap(),
        styleguide=styleguide,
        temporal_environment={
            "TEMPORAL_ADDRESS": address,
            "TEMPORAL_NAMESPACE": namespace,
            "TEMPORAL_CONFIG_FILE": os.devnull,
            **(environment or {}),
        },
        **(more or {}),
    )
    make_ready(settings)
    accounts = Accounts(settings.accounts_url, CHEAP, UNHURRIED)
    accounts.prepare()
    accounts.ensure(EMAIL, PASSWORD, name="Rita", role=Role.viewer)
    connection = TemporalConnection(settings.temporal_environment, visibility_rps)
    gateway = TemporalGateway(connection, settings.release_query, settings.entity_map)
    stuck_after = timedelta(minutes=settings.stuck_after)
    releases = LiveReleases(
        gateway, LoopThread(), timeout=timeout, max_age=max_age, count_age=max_age, stuck_after=stuck_after
    )
    app = create_app(settings, releases=releases, accounts=accounts)
    app.testing = True
    return app


def logged_in(app: Flask) -> FlaskClient:
    """A browser in which the user has logged in."""
    browser = app.test_client()
    answer = browser.post("/login", data={"username": EMAIL, "password": PASSWORD})
    assert answer.status_code == 303
    return browser


@contextmanager
def scripted_worker(address: str, task_queue: str, log: Path, version: str = "") -> Iterator[ChildProcess]:
    """A worker for scripted releases, of a version or of none, in a process of its own, that polls already."""
    argv = [
        sys.executable,
        "-m",
        "tests.support.scripted_rollout",
        address,
        task_queue,
        *([version] if version else []),
    ]
    worker = spawn_process("scripted worker", argv, env=os.environ, log=log)
    try:
        eventually(lambda: "ready" in log.read_text() or worker.check(), 60)
        yield worker
    finally:
        stop_processes([worker], 10)
