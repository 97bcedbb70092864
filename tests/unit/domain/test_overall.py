"""A release with its parts counted in: on the cards, in the turns of a wall, in titles, badges, causes and waits."""

from dataclasses import replace

import pytest

from dashboard.domain.causes import CauseStatus, affected_entities, group_by_cause, waiting_entities
from dashboard.domain.entities import Attempt, FailingTask, Release, Status
from dashboard.domain.kiosk import kiosk_rotation
from dashboard.domain.overall import overall_state
from dashboard.domain.parts import with_parts
from dashboard.domain.phases import Phase
from dashboard.domain.problems import Problem, ProblemCode
from dashboard.domain.reconcile import reconcile, unreported_release
from dashboard.domain.rollup import blockages, trouble_cause
from dashboard.domain.snapshot import Snapshot
from dashboard.push.wait_condition import WaitCondition
from dashboard.views.badges.page import Badge
from dashboard.views.exports.tables import RELEASE_COLUMNS, releases_table
from dashboard.views.kiosk.page import KioskTurn
from dashboard.views.release.page import ReleasePage
from dashboard.views.releases.page import ReleaseItem
from dashboard.web.export.table import TableChunk
from tests.support.rollout_makers import STARTED, entity, execution, retrying
from tests.unit.domain.test_overview import NOW, listing, names, seen

KIND_UNKNOWN = Problem(ProblemCode.MISPLACED, "Unexpected parent for a wave: app:a.")
SILENT = Problem(ProblemCode.NO_WORKER, "No worker answers.")


def cluster(name: str, *apps, state: str = "deploying", **fields):
    return entity(f"cluster:{name}", state, entity(f"bundle:{name}", state, *apps), **fields)


def release(name: str, state: str, *clusters, status: Status = Status.RUNNING, **fields) -> Release:
    closed_at = NOW if status.closed else None
    run = execution(status, workflow_id=f"release:{name}", closed_at=closed_at, **fields)
    return reconcile(run, entity(f"release:{name}", state, entity("wave:one", state, *clusters)))


def listed(found: Release) -> Release:
    """As the list has it: without its tree, with what was read of its parts."""
    read = with_parts(found)
    return replace(read, root=replace(read.root, children=()))


def half_failed(status: Status = Status.COMPLETED) -> Release:
    apps = [entity("app:a", "failed", error="no such image"), entity("app:b", "timed_out"), entity("app:c", "deployed")]
    return release("half", "completed", cluster("eu", *apps, state="completed"), status=status)


def waiting(state: str = "awaiting_approval", *more) -> Release:
    return release("gate", "in_progress", entity("cluster:c1", state), *more)


def paused(activity_id: str) -> Attempt:
    return replace(retrying(activity_id), paused=True)


def shown(found: Release) -> Snapshot[Release]:
    return Snapshot(found, NOW, "v")


@pytest.mark.parametrize("status", [Status.COMPLETED, Status.RUNNING])
def test_a_release_that_succeeded_with_failed_parts_says_so_in_every_short_form(status: Status):
    found = listed(half_failed(status))
    words = "succeeded with 2 of 3 failed"
    assert overall_state(found).phase is Phase.FAILED
    item = ReleaseItem.of(found, superseded=False)
    assert (item.phase, item.overall_phase, item.label, item.failed) == (Phase.SUCCEEDED, Phase.FAILED, words, 2)
    assert item.note == "a: no such image"
    page = ReleasePage.of(shown(half_failed(status)))
    assert (page.title, page.worst) == (f"half: {words}", Phase.FAILED)
    badge = Badge.of(shown(half_failed(status)))
    assert (badge.said, badge.phase) == (f"{words}, 1/3 apps", Phase.FAILED)
    turn = KioskTurn.of(found, shown=True)
    assert (turn.word, turn.turn_phase) == (words, Phase.FAILED)


def test_on_the_cards_it_needs_attention_and_is_no_success():
    over = seen(listed(half_failed()))
    assert names(over.needy) == ["half"]
    assert over.ended == {Phase.FAILED: 1}
    assert names(kiosk_rotation(listing([listed(half_failed())]), NOW).releases) == ["half"]


def test_an_open_release_with_failed_parts_needs_attention_and_one_that_only_tries_again_moves():
    broken = listed(release("broken", "in_progress", cluster("eu", entity("app:a", "failed"), entity("app:b"))))
    again = listed(release("again", "in_progress", cluster("eu", entity("app:a", "deploying", attempt=retrying("a")))))
    found = seen(broken, again)
    assert (names(found.needy), names(found.moving)) == (["broken"], ["again"])


def test_of_one_whose_parts_were_not_read_nothing_is_claimed():
    bare = reconcile(execution(Status.COMPLETED, closed_at=NOW), entity("release:r", "completed"))
    item = ReleaseItem.of(bare, superseded=False)
    assert (item.failed, item.inside, item.unread) == (None, None, True)
    assert not ReleaseItem.of(listed(half_failed()), superseded=False).unread


def test_cancelled_parts_are_named_and_are_no_failure():
    found = release(
        "r", "completed", entity("cluster:a", "cancelled"), entity("cluster:b", "done"), status=Status.COMPLETED
    )
    assert overall_state(found).label == "succeeded with 1 of 2 cancelled"
    assert overall_state(found).phase is Phase.SUCCEEDED


def test_waiting_inside_makes_a_running_release_wait_everywhere_with_the_leaf_named():
    found = waiting()
    over = seen(listed(found), listed(release("rolls", "in_progress", entity("cluster:c1", "deploying"))))
    assert (names(over.waiting), names(over.moving)) == (["gate"], ["rolls"])
    item = ReleaseItem.of(listed(found), superseded=False)
    assert (item.phase, item.overall_phase, item.note) == (
        Phase.RUNNING,
        Phase.PAUSED,
        "waiting in c1: awaiting approval",
    )
    assert KioskTurn.of(listed(found), shown=False).turn_phase is Phase.PAUSED
    assert (ReleasePage.of(shown(found)).title, ReleasePage.of(shown(found)).worst) == (
        "gate: waiting in c1",
        Phase.PAUSED,
    )
    assert Badge.of(shown(found)).phase is Phase.PAUSED
    assert WaitCondition("release:gate", None, frozenset({Phase.PAUSED})).reached(shown(found))
    assert WaitCondition("release:gate", None, frozenset({Phase.RUNNING})).reached(shown(found)), "its own word stays"


def test_an_app_that_waits_is_named_with_its_cluster():
    found = release("gate", "in_progress", cluster("eu", entity("app:shop", "on_hold")))
    assert overall_state(found).short == "waiting in eu / shop"


@pytest.mark.parametrize(
    "found",
    [
        waiting("awaiting_approval", entity("cluster:c2", "failed")),
        waiting("awaiting_approval", cluster("c2", entity("app:a", "deploying", attempt=retrying("app:a")))),
        replace(waiting(), execution=execution(failing_task=FailingTask(3), workflow_id="release:gate")),
        replace(waiting(), execution=execution(waiting_since=STARTED, workflow_id="release:gate")),
    ],
)
def test_what_fails_as_well_is_not_called_waiting(found: Release):
    assert overall_state(found).phase is Phase.RUNNING
    assert not WaitCondition("release:gate", None, frozenset({Phase.PAUSED})).reached(shown(found))


def test_a_paused_activity_pauses_its_row_and_is_no_cause_of_failure():
    run = execution(attempts={"app:shop": paused("app:shop"), "notify": paused("notify")})
    said = entity(
        "release:r", "in_progress", entity("wave:one", "deploying", cluster("eu", entity("app:shop", "deploying")))
    )
    found = reconcile(run, said)
    app = next(row for row in found.root.walk() if row.id == "app:shop")
    assert (app.phase, app.state) == (Phase.PAUSED, "deploying")
    assert affected_entities(found) == ()
    assert [(item.entity.id, item.activity_id) for item in waiting_entities(found)] == [
        ("app:shop", None),
        ("release:r", "notify"),
    ]
    page = ReleasePage.of(shown(found))
    assert (page.progress.paused, page.progress.retrying, page.worst) == (1, 0, Phase.PAUSED)
    assert page.blocked_by[0].obstacles[0].why == "1 app paused"


def test_a_paused_activity_of_no_row_makes_the_release_wait_also_where_its_tree_was_not_read():
    found = reconcile(execution(attempts={"notify": paused("notify")}), entity("release:r", "in_progress"))
    assert overall_state(found).short == "waiting for activity notify"
    assert names(seen(found).waiting) == ["r"]
    gone = replace(found, execution=replace(found.execution, status=Status.COMPLETED, closed_at=NOW))
    assert waiting_entities(gone) == ()


def test_a_requested_cancellation_stands_beside_the_state_until_it_is_done():
    found = release("r", "rolling_back", entity("cluster:a", "rolling_back"), cancel_requested=True)
    item = ReleaseItem.of(listed(found), superseded=False)
    assert (item.phase, item.cancelling, item.summary) == (Phase.RUNNING, True, "running, cancelling")
    assert ReleasePage.of(shown(found)).title == "r: running, cancelling"
    assert Badge.of(shown(found)).said == "running, cancelling, 0/1 app"
    done = release("r", "rolling_back", status=Status.CANCELED, cancel_requested=True)
    assert not overall_state(done).cancelling


def test_a_release_that_does_not_answer_is_of_unknown_state_whatever_else_says_the_same():
    healthy = unreported_release(execution(), SILENT)
    failed = unreported_release(execution(Status.FAILED, workflow_id="release:f", closed_at=NOW), SILENT)
    causes = {
        cause.standing: cause for cause in group_by_cause([*affected_entities(healthy), *affected_entities(failed)])
    }
    assert [item.release_id for item in causes[CauseStatus.NOT_KNOWN].broken] == ["release:r"]
    assert [item.release_id for item in causes[CauseStatus.GAVE_UP].broken] == ["release:f"]


def test_that_it_is_not_known_what_a_row_is_explains_no_failure_and_is_no_problem():
    odd = entity("app:odd", "failed", problem=KIND_UNKNOWN)
    assert trouble_cause(odd) is None
    (item,) = affected_entities(release("r", "in_progress", cluster("eu", odd)))
    assert "kind" not in item.cause
    well = release("r", "in_progress", cluster("eu", entity("app:odd", "deploying", problem=KIND_UNKNOWN)))
    assert (affected_entities(well), blockages(well)) == ((), ())


def test_what_was_terminated_in_a_release_that_goes_on_is_broken_once_and_with_its_release_it_is_not():
    parts = entity("cluster:a", "terminated", entity("bundle:a", "terminated", entity("app:a", "terminated")))
    found = release("r", "completed", parts, entity("cluster:b", "completed"), status=Status.COMPLETED)
    assert [item.entity.id for item in affected_entities(found)] == ["cluster:a"]
    assert group_by_cause(affected_entities(found))[0].standing is CauseStatus.GAVE_UP
    assert (
        affected_entities(release("r", "in_progress", entity("cluster:a", "terminated"), status=Status.TERMINATED))
        == ()
    )


def test_nothing_waits_for_what_has_completed():
    kept = cluster("kept", entity("app:a", "failed"), state="completed")
    gone = cluster("gone", entity("app:b", "deployed"), state="completed", problem=SILENT)
    stuck = cluster("stuck", entity("app:c", "failed"))
    (wave,) = blockages(release("r", "in_progress", gone, kept, stuck))
    assert [(obstacle.entity.name, obstacle.over) for obstacle in wave.obstacles] == [("stuck", False), ("kept", True)]
    assert not wave.over
    (ended,) = blockages(
        reconcile(execution(), entity("release:r", "in_progress", entity("wave:one", "completed", kept)))
    )
    assert ended.over


def test_the_table_of_releases_has_what_failed_in_each():
    columns = RELEASE_COLUMNS
    assert {"overall_phase", "summary", "parts", "parts_failed", "waits_in", "cancelling"} <= set(columns)
    item = ReleaseItem.of(listed(half_failed()), superseded=False)
    cells = releases_table(iter([TableChunk((item,), NOW, False, None)])).cells(item)
    assert (cells["parts_failed"], cells["parts"], cells["summary"]) == (
        2,
        3,
        "succeeded with 2 of 3 failed, a: no such image",
    )


def test_the_list_counts_waves_alone_and_nothing_else_that_a_release_has_below_it():
    apart = reconcile(
        execution(workflow_id="release:flat"), entity("release:flat", "running", entity("app:a", "running"))
    )
    assert ReleaseItem.of(listed(apart), superseded=False).wave_ids == ()
    assert ReleaseItem.of(listed(waiting()), superseded=False).wave_ids == ("wave:one",)
