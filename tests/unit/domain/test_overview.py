from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from dashboard.domain.entities import Release, ReleaseList, Status
from dashboard.domain.filters import ReleaseFilter
from dashboard.domain.overview import Overview, overview
from dashboard.domain.phases import Phase
from dashboard.domain.reconcile import reconcile
from dashboard.domain.snapshot import Snapshot
from dashboard.views.releases.page import ReleasesPage
from tests.support.rollout_makers import STARTED, entity, execution

NOW = STARTED + timedelta(hours=30)


def release(name: str, state: str, status: Status = Status.RUNNING, hours_ago: float = 1, **fields) -> Release:
    closed_at = NOW - timedelta(hours=hours_ago) if status.closed else None
    run = execution(status, workflow_id=f"release:{name}", closed_at=closed_at, **fields)
    return reconcile(run, entity(f"release:{name}", state, error=f"{name} broke" if state == "failed" else None))


def listing(releases: Sequence[Release], total: int | None = None) -> ReleaseList:
    return ReleaseList(tuple(releases), 0, 20, len(releases) if total is None else total, {}, NOW, None)


def seen(*releases: Release, total: int | None = None) -> Overview:
    return overview(listing(releases, total), NOW)


def names(releases: Sequence[Release]) -> list[str]:
    return [each.id.partition(":")[2] for each in releases]


def test_each_open_release_stands_on_one_card():
    found = seen(
        release("moves", "in_progress"),
        release("waits", "awaiting_approval"),
        release("broke", "failed"),
        release("odd", "odd"),
    )
    assert names(found.needy) == ["broke"]
    assert names(found.waiting) == ["waits"]
    assert names(found.moving) == ["moves", "odd"]
    assert not found.ended


def test_what_failed_within_24_hours_needs_somebody_and_what_failed_before_is_history():
    found = seen(release("new", "failed", Status.FAILED, 23), release("old", "failed", Status.FAILED, 25))
    assert names(found.needy) == ["new"]
    assert found.ended == {Phase.FAILED: 1}


def test_a_failed_run_that_was_started_anew_needs_nobody():
    again = release("r", "in_progress", started_at=STARTED + timedelta(hours=9))
    found = seen(again, release("r", "failed", Status.FAILED, 3))
    assert not found.needy
    assert names(found.moving) == ["r"]
    assert found.ended == {Phase.FAILED: 1}


def test_an_ended_release_that_last_said_running_does_not_move():
    found = seen(release("killed", "in_progress", Status.TERMINATED))
    assert not found.moving
    assert found.ended == {Phase.TERMINATED: 1}


def test_it_says_whether_it_speaks_of_all():
    moving = [release(f"m{n}", "in_progress") for n in range(3)]
    assert seen(*moving).open_whole
    assert seen(*moving).ended_whole
    more = seen(*moving, total=9)
    assert not more.open_whole
    assert not more.ended_whole
    lately = seen(*moving, release("done", "completed", Status.COMPLETED), total=9)
    assert lately.open_whole, "what runs comes first"
    assert not lately.ended_whole
    assert seen(*moving, release("old", "completed", Status.COMPLETED, 48), total=9).ended_whole


def test_the_first_page_of_the_whole_list_has_it_and_no_other():
    found = Snapshot(listing([release("m", "in_progress")]), NOW, "v")
    assert ReleasesPage.of(found, ReleaseFilter(), lambda _: "").overview is not None
    assert ReleasesPage.of(found, ReleaseFilter(phases=(Phase.RUNNING,)), lambda _: "").overview is None
    second = replace(found, value=replace(found.value, offset=20))
    assert ReleasesPage.of(second, ReleaseFilter(), lambda _: "").overview is None


def test_a_card_names_three_and_counts_the_rest():
    page = ReleasesPage.of(
        Snapshot(listing([release(f"b{n}", "failed") for n in range(5)]), NOW, "v"), ReleaseFilter(), lambda _: ""
    )
    card = page.overview.needs_somebody
    assert (card.count, card.more, [each.cause for each in card.named]) == (5, 2, ["b0 broke", "b1 broke", "b2 broke"])
