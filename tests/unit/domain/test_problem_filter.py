from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from dashboard.domain.causes import (
    CauseStatus,
    ProblemSummary,
    affected_entities,
    group_by_cause,
    waiting_entities,
)
from dashboard.domain.entities import Attempt, Entity, Release, Status
from dashboard.domain.problem_filter import ProblemFilter, affected_releases, filter_problems
from dashboard.domain.problems import Problem, ProblemCode
from dashboard.domain.reconcile import reconcile
from dashboard.domain.snapshot import Snapshot
from dashboard.views.problems.page import ProblemsPage
from tests.support.rollout_makers import STARTED, entity, execution, retrying


def release_with(*apps: Entity, name: str = "r", status: Status = Status.RUNNING) -> Release:
    """A release of one cluster with these apps."""
    cluster = entity("cluster:c", "in_progress", entity("bundle:b", "in_progress", *apps))
    tree = entity(f"release:{name}", "in_progress", entity("wave:w", "in_progress", cluster))
    return reconcile(execution(status, workflow_id=f"release:{name}"), tree)


def seen(*releases: Release) -> ProblemSummary:
    """What is broken and what waits in these."""
    broken = group_by_cause(item for release in releases for item in affected_entities(release))
    waiting = tuple(item for release in releases for item in waiting_entities(release))
    return ProblemSummary(broken, len(releases), len(releases), len(releases), len(releases), 0, waiting=waiting)


def test_what_failed_and_is_not_tried_again_gave_up_whatever_else_is_retried():
    failed, retried = entity("app:a", "failed", error="boom"), entity("app:b", "deploying", attempt=retrying("app:b"))
    gap = entity("app:c", "unknown", problem=Problem(ProblemCode.MISSING, "It is not there."))
    standings = {
        "failed": CauseStatus.GAVE_UP,
        "retried": CauseStatus.RETRYING,
        "gap": CauseStatus.NOT_KNOWN,
    }
    for name, app in (("failed", failed), ("retried", retried), ("gap", gap)):
        (cause,) = seen(release_with(app)).causes
        assert cause.standing is standings[name]
    both = replace(retried, error="boom")
    (cause,) = seen(release_with(failed, both)).causes
    assert cause.standing is CauseStatus.GAVE_UP
    assert replace(cause, broken=cause.broken[:0]).standing is CauseStatus.NOT_KNOWN


def test_a_page_has_the_worst_causes_first_and_all_of_them_once():
    retried = entity("app:b", "deploying", attempt=retrying("app:b"), updated_at=STARTED)
    page = ProblemsPage.of(
        Snapshot(seen(release_with(retried), release_with(entity("app:a", "failed", error="boom"))), STARTED, "v")
    )
    assert [each.standing for each in page.groups] == [CauseStatus.GAVE_UP, CauseStatus.RETRYING]
    assert page.groups == tuple(each for standing in CauseStatus for each in page.standing(standing))


def test_what_waits_is_told_where_it_waits_and_not_again_above_nor_of_what_has_ended():
    waiting = entity("wave:w", "awaiting_approval", entity("cluster:c", "pending"))
    tree = entity("release:r", "awaiting_approval", waiting)
    (item,) = waiting_entities(reconcile(execution(), tree))
    assert (item.entity.id, item.cause) == ("wave:w", "awaiting approval")
    assert waiting_entities(reconcile(execution(Status.TERMINATED), tree)) == ()


def test_an_activity_that_is_paused_in_temporal_waits_for_somebody():
    held = Attempt("app:a", 3, None, None, None, None, paused=True)
    (item,) = waiting_entities(release_with(entity("app:a", "deploying", attempt=held)))
    assert (item.entity.id, item.cause) == ("app:a", "its activity is paused in Temporal")


@given(st.text(alphabet="abo:. AB", max_size=5), st.sampled_from(["", "release:one", "release:two", "release:three"]))
def test_narrowing_only_leaves_out_and_keeps_how_far_was_looked(text: str, release_id: str):
    one = release_with(entity("app:a", "failed", error="boom"), name="one")
    two = release_with(entity("app:b", "failed", error="no space"), entity("app:c", "paused"), name="two")
    whole, asked = seen(one, two), ProblemFilter(text, release_id)
    part = filter_problems(whole, asked)
    kept = [item for cause in part.causes for item in cause.broken]
    every = [item for cause in whole.causes for item in cause.broken]
    assert kept == [item for item in every if asked.picks(item)]
    assert all(cause.broken for cause in part.causes)
    assert (part.total, part.read) == (whole.total, whole.read)
    assert sum(count for _, _, count in affected_releases(part)) == len(kept) + len(part.waiting)
