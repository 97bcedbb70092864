"""Calls of one kind that hang, or a task queue that is dead: what needs other calls stays current."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.integration.test_child_workflows import chain, rows
from tests.support.every_page import ANSWERS
from tests.support.grpc_gate import CountingGate, counting_gate
from tests.support.harness import Stage, dashboard_for, logged_in, shut
from tests.support.rollout_makers import hierarchy
from tests.support.waiting import eventually

pytestmark = pytest.mark.timing

LISTING = ("ListWorkflowExecutions", "CountWorkflowExecutions")
DESCRIBE, QUERY = "DescribeWorkflowExecution", "QueryWorkflow"
STATE = {key: value for key, value in hierarchy().items() if key != "waves"}


class Hanging:
    """Holds up the calls of these methods whose request has this text in it, until the test is over."""

    def __init__(self, gate: CountingGate) -> None:
        self.methods: tuple[str, ...] = LISTING
        self.text: bytes | None = None
        self.held = 0
        self.over = threading.Event()
        gate.around = self

    def __call__(self, method: str, request: bytes, forward: Callable[[], bytes]) -> bytes:
        if self.text is not None and method in self.methods and self.text in request:
            self.held += 1
            self.over.wait(20)
        return forward()


@pytest.fixture
def gate(unhurried_stage: Stage) -> Iterator[CountingGate]:
    with counting_gate(unhurried_stage.address) as gate:
        yield gate


@pytest.fixture
def hanging(gate: CountingGate) -> Iterator[Hanging]:
    hanging = Hanging(gate)
    yield hanging
    hanging.over.set()


@pytest.fixture
def behind(unhurried_stage: Stage, gate: CountingGate, tmp_path: Path) -> Stage:
    """The stage, shown by a dashboard that asks through the gate."""
    stage = unhurried_stage
    shut(stage.app)
    stage.app = dashboard_for(gate.address, tmp_path, f"WorkflowId STARTS_WITH '{stage.prefix}'")
    stage.browser = logged_in(stage.app)
    return stage


def at(release_id: str) -> str:
    return f"/releases/{quote(release_id, safe='')}"


def troubles(stage: Stage, paths: list[str]) -> list[tuple[str, str]]:
    """Which of these are not answered with their latest, and why."""
    answers = {path: stage.app.test_client() and stage.ask(f"/api{path}") for path in paths}
    return [
        (path, answer.text[:300])
        for path, answer in answers.items()
        if answer.status_code != 200 or answer.get_json()["stale"]
    ]


def stay_current(stage: Stage, gate: CountingGate, paths: list[str], looks: int = 60) -> None:
    """These pages stay current while so many releases are described."""
    until = gate.calls[DESCRIBE] + looks
    while gate.calls[DESCRIBE] < until:
        assert troubles(stage, paths) == []
        time.sleep(0.1)


def test_a_search_that_hangs_fails_alone(behind: Stage, gate: CountingGate, hanging: Hanging):
    stage = behind
    paths = [at(stage.start(name, ANSWERS)) for name in "abc"]
    stage.listed("a", "b", "c")
    paths.append("/releases")
    eventually(lambda: not troubles(stage, paths))
    hanging.text = b"?"
    with ThreadPoolExecutor(4) as pool:
        searches = [pool.submit(stage.app.test_client().get, "/health") for _ in range(1)]
        found = [
            pool.submit(logged_in(stage.app).get, f"/api/releases?q={quote(text)}") for text in ("a?", "b?", "what?")
        ]
        stay_current(stage, gate, paths)
        assert {each.result().status_code for each in found} == {503}
        assert searches[0].result().status_code == 200
    assert hanging.held >= 3
    held = hanging.held
    for _ in range(30):
        answer = stage.ask("/api/releases?q=a%3F")
        assert answer.get_json()["error"]["code"] == "temporal_timed_out"
    assert hanging.held <= held + 2, "it is not asked for again each time"


def test_a_release_whose_own_lists_hang_is_current_and_so_are_all_others(
    behind: Stage, gate: CountingGate, hanging: Hanging
):
    stage = behind
    hanging.text = b"what?"
    paths = [at(stage.start(name, ANSWERS)) for name in ("what?", "b")]
    eventually(lambda: not troubles(stage, paths))
    stay_current(stage, gate, paths)
    assert hanging.held
    assert stage.json(paths[0])["waves"], "its tree is there"


def test_releases_that_need_no_visibility_stay_current_where_none_answers(
    behind: Stage, gate: CountingGate, hanging: Hanging
):
    stage = behind
    told, tree = stage.start("told", ANSWERS), stage.start_tree("tree", chain(stage.prefix.rpartition(":")[2]))
    stage.listed("told", "tree")
    eventually(lambda: len(rows(stage.json(f"{at(tree)}/hierarchy"))) == 4)
    before = stage.json(f"{at(tree)}/hierarchy")
    hanging.text = b""
    unseen = stage.start("unseen", ANSWERS)
    stay_current(stage, gate, [at(told)])
    assert stage.json(at(unseen))["waves"], "also one that is opened now"
    assert troubles(stage, [at(unseen)]) == []
    eventually(lambda: troubles(stage, ["/releases"]))
    eventually(lambda: stage.json(at(tree))["stale"], 40)
    after = stage.json(f"{at(tree)}/hierarchy")
    assert rows(after) == rows(before), "what was listed stays"
    assert "did not list this in time" in after["reason"]["message"]
    hanging.text = None
    hanging.over.set()
    eventually(lambda: not troubles(stage, [at(told), at(tree), "/releases"]), 60)


def test_a_release_that_temporal_does_not_describe_in_time_is_late_alone(
    behind: Stage, gate: CountingGate, hanging: Hanging
):
    stage = behind
    late, *others = [stage.start(name, ANSWERS) for name in ("late", "b", "c")]
    stage.listed("late", "b", "c")
    paths = ["/releases", *map(at, others)]
    eventually(lambda: not troubles(stage, [at(late), *paths]))
    hanging.methods, hanging.text = (DESCRIBE,), late.encode()
    eventually(lambda: troubles(stage, [at(late)]))
    until = gate.calls[DESCRIBE] + 60
    while gate.calls[DESCRIBE] < until:
        assert troubles(stage, paths) == []
        assert troubles(stage, [at(late)])
        time.sleep(0.1)
    assert hanging.held >= 2


def test_a_dead_task_queue_costs_the_others_nothing(behind: Stage, gate: CountingGate):
    stage = behind
    well = stage.start("well", ANSWERS)
    dead = [stage.start(f"dead{number}", ANSWERS, task_queue=f"nobody-{stage.prefix}") for number in range(12)]
    eventually(lambda: not troubles(stage, [at(well)]))
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda path: logged_in(stage.app).get(f"/api{path}"), map(at, dead)))
    cold = gate.calls[QUERY]
    answers = [stage.json(at(each)) for each in dead]
    assert {answer["problem"]["code"] for answer in answers} <= {"no_worker", "query_timed_out"}
    until = gate.calls[DESCRIBE] + 100
    while gate.calls[DESCRIBE] < until:
        assert troubles(stage, [at(well)]) == []
        for each in dead:
            stage.json(at(each))
        time.sleep(0.1)
    assert gate.calls[QUERY] - cold <= 30, "it is found out now and then by one whether somebody is back"
