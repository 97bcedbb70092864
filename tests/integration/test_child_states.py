"""Child workflows that answer for themselves: their own words are shown, as far as their status bears them out."""

import asyncio
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from temporalio.client import Client

from dashboard.domain.entities import Status
from dashboard.domain.source import ReleaseReading
from dashboard.temporal.child_states import MAX_RUNS_QUERIED, STATE_QUERIES_TIMEOUT_SECONDS
from dashboard.temporal.gateway import TemporalGateway
from tests.integration.test_calls import Counting
from tests.integration.test_child_changes import counted, listed
from tests.integration.test_child_workflows import Plan, part, rows, tree
from tests.support.harness import Stage, scripted_worker
from tests.support.waiting import eventually


@pytest.fixture
def tag() -> str:
    """Makes the ids of child workflows unique in the namespace."""
    return uuid4().hex[:8]


def telling(entity_id: str, **says: Any) -> Plan:
    return part(entity_id, workflow_type="TellingPart", says={"state": "deploying"} | says)


def app(stage: Stage, release_id: str) -> Any:
    return rows(tree(stage, release_id))[-1]


def with_apps(stage: Stage, tag: str, *apps: Plan, **options: Any) -> str:
    """A release with these apps in one bundle, once Temporal lists them."""
    bundle = part(f"bundle:b/{tag}", *apps)
    release_id = stage.start_tree("r", part(f"wave:w/{tag}", part(f"cluster:c/{tag}", bundle)), **options)
    eventually(lambda: listed(stage, release_id).tally.total() == 4 + len(apps), 60)
    return release_id


def test_a_child_workflow_that_answers_for_itself_is_shown_with_its_own_word(stage: Stage, tag: str):
    says = {"version": "2.1", "name": "Shop", "error_message": "slow registry", "ring": 3}
    release_id = with_apps(stage, tag, telling(f"app:a/{tag}", **says))
    row = app(stage, release_id)
    assert (row["state"], row["phase"], row["version"], row["name"]) == ("deploying", "running", "2.1", "Shop")
    assert row["details"]["ring"] == 3
    assert row["details"]["workflow_type"] == "TellingPart"
    stage.on(f"app:a/{tag}", lambda handle: handle.signal("tell", {"state": "awaiting_approval"}))
    eventually(lambda: app(stage, release_id)["phase"] == "paused")
    assert {row["state"] for row in rows(tree(stage, release_id))[:-1]} == {"running"}, "these answer nothing"


@pytest.mark.parametrize(
    ("end", "word", "phase"),
    [("boom", "deployed", "failed"), ("well", "deploying", "succeeded"), ("well", "failed", "failed")],
)
def test_how_it_ended_beats_its_last_word_unless_that_is_one_of_an_end(
    stage: Stage, tag: str, end: str, word: str, phase: str
):
    release_id = with_apps(stage, tag, telling(f"app:a/{tag}", state=word))
    eventually(lambda: app(stage, release_id)["state"] == word)
    stage.end(f"app:a/{tag}", end)
    eventually(lambda: listed(stage, release_id).tally.total() == 5)
    eventually(lambda: (app(stage, release_id)["phase"], app(stage, release_id)["state"]) == (phase, word))


def test_a_query_that_fails_leaves_the_status_to_speak(stage: Stage, tag: str):
    release_id = with_apps(stage, tag, telling(f"app:a/{tag}", **{"raise": "a mistake"}))
    row = app(stage, release_id)
    assert (row["state"], row["phase"], row["problem"]) == ("running", "running", None)


def test_what_is_no_answer_is_a_row_that_says_so_and_keeps_its_status(stage: Stage, tag: str):
    release_id = with_apps(stage, tag, telling(f"app:a/{tag}", state=""))
    row = app(stage, release_id)
    assert (row["state"], row["phase"], row["problem"]["code"]) == ("running", "running", "malformed")


def test_a_release_that_tells_its_own_state_and_nothing_below_it_is_shown_with_both(stage: Stage, tag: str):
    release_id = stage.start_tree("r", part(f"wave:w/{tag}"), kind="TellingPart")
    eventually(lambda: [row["phase"] for row in rows(tree(stage, release_id))] == ["running"])
    page = tree(stage, release_id)
    assert (page["state"], page["phase"], page["problem"]) == ("deploying", "running", None)
    stage.on(release_id, lambda handle: handle.signal("tell", {"state": "awaiting_approval"}))
    eventually(lambda: tree(stage, release_id)["phase"] == "paused")


def test_each_type_is_asked_once_what_it_answers_and_a_closed_run_once_for_its_word(stage: Stage, tag: str):
    apps = [telling(f"app:a{n}/{tag}") for n in range(4)]
    release_id = with_apps(stage, tag, *apps)
    stage.end(f"app:a0/{tag}", "well")
    eventually(lambda: listed(stage, release_id).tally[Status.COMPLETED] == 1)

    async def look(gateway: TemporalGateway, counts: Counting) -> None:
        reading = await gateway.read(release_id, None, 5)
        # What the tree answers itself, twice; of three types which queries they answer; four apps.
        assert counts.calls["query"] == 2 + 3 + 4
        for expected in (3, 3):
            counts.calls.clear()
            reading = await gateway.read(release_id, reading, 5)
            assert counts.calls["query"] == expected, "those that run, and nothing else"
        assert reading.said
        assert [row.state for row in reading.said.walk()][-4:] == ["deploying"] * 4

    counted(stage, look)


def test_no_look_asks_more_than_the_bound_and_in_time_all_are_asked(stage: Stage, tag: str):
    apps = [telling(f"app:a{n}/{tag}", end="well") for n in range(MAX_RUNS_QUERIED + 10)]
    release_id = with_apps(stage, tag, *apps)

    async def finish(client: Client) -> None:
        handles = (client.get_workflow_handle(f"app:a{n}/{tag}") for n in range(MAX_RUNS_QUERIED + 10))
        await asyncio.gather(*(handle.signal("finish", "well") for handle in handles))

    stage.run(finish)
    eventually(lambda: listed(stage, release_id).tally[Status.COMPLETED] == MAX_RUNS_QUERIED + 10, 60)

    async def look(gateway: TemporalGateway, counts: Counting) -> None:
        reading = await gateway.read(release_id, None, 20)
        told = []
        for _ in range(12):
            assert reading.said
            told.append(sum(row.state == "deploying" for row in reading.said.walk()))
            counts.calls.clear()
            reading = await gateway.read(release_id, reading, 20)
            assert counts.calls["query"] <= MAX_RUNS_QUERIED + 1
        assert told[0] <= MAX_RUNS_QUERIED
        assert told == sorted(told), "the last word of a closed run stays"
        assert told[-1] == MAX_RUNS_QUERIED + 10

    counted(stage, look)


@pytest.mark.timing
def test_a_dead_worker_costs_one_look_a_moment_and_later_looks_nothing(stage: Stage, tag: str, tmp_path: Path):
    queue = f"{stage.prefix}-queue"
    apps = [telling(f"app:a{n}/{tag}") | {"task_queue": queue} for n in range(20)]
    with ExitStack() as worker:
        worker.enter_context(scripted_worker(stage.address, queue, tmp_path / "worker.log"))
        release_id = with_apps(stage, tag, *apps)

        async def look(gateway: TemporalGateway, counts: Counting) -> None:
            reading = await gateway.read(release_id, None, 5)
            assert states(reading) == {"running", "deploying"}
            worker.close()
            started = time.monotonic()
            reading = await gateway.read(release_id, reading, 5)
            assert time.monotonic() - started < STATE_QUERIES_TIMEOUT_SECONDS + 3, "not for as long as a look may take"
            assert states(reading) == {"running"}, "an old word is not shown as that of now"
            counts.calls.clear()
            reading = await gateway.read(release_id, reading, 5)
            assert counts.calls["query"] == 0
            assert states(reading) == {"running"}

        counted(stage, look)


def states(reading: ReleaseReading) -> set[str]:
    assert reading.said
    return {row.state for row in reading.said.walk()}
