from dataclasses import replace
from datetime import UTC, datetime, timedelta

from dashboard.domain.entities import Attempt, Status
from dashboard.domain.ids import EntityType
from dashboard.domain.parts import parts_of, summarise_parts, with_parts
from dashboard.domain.phases import Phase
from dashboard.domain.reconcile import reconcile
from tests.support.rollout_makers import entity, execution, retrying

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def paused(activity_id: str) -> Attempt:
    return replace(retrying(activity_id), paused=True)


def cluster(name: str, *apps, state: str = "in_progress", **fields):
    return entity(f"cluster:{name}", state, entity(f"bundle:{name}", state, *apps), **fields)


def tree(*clusters, state: str = "completed"):
    return entity("release:r", state, entity("wave:one", state, *clusters))


def test_failed_apps_are_counted_among_all_apps_and_the_first_cause_is_named():
    root = tree(
        cluster("eu", entity("app:a", "deployed"), entity("app:b", "failed", error="no such image")),
        cluster("us", entity("app:c", "deployed"), entity("app:d", "timed_out")),
    )
    found = summarise_parts(root)
    assert (found.failed, found.total, found.level, found.whole) == (2, 4, EntityType.APP, False)
    assert found.cause is not None
    assert (found.cause.id, found.cause.text) == ("app:b", "no such image")


def test_where_there_are_no_apps_the_lowest_level_is_counted():
    root = tree(entity("cluster:a", "failed"), entity("cluster:b", "completed"), entity("cluster:c", "completed"))
    found = summarise_parts(root)
    assert (found.failed, found.total, found.level) == (1, 3, EntityType.CLUSTER)


def test_a_cluster_that_failed_after_all_of_its_apps_succeeded_is_counted_among_clusters():
    well = entity("app:a", "deployed")
    root = tree(cluster("eu", well, state="completed"), replace(cluster("us", well), phase=Phase.FAILED, error="smoke"))
    found = summarise_parts(root)
    assert (found.failed, found.total, found.level) == (1, 2, EntityType.CLUSTER)
    assert found.cause is not None
    assert found.cause.text == "smoke"


def test_a_part_that_was_terminated_has_failed_unless_its_release_was_terminated():
    row = tree(entity("cluster:a", "terminated"), entity("cluster:b", "completed"))
    assert summarise_parts(row).failed == 1
    assert summarise_parts(replace(row, phase=Phase.TERMINATED)).failed == 0


def test_what_is_terminated_with_a_wave_that_was_cancelled_has_not_failed():
    """As when a release was asked to cancel and still rolls back: its wave has ended, and a cluster with it."""
    wave = entity("wave:one", "cancelled", entity("cluster:a", "terminated"), entity("cluster:b", "cancelled"))
    assert summarise_parts(entity("release:r", "running", wave)).failed == 0
    by_hand = entity("wave:two", "completed", entity("cluster:c", "terminated"))
    assert summarise_parts(entity("release:r", "running", wave, by_hand)).failed == 1


def test_a_part_that_was_cancelled_counts_beside_and_one_left_unfinished_does_not():
    release = reconcile(
        execution(Status.COMPLETED), tree(entity("cluster:a", "cancelled"), entity("cluster:b", "deploying"))
    )
    found = summarise_parts(release.root)
    assert (found.failed, found.cancelled, found.apps.of(Phase.CANCELLED), found.whole) == (0, 1, 2, False)


def test_the_innermost_part_that_waits_is_named_and_those_above_it_are_not_counted():
    gate = entity("cluster:gate", "awaiting_approval", entity("bundle:b", "pending", entity("app:a")))
    root = entity("release:r", "in_progress", entity("wave:one", "paused", gate), entity("wave:two", "pending"))
    found = summarise_parts(root)
    assert found.waiting == 1
    assert found.waits is not None
    assert (found.waits.id, found.waits.text) == ("cluster:gate", "awaiting approval")


def test_a_paused_activity_waits_and_is_not_being_retried_on_a_row_and_beside_all_rows():
    root = tree(cluster("eu", entity("app:a", "deploying", attempt=paused("app:a"))), state="in_progress")
    found = summarise_parts(root, [paused("notify"), retrying("audit")])
    assert (found.waiting, found.retrying) == (2, 1)
    assert found.waits is not None
    assert found.waits.id == "app:a"
    alone = summarise_parts(entity("release:r", "in_progress"), [paused("notify")])
    assert alone.waits is not None
    assert (alone.waits.type, alone.waits.name) == (None, "notify")


def test_the_newest_change_of_any_part_is_known():
    later = NOON + timedelta(hours=1)
    root = tree(entity("cluster:a", created_at=NOON, updated_at=later), entity("cluster:b", created_at=NOON))
    assert summarise_parts(root).changed_at == later
    assert summarise_parts(entity("release:r")).changed_at is None


def test_a_release_whose_tree_was_not_read_has_no_parts_and_one_that_was_keeps_its_own():
    bare = reconcile(execution(), entity("release:r", "in_progress"))
    assert parts_of(bare) is None
    read = with_parts(reconcile(execution(), tree(entity("cluster:a", "failed"), state="in_progress")))
    small = replace(read, root=replace(read.root, children=()))
    assert parts_of(small) is read.parts
