"""Since when a release is at work: from its first run on, in every list as on its own page."""

import csv
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

from bs4 import BeautifulSoup
from temporalio.client import Client
from temporalio.common import RetryPolicy

from tests.integration.test_retries_schedules_resets import reset_to
from tests.integration.test_runs import telling
from tests.support.harness import Stage
from tests.support.waiting import eventually

TWICE = RetryPolicy(initial_interval=timedelta(milliseconds=100), backoff_coefficient=1.0, maximum_attempts=2)


def latest(stage: Stage, release_id: str) -> Any:
    return stage.on(release_id, lambda handle: handle.describe())


def go_on(stage: Stage, release_id: str, how: str = "again") -> Any:
    """Let the latest run end so that another follows, and return that one once it has begun."""
    before = latest(stage, release_id).run_id
    stage.on(release_id, lambda handle: handle.signal("finish", how))

    def has_begun() -> bool:
        run = latest(stage, release_id)
        # A server lets a run that continues too soon wait for a second.
        return run.run_id != before and run.execution_time <= datetime.now(UTC)

    eventually(has_begun)
    return latest(stage, release_id)


def began(run: Any) -> str:
    return f"{run.start_time:%Y-%m-%dT%H:%M:%S.%f}Z"


def first_look(stage: Stage, run_id: str) -> Any:
    """The only item of the list as a dashboard that has just started shows it first."""

    def is_listed() -> bool:
        async def runs(client: Client) -> list[str]:
            return [run.run_id async for run in client.list_workflows(f"RunId = '{run_id}'")]

        return stage.run(runs) == [run_id]

    eventually(is_listed)
    stage.show(f"WorkflowId STARTS_WITH '{stage.prefix}'")
    return next(item for item in stage.json("/releases")["items"] if item["run_id"] == run_id)


def test_a_release_that_continued_as_new_counts_from_its_first_run_wherever_it_is_named(stage: Stage):
    release_id = stage.start("again", telling("deploying"))
    first = latest(stage, release_id)
    go_on(stage, release_id)
    last = go_on(stage, release_id)
    item = first_look(stage, last.run_id)
    assert (item["began_at"], item["started_at"]) == (began(first), began(last))
    text = BeautifulSoup(stage.ask("/releases").text, "html.parser")
    shown = {moment["datetime"] for moment in text.select("#live li[data-entity-id] .times time")}
    assert len(shown) == 1, "for so long, since then"
    assert began(first)[:19] in shown.pop()
    row = next(csv.DictReader(StringIO(stage.ask("/api/releases?format=csv").text)))
    assert row["began_at"][:19] == began(first)[:19]
    occurrence = stage.json("/entities/wave:one")["occurrences"][0]
    assert (occurrence["release_began_at"], occurrence["release_started_at"]) == (began(first), began(last))
    compared = stage.json(f"/compare?left={release_id}&right={release_id}")
    assert compared["left"]["began_at"] == began(first)
    assert stage.json("/compare")["choices"][0]["began_at"] == began(first)
    for path in ("", "/strip"):
        assert stage.json(f"/releases/{release_id}{path}")["began_at"] == began(first)
    stage.end(release_id, "disk full")
    eventually(lambda: [each["phase"] for each in stage.json("/releases")["items"]] == ["failed"])
    assert stage.json("/releases")["items"][0]["began_at"] == began(first)
    assert first_look(stage, last.run_id)["began_at"] == began(first), "also where it was not seen while it ran"


def test_a_reset_release_counts_from_the_start_of_the_run_with_which_it_began(stage: Stage):
    release_id = stage.start_tree("reset")
    first = latest(stage, release_id)
    continued = go_on(stage, release_id)
    eventually(lambda: latest(stage, release_id).history_length > 3)
    reset_to(stage, release_id, lambda event: event.event_id == 1)
    eventually(lambda: latest(stage, release_id).run_id != continued.run_id)
    last = latest(stage, release_id)
    assert first_look(stage, last.run_id)["began_at"] == began(first)
    page = stage.json(f"/releases/{release_id}")
    assert (page["began_at"], page["origin"]["initiator"]) == (began(first), "reset")
    eventually(lambda: len(stage.json(f"/releases/{release_id}")["runs"]["all"]) == 3)
    page = stage.json(f"/releases/{release_id}")
    assert page["runs"]["began_at"] == began(first)
    assert [run["continues"] for run in page["runs"]["all"]] == [False, True, False]
    stage.on(release_id, lambda handle: handle.terminate())
    eventually(lambda: [each["phase"] for each in stage.json("/releases")["items"]] == ["terminated"])
    assert first_look(stage, last.run_id)["began_at"] == began(first)


def test_an_attempt_that_continued_as_new_counts_from_its_own_start(stage: Stage):
    release_id = stage.start_tree("attempt", retry_policy=TWICE)
    second = go_on(stage, release_id, "no capacity")
    last = go_on(stage, release_id)
    assert first_look(stage, last.run_id)["began_at"] == stage.json(f"/releases/{release_id}")["began_at"]
    assert began(second) <= stage.json("/releases")["items"][0]["began_at"] < began(last)
