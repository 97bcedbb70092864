"""Where a version runs and where it is only planned, on every page that names one; and an entity across releases."""

import csv
import io
from datetime import datetime
from typing import Any

import pytest
from bs4 import BeautifulSoup
from pydantic import BaseModel

from tests.integration.test_child_workflows import part
from tests.support.harness import Stage
from tests.support.rollout_makers import hierarchy
from tests.support.waiting import eventually

STATES = ("failed", "pending", "deployed")


class Cluster(BaseModel):
    """A cluster as the contract has it."""

    id: str
    wave_id: str
    name: str
    state: str
    created_at: datetime
    updated_at: datetime
    bundle_id: str


class Bundle(BaseModel):
    """A bundle as the contract has it."""

    id: str
    cluster_id: str
    name: str
    state: str
    created_at: datetime
    updated_at: datetime
    app_ids: list[str]


class App(BaseModel):
    """An app as the contract has it."""

    id: str
    bundle_id: str
    name: str
    version: str
    state: str
    created_at: datetime
    updated_at: datetime


def rolled(version: str, *states: str, at: str = "2026-11-22T14:02:00Z", **app: Any) -> dict[str, Any]:
    """A rollout of one app to as many clusters, in these states."""
    said = hierarchy(clusters=len(states), apps=1)
    for place, state in zip(said["waves"][0]["clusters"], states, strict=True):
        bundle = place["bundle"]
        for row in (place, bundle, bundle["apps"][0]):
            row |= {"state": state, "created_at": "2026-11-22T14:00:00Z", "updated_at": at}
        bundle["apps"][0] |= {"version": version, "name": "shop", **app}
    return said


def start(stage: Stage, name: str, said: dict[str, Any]) -> str:
    places = said["waves"][0]["clusters"]
    answers: dict[str, Any] = {"get_hierarchy": said, "get_release_state": said}
    bundles = [place["bundle"] for place in places]
    for query, rows in (
        ("get_cluster_state", [{k: v for k, v in place.items() if k != "bundle"} for place in places]),
        ("get_bundle_state", [{k: v for k, v in bundle.items() if k != "apps"} for bundle in bundles]),
        ("get_app_state", [bundle["apps"][0] for bundle in bundles]),
    ):
        answers[query] = {"by_id": {row["id"]: row for row in rows}}
    return stage.start(name, answers)


def words(stage: Stage, path: str, where: str = "main") -> str:
    return " ".join(BeautifulSoup(stage.ask(path).text, "html.parser").select_one(where).get_text(" ").split())


def test_a_version_that_failed_or_waits_is_planned_on_every_page_that_names_it(stage: Stage):
    release_id = start(stage, "r", rolled("1.4.2", *STATES))
    page = stage.json(f"/releases/{release_id}/hierarchy")
    apps = [place["bundle"]["apps"][0] for place in page["waves"][0]["clusters"]]
    assert [(app["version"], app["version_runs"]) for app in apps] == [
        ("1.4.2", False),
        ("1.4.2", False),
        ("1.4.2", True),
    ]
    for app, runs, note in zip(apps, (False, False, True), ("1.4.2 failed", "1.4.2 planned", "1.4.2"), strict=True):
        panel = stage.json(f"/releases/{release_id}/entities/{app['id']}/panel")["selected"]["entity"]
        assert panel["version_runs"] is runs
        entity = f"/releases/{release_id}/entities/{app['id']}"
        assert stage.json(entity)["entity"]["version_runs"] is runs
        assert note in words(stage, entity, "main h1")
        found = stage.json(f"/entities/{app['id']}")
        assert (found["version"], found["version_runs"], found["running_version"]) == (
            "1.4.2",
            runs,
            note * runs or None,
        )
        (known,) = [one for one in stage.json(f"/find?q={app['id']}")["entities"] if one["release_id"] == release_id]
        assert known["version_runs"] is runs


@pytest.mark.parametrize("state", ["terminated", "cancelled", "timed_out", "paused", "deploying", "soaking"])
def test_no_other_word_than_one_of_success_says_that_a_version_runs(stage: Stage, state: str):
    before, after = start(stage, "one", rolled("1", *["deployed"] * 3)), start(stage, "two", rolled("2", *[state] * 3))
    (line,) = stage.json(f"/releases/{after}/matrix")["rows"]
    assert (line["majority"], line["running"], {cell["version_runs"] for cell in line["cells"]}) == (None, 0, {False})
    (move,) = stage.json(f"/compare?left={before}&right={after}")["moves"]
    assert (move["count"], move["planned"] + move["failed"]) == (0, 3)


def test_a_retried_app_is_at_work_on_its_version_and_does_not_run_it(stage: Stage):
    release_id = start(stage, "r", rolled("2", "running", "running"))
    stage.on(release_id, lambda handle: handle.signal("retry", "app:a0-0"))
    eventually(lambda: stage.json(f"/releases/{release_id}/matrix")["rows"][0]["running"] == 1)
    tried, running = stage.json(f"/releases/{release_id}/matrix")["rows"][0]["cells"]
    assert (tried["version_runs"], running["version_runs"]) == (False, True)


def test_files_tell_what_runs_and_no_hash_for_a_version(stage: Stage):
    release_id = start(stage, "r", rolled("1.4.2", *STATES) | {"version": "train 7"})

    def lines(path: str) -> list[dict[str, str]]:
        answer = stage.ask(path)
        return list(csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig"), newline="")))

    rows = lines(f"/api/releases/{release_id}/hierarchy?format=csv")
    assert [row["version"] for row in rows if row["type"] == "release"] == ["train 7"]
    assert {row["version"] for row in rows if row["type"] in {"wave", "cluster", "bundle"}} == {""}
    runs = [(row["version"], row["version_runs"]) for row in rows if row["type"] == "app"]
    assert [runs for _, runs in runs] == ["false", "false", "true"]
    cells = lines(f"/releases/{release_id}/matrix.csv")
    assert [(cell["version"], cell["version_runs"], cell["majority"]) for cell in cells] == [
        ("1.4.2", "no", ""),
        ("1.4.2", "no", ""),
        ("1.4.2", "yes", ""),
    ]


def test_an_entity_is_as_bad_as_where_it_is_worst_and_not_as_where_it_began_last(stage: Stage):
    failing = start(stage, "1-failing", rolled("2", "failed", error_message="image pull back-off"))
    ended = start(stage, "2-ended", rolled("1", "failed"))
    stage.end(ended, "well")
    newest = start(stage, "3-newest", rolled("3", "deployed", at="2026-11-22T15:00:00Z"))
    stage.listed("1-failing", "2-ended", "3-newest")
    eventually(lambda: len(stage.json("/entities/app:a0-0")["occurrences"]) == 3)
    page = stage.json("/entities/app:a0-0")
    assert (page["release_id"], page["phase"], page["error_message"]) == (failing, "failed", "image pull back-off")
    assert (page["version"], page["version_runs"]) == ("2", False)
    assert (page["running_version"], page["running_release_id"]) == ("3", newest)
    current = {row["release_id"]: row["current"] for row in page["occurrences"]}
    assert current == {failing: True, ended: False, newest: True}, "a newer release has taken over from what has ended"
    head = words(stage, "/entities/app:a0-0", "section.head")
    assert "failed" in head
    assert f"running 3 (deployed by {newest})" in head
    assert "started" in words(stage, "/entities/app:a0-0", "li.row .began")
    stage.end(failing, "well")
    eventually(lambda: stage.json("/entities/app:a0-0")["release_id"] == newest)


def test_the_twin_of_an_entity_is_what_the_contract_calls_a_cluster_a_bundle_or_an_app(stage: Stage):
    release_id = start(stage, "r", rolled("1.4.2", "deployed"))
    cluster = Cluster.model_validate(stage.json("/entities/cluster:c0"))
    bundle = Bundle.model_validate(stage.json("/entities/bundle:b0"))
    app = App.model_validate(stage.json("/entities/app:a0-0"))
    assert (cluster.wave_id, cluster.bundle_id) == ("wave:one", "bundle:b0")
    assert (bundle.cluster_id, bundle.app_ids) == ("cluster:c0", ["app:a0-0"])
    assert (app.bundle_id, app.version, app.state) == ("bundle:b0", "1.4.2", "deployed")
    release = stage.json(f"/entities/{release_id}")
    assert (release["workflow_id"], release["wave_ids"]) == (release_id, ["wave:one"])


FORMS = ["{id}-{own}", "{id}/{own}", "{own}/{id}"]


def grown(stage: Stage, name: str, form: str, **app: Any) -> str:
    """A tree of child workflows that have the release's name in their ids."""
    own = f"{stage.prefix.partition(':')[2]}-{name}"

    def child(entity_id: str, *below: Any, **plan: Any) -> Any:
        return part(form.format(id=entity_id, own=own), *below, **plan)

    leaf = child("app:shop", workflow_type="TellingPart", says={"state": "deployed"} | app)
    return stage.start_tree(name, child("wave:w", child("cluster:eu", child("bundle:b", leaf))))


@pytest.mark.parametrize("form", FORMS)
def test_trees_of_child_workflows_are_one_anothers_like_but_for_the_releases_own_part(stage: Stage, form: str):
    left, right = (grown(stage, name, form, version=name) for name in ("v1", "v2"))
    path = f"/compare?left={left}&right={right}"

    def both() -> Any:
        """The comparison, once Temporal lists the app of either."""
        answer = stage.ask(f"/api{path}")
        said = answer.get_json()
        there = answer.status_code == 200 and said["left"]["apps"] == said["right"]["apps"] == 1
        # Temporal may list an app before its cluster.
        return said if there and said["clusters"] else None

    eventually(both, 60)
    said = stage.json(path)
    assert (said["counts"]["added"], said["counts"]["removed"]) == (0, 0)
    assert [(place["name"], place["kind"]) for place in said["clusters"]] == [("eu", "same")]
    (row,) = said["clusters"][0]["apps"]
    assert (row["left"]["version"], row["right"]["version"]) == ("v1", "v2")
    # Where else it is, of what was read lately.
    also = stage.json(f"/releases/{right}/entities/{row['right']['id']}/panel")["selected"]["also_in"]
    assert [(one["release_id"], one["entity_id"]) for one in also] == [(left, row["left"]["id"])]
    # And by a look-up: under the plain id, and under the id of either.
    for asked in ("app:shop", row["left"]["id"], row["right"]["id"]):
        found = stage.json(f"/entities/{asked.replace('/', '~2F')}")["occurrences"]
        assert {one["release_id"] for one in found} == {left, right}, asked
    bundle = stage.json("/entities/bundle:b")
    assert (len(bundle["app_ids"]), bundle["cluster_id"].partition(":")[0]) == (1, "cluster")
