"""A server that limits visibility calls: the dashboard stays below, slows down where it is refused, and says so."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from temporalio.api.workflowservice.v1 import ListWorkflowExecutionsRequest
from temporalio.service import RPCError

from dashboard.demo.server import EmbeddedTemporal
from tests.integration.test_child_workflows import part
from tests.support.every_page import ANSWERS
from tests.support.grpc_gate import CountingGate, counting_gate
from tests.support.harness import Stage, dashboard_for, logged_in, scripted_worker, shut
from tests.support.waiting import eventually

pytestmark = pytest.mark.timing

TREES = 12
LIMIT = "frontend.namespaceRPS.visibility"
BURST = "frontend.namespaceBurstRatio.visibility=1.0"
DESCRIBE = "DescribeWorkflowExecution"


@contextmanager
def limited(folder: Path, rate: int) -> Iterator[Stage]:
    """A stage on a server of its own, which allows so many visibility calls a second for all callers together."""
    log = folder / "temporal.log"
    with (
        EmbeddedTemporal(log=log, settings=(f"{LIMIT}={rate}", BURST)) as temporal,
        scripted_worker(temporal.address, "queue", folder / "worker.log"),
    ):
        stage = Stage(temporal.address, "queue", folder)
        yield stage
        stage.close()


@contextmanager
def shown(gate: CountingGate, stage: Stage, folder: Path, rps: float) -> Iterator[Flask]:
    """A dashboard that asks through the gate."""
    app = dashboard_for(gate.address, folder, f"WorkflowId STARTS_WITH '{stage.prefix}'", visibility_rps=rps)
    yield app
    shut(app)


def at(release_id: str) -> str:
    return f"/api/releases/{quote(release_id, safe='')}"


def is_whole(page: dict[str, Any]) -> bool:
    """Whether a tree has all of its rows, and is current."""
    clusters = [cluster for wave in page.get("waves", ()) for cluster in wave["cluster_ids"]]
    return len(clusters) == 4 and not page["stale"]


def start_trees(stage: Stage, count: int) -> list[str]:
    """Releases of child workflows, each with two waves of two clusters."""
    return [
        stage.start_tree(
            f"tree{number}",
            *(
                part(f"wave:{wave}/{number}", *(part(f"cluster:{wave}{c}/{number}") for c in range(2)))
                for wave in ("one", "two")
            ),
        )
        for number in range(count)
    ]


def list_beside(stage: Stage) -> str:
    """What somebody else's list call comes to."""
    request = ListWorkflowExecutionsRequest(namespace="default", page_size=10)
    try:
        stage.run(lambda client: client.workflow_service.list_workflow_executions(request, retry=False))
    except RPCError as exc:
        return exc.message
    return "listed"


def test_twelve_open_trees_stay_below_the_limit_and_are_current(tmp_path: Path):
    with (
        limited(tmp_path, 10) as stage,
        counting_gate(stage.address) as gate,
        shown(gate, stage, tmp_path, 5) as app,
        ThreadPoolExecutor(TREES + 2) as pool,
    ):
        told = stage.start("told", ANSWERS)
        paths = [at(told), "/api/releases", *map(at, start_trees(stage, TREES))]
        browsers = [logged_in(app) for _ in paths]

        def ask_all() -> list[Any]:
            return [answer.get_json() for answer in pool.map(lambda b, path: b.get(path), browsers, paths)]

        eventually(lambda: all(map(is_whole, ask_all()[2:])), 120)
        eventually(lambda: all(page and not page.get("stale", True) for page in ask_all()), 60)
        gate.calls.clear()
        began, others = time.monotonic(), []
        while gate.calls[DESCRIBE] < 400:
            pages = ask_all()
            assert [page.get("reason") or page.get("error") for page in pages if page.get("stale", True)] == []
            others.append(list_beside(stage))
            time.sleep(1)
        seconds = time.monotonic() - began
        assert gate.listed / seconds < 9, gate.calls
        assert gate.refused == {}
        assert set(others) == {"listed"}
        assert all(len(page["waves"]) == 2 for page in pages[2:])


def test_where_the_server_allows_less_it_slows_down_and_says_so(tmp_path: Path):
    with limited(tmp_path, 2) as stage, counting_gate(stage.address) as gate, shown(gate, stage, tmp_path, 8) as app:
        told, (tree,) = stage.start("told", ANSWERS), start_trees(stage, 1)
        browser = logged_in(app)
        reasons: list[dict[str, Any]] = []

        def refused() -> bool:
            for path in (at(tree), "/api/releases"):
                page = browser.get(path).get_json()
                reasons.append(page.get("reason") or page.get("error") or {})
            assert not browser.get(at(told)).get_json()["stale"]
            return (
                any(reason.get("code") == "temporal_refused" for reason in reasons) and sum(gate.refused.values()) > 0
            )

        eventually(refused, 60)

        def ask_for(looks: int) -> int:
            """How many calls are refused while so many descriptions are read."""
            described, refusals = gate.calls[DESCRIBE], sum(gate.refused.values())
            while gate.calls[DESCRIBE] < described + looks:
                assert not browser.get(at(told)).get_json()["stale"], "describes and queries go on"
                for path in (at(tree), "/api/releases"):
                    browser.get(path)
                time.sleep(0.1)
            return sum(gate.refused.values()) - refusals

        ask_for(60)
        # Without a budget that slows down, a third of the calls would be refused for ever.
        listed = gate.listed
        assert ask_for(100) <= max((gate.listed - listed) / 5, 3)
        assert "Temporal" in browser.get(f"/releases/{quote(tree, safe='')}").text
