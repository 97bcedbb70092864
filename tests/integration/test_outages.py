"""Temporal itself in trouble: every page answers at once, says so, and recovers by itself."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dashboard import ports
from dashboard.demo.server import EmbeddedTemporal
from tests.rollout_makers import hierarchy
from tests.stage import Stage, dashboard_for, logged_in, scripted_worker, shut
from tests.waiting import eventually

TREE = hierarchy()
STATE = {key: value for key, value in TREE.items() if key != "waves"}
# An answer may take 2 seconds of asking and a little more of telling, on a busy machine.
BOUND = 2.5


@pytest.fixture
def own_temporal(tmp_path: Path) -> Iterator[EmbeddedTemporal]:
    """A server of this test's own, that it may stop, freeze and start again."""
    server = EmbeddedTemporal(port=ports.find_free(), db=tmp_path / "temporal.db", log=tmp_path / "temporal.log")
    yield server
    server.stop()


def test_a_dashboard_that_starts_without_temporal_says_so_and_recovers(own_temporal: EmbeddedTemporal, tmp_path: Path):
    app = dashboard_for(own_temporal.address, tmp_path, "WorkflowType = 'ReleaseWorkflow'")
    browser = logged_in(app)
    assert browser.get("/health").status_code == 200
    for path in ("/releases", "/problems", "/releases/release:x", "/entities/app:x"):
        for prefix in ("", "/api"):
            answer = browser.get(prefix + path)
            assert answer.status_code == 503
            assert int(answer.headers["Retry-After"]) > 0
    page = browser.get("/releases")
    assert "Temporal cannot be reached" in page.text
    assert "Log out" in page.text, "the shell stays"
    assert browser.get("/api/releases").get_json()["error"]["code"] == "temporal_unavailable"
    own_temporal.start()
    own_temporal.wait()
    eventually(lambda: browser.get("/releases").status_code == 200, 10)
    assert browser.get("/api/releases/release:x").status_code == 404
    shut(app)


@pytest.fixture
def own_stage(own_temporal: EmbeddedTemporal, tmp_path: Path) -> Iterator[Stage]:
    """A stage on that server, with a release `r` that the dashboard has seen."""
    own_temporal.start()
    own_temporal.wait()
    with scripted_worker(own_temporal.address, "queue", tmp_path / "worker.log"):
        stage = Stage(own_temporal.address, "queue", tmp_path)
        stage.start("r", {"get_hierarchy": TREE, "get_release_state": STATE})
        stage.listed("r")
        yield stage
        stage.close()


def test_temporal_killed_midway_leaves_the_last_known_marked_and_comes_back(
    own_temporal: EmbeddedTemporal, own_stage: Stage
):
    stage, path = own_stage, f"/releases/{own_stage.prefix}-r"
    good = stage.json(path)
    own_temporal.stop()
    eventually(lambda: stage.json(path)["stale"], 10)
    eventually(lambda: stage.json("/releases?page_size=100")["stale"], 10)
    stale = stage.json(path)
    assert stale["waves"] == good["waves"]
    assert stale["reason"]["code"].startswith("temporal_")
    assert "Not the latest" in stage.ask("/releases?page_size=100").text
    assert stage.ask("/api/releases/release:other").status_code == 503, "not 404: nobody knows"
    own_temporal.start()
    own_temporal.wait()
    eventually(lambda: not stage.json(path)["stale"], 15)
    eventually(lambda: not stage.json("/releases?page_size=100")["stale"], 15)


def test_a_frozen_temporal_costs_nobody_more_than_the_deadline(own_temporal: EmbeddedTemporal, own_stage: Stage):
    stage, path = own_stage, f"/releases/{own_stage.prefix}-r"
    stage.json(path)
    with frozen(own_temporal):
        slowest = 0.0
        for asked in (path, "/releases?page_size=100", "/problems", "/releases/release:unseen", "/health", "/login"):
            started = time.monotonic()
            assert stage.ask(asked).status_code in {200, 302, 503}
            slowest = max(slowest, time.monotonic() - started)
        assert slowest < BOUND
        assert stage.json(path)["stale"]
        assert stage.json("/releases/release:unseen", 503)["error"]["code"] == "temporal_timed_out"
    eventually(lambda: not stage.json(path)["stale"], 15)


@contextmanager
def frozen(server: EmbeddedTemporal) -> Iterator[None]:
    """Let a server's process stand still."""
    os.kill(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)


def test_a_namespace_that_does_not_exist_is_not_a_release_that_does_not(temporal_address: str, tmp_path: Path):
    app = dashboard_for(temporal_address, tmp_path, "WorkflowType = 'ReleaseWorkflow'", namespace="nowhere")
    error = logged_in(app).get("/api/releases/release:x")
    assert (error.status_code, error.get_json()["error"]["code"]) == (503, "temporal_namespace_missing")
    shut(app)
