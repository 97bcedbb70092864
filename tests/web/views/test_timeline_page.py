"""The timeline of a release as people see it, on the sample rollouts, and on one of very many clusters."""

import re
from datetime import timedelta

from bs4 import BeautifulSoup, Tag
from flask.testing import FlaskClient

from dashboard.domain.entities import Entity
from dashboard.domain.reconcile import reconcile
from dashboard.domain.snapshot import Snapshot
from dashboard.views.timeline.page import MAX_CLUSTERS_WITH_OPEN_BARS, MAX_TICKS, TimelinePage
from dashboard.views.timeline.svg import MAX_NARROW_LABEL_PERCENT, axis
from tests.conftest import Rollouts
from tests.support.rollout_makers import STARTED, entity, execution


def page_of(viewer: FlaskClient, release_id: str) -> BeautifulSoup:
    answer = viewer.get(f"/releases/{release_id}/timeline")
    assert answer.status_code == 200
    return BeautifulSoup(answer.text, "html.parser")


def words(tag: Tag) -> str:
    return " ".join(tag.get_text(" ").split())


def test_it_works(viewer: FlaskClient, rollouts: Rollouts):
    page = page_of(viewer, rollouts.completed)
    rows = viewer.get(f"/api/releases/{rollouts.completed}/timeline").get_json()["waves"]
    assert [tag["data-entity-id"] for tag in page.select("summary.wave")] == [row["id"] for row in rows]
    assert page.select_one('.tabs a[aria-current="page"]').text == "Timeline"
    assert len(page.select(".timeline rect.span")) == sum(1 + len(row["clusters"]) for row in rows)


def test_an_ended_release_has_nothing_that_grows_and_no_estimate(viewer: FlaskClient, rollouts: Rollouts):
    for release_id in (rollouts.completed, rollouts.failed, rollouts.cancelled, rollouts.terminated):
        page = page_of(viewer, release_id)
        assert page.select("[data-grows], .now, .expected, .estimate") == []
        told = viewer.get(f"/api/releases/{release_id}/timeline").get_json()
        assert told["estimate"] is None
        assert all(row["to_at"] for row in told["waves"] if row["from_at"])


def test_waves_at_work_are_open_and_others_closed(viewer: FlaskClient, rollouts: Rollouts):
    page = page_of(viewer, rollouts.moving)
    for wave in page.select("details.branch"):
        assert wave.has_attr("open") is (wave.summary["data-phase"] == "running")


def test_a_bar_says_the_same_in_words(viewer: FlaskClient, rollouts: Rollouts):
    page = page_of(viewer, rollouts.failed)
    (wave,) = page.select('summary.wave[data-phase="failed"]')
    assert "failed" in words(wave.select_one(".name"))
    assert "HealthCheckFailed" in words(wave.select_one(".name"))
    assert "HealthCheckFailed" in wave.select_one("svg.mark.failed title").text
    assert len(wave.select(".when time")) == 2
    assert "never started" in words(page.select('summary.wave[data-phase="cancelled"]')[0])


def test_a_retry_names_attempt_and_cause(viewer: FlaskClient, rollouts: Rollouts):
    page = page_of(viewer, rollouts.retrying)
    mark = page.select_one("summary.wave svg.mark.retrying")
    assert mark.has_attr("data-grows")
    assert "attempt" in mark.title.text
    assert "ImagePullError" in mark.title.text


def test_a_version_is_the_same_text_while_nothing_changes(viewer: FlaskClient, rollouts: Rollouts):
    release = reconcile(execution(), entity("release:r", "in_progress", wave(0, 2)))
    early, late = (TimelinePage.of(Snapshot(release, STARTED + timedelta(minutes=minutes), "v")) for minutes in (5, 50))
    assert early.frame == late.frame
    assert early.model_dump(exclude={"as_of"}) == late.model_dump(exclude={"as_of"})


def wave(number: int, clusters: int, word: str = "in_progress") -> Entity:
    rows = [entity(f"cluster:{number}-{n}", word, updated_at=STARTED + timedelta(hours=n)) for n in range(clusters)]
    return entity(f"wave:{number}", word, *rows)


def test_of_very_many_clusters_closed_waves_leave_theirs_out_until_asked_for():
    waves = [wave(0, MAX_CLUSTERS_WITH_OPEN_BARS, "completed"), wave(1, 2), wave(2, 2, "pending")]
    seen = Snapshot(reconcile(execution(), entity("release:r", "in_progress", *waves)), STARTED, "v")
    assert [row.clusters is None for row in TimelinePage.of(seen).waves] == [True, False, True]
    assert [row.clusters is None for row in TimelinePage.of(seen, frozenset({"wave:0"})).waves] == [False, False, True]
    assert all(row.clusters for row in TimelinePage.of(seen, every=True).waves)


def test_the_axis_has_a_few_round_times_however_long_a_release_takes():
    for clusters in (1, 2, 8, 100, 1_000):
        release = reconcile(execution(), entity("release:r", "in_progress", wave(0, clusters)))
        page = TimelinePage.of(Snapshot(release, STARTED, "v"))
        ticks = list(page.ticks())
        assert len(ticks) <= MAX_TICKS + 1
        assert all(page.from_at <= tick <= page.until and not tick.microsecond for tick in ticks)


def test_times_that_begin_near_the_end_of_the_axis_are_marked_for_narrow_screens():
    release = reconcile(execution(), entity("release:r", "in_progress", wave(0, 8)))
    page = TimelinePage.of(Snapshot(release, STARTED, "v"))
    labels = re.findall(r'<foreignObject x="([0-9.]+)%"( class="far")?><time', axis(page))
    assert len(labels) > 2
    assert {bool(far) for _, far in labels} == {False, True}
    assert all((float(at) > MAX_NARROW_LABEL_PERCENT) == bool(far) for at, far in labels)
