"""The sample rollouts on a real Temporal server."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from temporalio.client import Client, WorkflowExecutionDescription, WorkflowExecutionStatus, WorkflowHandle

from dashboard.concurrency.loop_thread import LoopThread
from dashboard.demo.server import EmbeddedTemporal
from tests.support.waiting import eventually

RELEASE = {"id", "state", "workflow_id", "created_at", "updated_at", "wave_ids"}
WAVE = {"id", "release_id", "sequence", "name", "state", "created_at", "updated_at", "cluster_ids"}
CLUSTER = {"id", "wave_id", "name", "state", "created_at", "updated_at", "bundle_id"}
BUNDLE = {"id", "cluster_id", "name", "state", "created_at", "updated_at", "app_ids"}
APP = {"id", "bundle_id", "name", "version", "state", "created_at", "updated_at"}
OPTIONAL = {"error_message"}

WORDS = {"pending", "in_progress", "awaiting_approval", "completed", "failed", "cancelled"}
APP_WORDS = {"pending", "deploying", "verifying", "deployed", "failed"}

Entity = dict[str, Any]


class Temporal:
    """Asks Temporal, one call after another."""

    def __init__(self, loop: LoopThread, address: str) -> None:
        self._loop = loop
        self.client = loop.call(lambda: Client.connect(address), 20)

    def query(self, release_id: str, name: str, *arguments: str) -> Any:
        return self._loop.call(lambda: self._handle(release_id).query(name, args=arguments), 30)

    def describe(self, release_id: str) -> WorkflowExecutionDescription:
        return self._loop.call(lambda: self._handle(release_id).describe(), 30)

    def approve(self, release_id: str) -> None:
        self._loop.call(lambda: self._handle(release_id).signal("approve"), 30)

    def terminate(self, release_id: str) -> None:
        self._loop.call(lambda: self._handle(release_id).terminate(), 30)

    def runs(self) -> dict[str, str]:
        """The run id of every release that Temporal lists."""

        async def listed() -> dict[str, str]:
            query = "WorkflowType = 'ReleaseWorkflow'"
            return {execution.id: execution.run_id async for execution in self.client.list_workflows(query)}

        return self._loop.call(listed, 30)

    def _handle(self, release_id: str) -> WorkflowHandle[Any, Any]:
        return self.client.get_workflow_handle(release_id)


@pytest.fixture(scope="module")
def loop() -> Iterator[LoopThread]:
    loop = LoopThread()
    yield loop
    loop.stop()


@pytest.fixture(scope="module")
def temporal(rollouts: Any, loop: LoopThread) -> Temporal:
    return Temporal(loop, rollouts.address)


def apps_of(tree: Entity) -> list[Entity]:
    return [app for wave in tree["waves"] for cluster in wave["clusters"] for app in cluster["bundle"]["apps"]]


def entities_of(tree: Entity) -> list[Entity]:
    clusters = [cluster for wave in tree["waves"] for cluster in wave["clusters"]]
    return [tree, *tree["waves"], *clusters, *(cluster["bundle"] for cluster in clusters), *apps_of(tree)]


def trying(temporal: Temporal, release_id: str) -> dict[str, Any]:
    """The pending activities of a release, by activity id."""
    pending = temporal.describe(release_id).raw_description.pending_activities
    return {activity.activity_id: activity for activity in pending}


@pytest.mark.parametrize(
    ("role", "status", "word"),
    [
        ("moving", "RUNNING", "in_progress"),
        ("completed", "COMPLETED", "completed"),
        ("hotfix", "COMPLETED", "completed"),
        ("failed", "FAILED", "failed"),
        ("retrying", "RUNNING", "in_progress"),
        ("paused", "RUNNING", "awaiting_approval"),
        ("cancelled", "CANCELED", "cancelled"),
        ("terminated", "TERMINATED", "in_progress"),
        ("thousand", "RUNNING", "in_progress"),
    ],
)
def test_every_sample_is_where_its_role_wants_it(
    temporal: Temporal, rollouts: Any, role: str, status: str, word: str
) -> None:
    release_id = getattr(rollouts, role)
    described = temporal.describe(release_id)
    assert described.status is WorkflowExecutionStatus[status]
    assert described.workflow_type == "ReleaseWorkflow"
    assert temporal.query(release_id, "get_release_state")["state"] == word


def test_the_hierarchy_has_the_fields_of_the_contract(temporal: Temporal, rollouts: Any) -> None:
    for release_id in rollouts.telling:
        tree = temporal.query(release_id, "get_hierarchy")
        assert set(tree) - OPTIONAL == RELEASE | {"waves"}
        for wave in tree["waves"]:
            assert set(wave) - OPTIONAL == WAVE | {"clusters"}
            for cluster in wave["clusters"]:
                assert set(cluster) - OPTIONAL == CLUSTER | {"bundle"}
                assert set(cluster["bundle"]) - OPTIONAL == BUNDLE | {"apps"}
                assert all(set(app) - OPTIONAL == APP for app in cluster["bundle"]["apps"])


def test_parents_and_children_name_each_other(temporal: Temporal, rollouts: Any) -> None:
    tree = temporal.query(rollouts.retrying, "get_hierarchy")
    assert tree["id"] == tree["workflow_id"] == rollouts.retrying
    assert tree["wave_ids"] == [wave["id"] for wave in tree["waves"]] == ["wave:canary", "wave:early", "wave:broad"]
    assert [wave["sequence"] for wave in tree["waves"]] == [1, 2, 3]
    for wave in tree["waves"]:
        assert wave["release_id"] == tree["id"]
        assert wave["cluster_ids"] == [cluster["id"] for cluster in wave["clusters"]]
        for cluster in wave["clusters"]:
            bundle = cluster["bundle"]
            assert cluster["wave_id"] == wave["id"]
            assert (cluster["bundle_id"], bundle["cluster_id"]) == (bundle["id"], cluster["id"])
            assert bundle["app_ids"] == [app["id"] for app in bundle["apps"]]
            assert all(app["bundle_id"] == bundle["id"] for app in bundle["apps"])


def test_states_are_known_words_and_times_are_utc(temporal: Temporal, rollouts: Any) -> None:
    for release_id in rollouts.telling:
        tree = temporal.query(release_id, "get_hierarchy")
        apps = apps_of(tree)
        assert {entity["state"] for entity in entities_of(tree) if entity not in apps} <= WORDS
        assert {app["state"] for app in apps} <= APP_WORDS
        for entity in entities_of(tree):
            created, updated = (datetime.fromisoformat(entity[field]) for field in ("created_at", "updated_at"))
            assert created <= updated
            assert updated.utcoffset() == timedelta(0)


def test_the_big_one_has_a_thousand_entities_and_half_of_them_to_go(temporal: Temporal, rollouts: Any) -> None:
    tree = temporal.query(rollouts.thousand, "get_hierarchy")
    entities = entities_of(tree)
    assert len(entities) == len({entity["id"] for entity in entities}) == 1000
    assert [len(tree["waves"]), len(apps_of(tree))] == [9, 900]
    assert sum(app["state"] == "deployed" for app in apps_of(tree)) >= 450
    assert temporal.describe(rollouts.thousand).history_length < 10_000


@pytest.mark.parametrize(
    ("name", "entity_id", "fields"),
    [
        ("get_wave_state", "wave:early", WAVE),
        ("get_cluster_state", "cluster:us-east-1", CLUSTER),
        ("get_bundle_state", "bundle:web-services-us-east-1", BUNDLE),
        ("get_app_state", "app:ledger-us-east-1", APP),
        ("get_wave_hierarchy", "wave:early", WAVE | {"clusters"}),
    ],
)
def test_a_query_for_one_entity_answers_with_it_or_null(
    temporal: Temporal, rollouts: Any, name: str, entity_id: str, fields: set[str]
) -> None:
    found = temporal.query(rollouts.completed, name, entity_id)
    assert found["id"] == entity_id
    assert set(found) == fields
    assert temporal.query(rollouts.completed, name, f"{entity_id}-no-more") is None


def test_a_query_for_one_level_does_not_answer_with_another(temporal: Temporal, rollouts: Any) -> None:
    assert temporal.query(rollouts.completed, "get_app_state", "wave:early") is None


def test_a_wave_alone_is_the_wave_in_the_hierarchy(temporal: Temporal, rollouts: Any) -> None:
    tree = temporal.query(rollouts.completed, "get_hierarchy")
    assert temporal.query(rollouts.completed, "get_wave_hierarchy", "wave:broad") == tree["waves"][2]


def test_the_workflow_says_what_it_does_and_what_it_answers(temporal: Temporal, rollouts: Any) -> None:
    said = temporal.query(rollouts.paused, "__temporal_workflow_metadata")
    assert said.current_details == "**early** is waiting for approval (signal `approve`)."
    names = {query.name for query in said.definition.query_definitions}
    levels = ("release", "wave", "cluster", "bundle", "app")
    assert {"get_hierarchy", *(f"get_{level}_state" for level in levels)} <= names


def test_the_failed_one_names_its_cause_on_every_level(temporal: Temporal, rollouts: Any) -> None:
    tree = temporal.query(rollouts.failed, "get_hierarchy")
    failed = [entity for entity in entities_of(tree) if entity["state"] == "failed"]
    assert [entity["id"].partition(":")[0] for entity in failed] == ["release", "wave", "cluster", "bundle", "app"]
    assert all("HealthCheckFailed: p99 latency" in entity["error_message"] for entity in failed)
    assert "pricing" in tree["error_message"]


def test_a_failing_app_is_seen_in_its_activity_under_its_own_id(temporal: Temporal, rollouts: Any) -> None:
    attempts = trying(temporal, rollouts.retrying)
    assert set(attempts) == {"app:search-us-east-1", "app:reviews-ap-southeast-2"}
    for activity in attempts.values():
        assert 1 < activity.attempt <= activity.maximum_attempts
        assert activity.last_failure.application_failure_info.type == "ImagePullError"
        assert "manifest unknown" in activity.last_failure.message
        assert activity.HasField("next_attempt_schedule_time") or activity.HasField("last_started_time")


def test_the_one_of_child_workflows_answers_nothing_and_one_of_its_apps_is_tried_again(
    temporal: Temporal, rollouts: Any
) -> None:
    assert temporal.describe(rollouts.children).workflow_type == "TreeRelease"
    said = temporal.query(rollouts.children, "__temporal_workflow_metadata")
    assert all(query.name.startswith("__") for query in said.definition.query_definitions)
    app = temporal.describe("app:shipping-us-east-1")
    assert (app.root_id, app.parent_id) == (rollouts.children, "bundle:web-services-us-east-1")
    assert trying(temporal, "app:shipping-us-east-1")["app:shipping-us-east-1"].attempt > 1


def test_the_moving_one_changes(temporal: Temporal, rollouts: Any) -> None:
    def words() -> list[str]:
        return [app["state"] for app in apps_of(temporal.query(rollouts.moving, "get_hierarchy"))]

    before = words()
    eventually(lambda: words() != before)
    eventually(lambda: "verifying" in words())


def test_seeding_again_starts_nothing_and_disturbs_nothing_and_the_end_of_a_worker_is_no_failed_attempt(
    temporal: Temporal, rollouts: Any, sample_worker: Any
) -> None:
    before = temporal.runs()
    last_words = temporal.query(rollouts.cancelled, "get_hierarchy")
    with sample_worker(rollouts.address):
        assert temporal.runs() == before
    assert temporal.query(rollouts.cancelled, "get_hierarchy") == last_words
    # Both workers had activities in hand.
    for release_id in (rollouts.moving, rollouts.thousand):
        assert {activity.attempt for activity in trying(temporal, release_id).values()} <= {1}


@pytest.mark.full
def test_seeding_goes_on_where_it_was_cut_short(loop: LoopThread, sample_worker: Any) -> None:
    with EmbeddedTemporal() as server:
        with sample_worker(server.address, until="started") as worker:
            worker.process.kill()
            worker.process.wait()
        temporal = Temporal(loop, server.address)
        before = temporal.runs()
        with sample_worker(server.address):
            assert temporal.runs() == before
            # The next of a series follows the one that has ended; what waits for approval goes on.
            temporal.terminate("release:checkout-2026-47")
            temporal.approve("release:identity-2026-12")
            eventually(lambda: "release:checkout-2026-48" in temporal.runs())
            eventually(lambda: temporal.query("release:identity-2026-12", "get_release_state")["state"] == "completed")
