"""Temporal itself in trouble: every page answers at once, says so, and recovers by itself."""

import os
import signal
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from temporalio.client import WorkflowQueryFailedError
from temporalio.service import RPCError

from dashboard.demo.server import EmbeddedTemporal
from dashboard.live.topic import ReleaseTopic
from dashboard.server import ports
from tests.integration.test_polling import Heard, watching
from tests.support.every_page import ANSWERS, BOUND, ask_everything, pages_of
from tests.support.harness import EMAIL, PASSWORD, Stage, dashboard_for, logged_in, scripted_worker, shut
from tests.support.silent_proxy import Relay
from tests.support.waiting import eventually

pytestmark = pytest.mark.timing

# Seconds from the moment at which Temporal, and through it the worker, answers again until every page is fresh again.
RECOVERY = 5.0
# What needs no Temporal is answered in a moment, in seconds.
MOMENT = 1.0
# How often that is tried at least, whether or not the machine stalls.
TRIES = 5


@pytest.fixture(scope="module")
def own_temporal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedTemporal]:
    """A server of these tests' own, that they may stop, freeze and start again. Each leaves it as it was."""
    folder = tmp_path_factory.mktemp("own")
    server = EmbeddedTemporal(port=ports.find_free_port(), db=folder / "temporal.db", log=folder / "temporal.log")
    server.start()
    server.wait()
    with scripted_worker(server.address, "queue", folder / "worker.log"):
        yield server
    server.stop(seconds=0)


def all_fresh(stage: Stage, paths: tuple[str, ...]) -> bool:
    """Whether each of these is answered with its latest."""
    answers = [stage.ask(f"/api{path}") for path in paths]
    return all(answer.status_code == 200 and not answer.get_json()["stale"] for answer in answers)


def all_stale(stage: Stage, paths: tuple[str, ...]) -> bool:
    """Whether each of these is answered with what was last known, and says so."""
    return all(stage.json(path)["stale"] for path in paths)


def worker_is_back(stage: Stage, release: str) -> bool:
    """Whether the release answers again: its worker takes its own time to come back after a server that was away."""
    try:
        stage.on(release, lambda handle: handle.query("get_release_state", rpc_timeout=timedelta(seconds=2)))
    except (RPCError, WorkflowQueryFailedError):
        return False
    return True


def timed(act: Callable[[], object]) -> float:
    """How many seconds something takes."""
    started = time.monotonic()
    act()
    return time.monotonic() - started


def log_in(browser: FlaskClient) -> None:
    """A log-in of its own, through the form."""
    assert browser.get("/login").status_code == 200
    assert browser.post("/login", data={"username": EMAIL, "password": PASSWORD}).status_code == 303


def test_a_dashboard_that_starts_without_temporal_says_so_and_recovers(tmp_path: Path):
    temporal = EmbeddedTemporal(port=ports.find_free_port())
    app = dashboard_for(temporal.address, tmp_path, "WorkflowType = 'ReleaseWorkflow'")
    browser = logged_in(app)
    assert browser.get("/health").status_code == 200
    answers = ask_everything(app, browser, pages_of("release:x")[:-1], BOUND)
    assert (answers.statuses, answers.codes) == ({503}, {"temporal_unavailable"})
    for answer in (*answers.pages.values(), *answers.twins.values()):
        assert int(answer.headers["Retry-After"]) > 0
        assert "Temporal cannot be reached" in answer.text
    with temporal:
        eventually(lambda: browser.get("/releases").status_code == 200, RECOVERY)
        assert browser.get("/api/releases/release:x").status_code == 404
    shut(app)


@pytest.fixture
def own_stage(own_temporal: EmbeddedTemporal, tmp_path: Path) -> Iterator[Stage]:
    """A stage on that server, with a release `r` of which the dashboard has shown every page."""
    stage = Stage(own_temporal.address, "queue", tmp_path)
    release_id = stage.start("r", ANSWERS)
    stage.listed("r")
    eventually(lambda: all_fresh(stage, pages_of(release_id)))
    yield stage
    stage.close()


def test_temporal_killed_midway_leaves_the_last_known_marked_and_comes_back(
    own_temporal: EmbeddedTemporal, own_stage: Stage
):
    stage, paths = own_stage, pages_of(f"{own_stage.prefix}-r")
    good = stage.json(paths[1])
    own_temporal.stop(seconds=0)
    eventually(lambda: all_stale(stage, paths), 60)
    answers = ask_everything(stage.app, stage.browser, paths, BOUND)
    assert answers.statuses == {200}
    for path in paths:
        twin = answers.twins[path].get_json()
        assert twin["reason"]["code"].startswith("temporal_")
        assert twin["as_of"][:19] in answers.pages[path].text, "since when"
        assert "Out of date" in answers.pages[path].text
    assert answers.twins[paths[1]].get_json()["waves"] == good["waves"]
    assert stage.ask("/api/releases/release:other").status_code == 503, "not 404: nobody knows"
    own_temporal.start()
    own_temporal.wait()
    eventually(lambda: worker_is_back(stage, f"{own_stage.prefix}-r"), 60)
    eventually(lambda: all_fresh(stage, paths), RECOVERY)


def test_a_frozen_temporal_costs_nobody_more_than_the_deadline(own_temporal: EmbeddedTemporal, own_stage: Stage):
    stage, seen = own_stage, pages_of(f"{own_stage.prefix}-r")
    unseen = pages_of("release:unseen", "app:unseen")[1:5]
    with frozen(own_temporal):
        with ThreadPoolExecutor(1) as pool:
            asking = pool.submit(ask_everything, stage.app, stage.browser, (*seen, *unseen), BOUND)
            healthy: list[float] = []
            logins: list[float] = []
            while not asking.done() or len(logins) < TRIES:
                healthy.append(timed(lambda: stage.app.test_client().get("/health")))
                visitor = stage.app.test_client()
                logins.append(timed(lambda visitor=visitor: log_in(visitor)))
                # Else the oldest of so many sessions would end, which is the one that asks.
                visitor.post("/logout")
        asking.result()
        # Were they held up by Temporal, all were; a machine that stalls holds up one.
        assert statistics.median_low(healthy) < MOMENT
        assert statistics.median_low(logins) < MOMENT
        eventually(lambda: all_stale(stage, seen), 60)
        answers = ask_everything(stage.app, stage.browser, (*seen, *unseen), BOUND)
        assert {answers.twins[path].get_json()["error"]["code"] for path in unseen} == {"temporal_timed_out"}
        assert all("Temporal did not respond in time" in page.text for page in answers.pages.values())
    eventually(lambda: all_fresh(stage, seen), RECOVERY)


def test_a_connection_that_goes_silent_is_replaced(unhurried_stage: Stage, tmp_path: Path):
    stage = unhurried_stage
    paths = pages_of(stage.start("r", ANSWERS))[:3]
    stage.listed("r")
    with Relay(int(stage.address.rpartition(":")[2])) as relay:
        app = dashboard_for(relay.address, tmp_path, f"WorkflowId STARTS_WITH '{stage.prefix}'")
        stage.browser = logged_in(app)
        eventually(lambda: all_fresh(stage, paths))
        relay.swallow()
        eventually(lambda: all_stale(stage, paths), 60)
        eventually(lambda: all_fresh(stage, paths), RECOVERY)
        shut(app)


def test_what_is_watched_goes_stale_with_temporal_and_comes_back_by_itself(
    own_temporal: EmbeddedTemporal, own_stage: Stage
):
    with watching(own_stage) as live:
        heard = Heard()
        live.subscribe(ReleaseTopic(f"{own_stage.prefix}-r"), heard)
        eventually(lambda: heard.versions)
        good = heard.versions[0]
        with frozen(own_temporal):
            eventually(lambda: heard.versions[-1] != good)
            assert live.release(f"{own_stage.prefix}-r").stale
        eventually(lambda: heard.versions[-1] == good, RECOVERY)
        eventually(lambda: not live.release(f"{own_stage.prefix}-r").stale, RECOVERY)


@contextmanager
def frozen(server: EmbeddedTemporal) -> Iterator[None]:
    """Let a server's process stand still."""
    os.kill(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)
