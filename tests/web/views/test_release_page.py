"""The release page as people see it, on the sample rollouts."""

import re

from bs4 import BeautifulSoup, Tag
from flask.testing import FlaskClient

from tests.conftest import Rollouts
from tests.support.waiting import eventually


def page_of(viewer: FlaskClient, path: str) -> BeautifulSoup:
    answer = viewer.get(path)
    assert answer.status_code == 200
    return BeautifulSoup(answer.text, "html.parser")


def row(page: BeautifulSoup, entity_id: str) -> Tag:
    found = page.select_one(f'[data-entity-id="{entity_id}"]')
    assert found is not None, entity_id
    return found


def words(tag: Tag) -> str:
    return " ".join(tag.get_text(" ").split())


def test_it_works(viewer: FlaskClient, rollouts: Rollouts):
    page = page_of(viewer, f"/releases/{rollouts.completed}")
    head = row(page, rollouts.completed)
    assert head["data-state"] == "completed"
    assert head["data-phase"] == "succeeded"
    assert rollouts.completed in words(head)
    assert "run" in words(head)
    assert page.select_one(".as-of time") is not None


def test_waves_are_open_and_clusters_closed_unless_something_failed_in_them(viewer: FlaskClient, rollouts: Rollouts):
    page = page_of(viewer, f"/releases/{rollouts.failed}")
    waves = page.select("details:has(> summary.wave)")
    assert waves
    assert all(wave.has_attr("open") for wave in waves)
    clusters = {details["data-lazy"]: details.has_attr("open") for details in page.select("details[data-lazy]")}
    broken = {summary["data-entity-id"] for summary in page.select('summary.cluster[data-phase="failed"]')}
    assert broken
    assert {cluster for cluster, is_open in clusters.items() if is_open} == broken


def test_a_failure_shows_its_message_where_it_happened_and_at_the_top(viewer: FlaskClient, rollouts: Rollouts):
    page = page_of(viewer, f"/releases/{rollouts.failed}")
    (app,) = page.select('.row.app[data-phase="failed"]')
    assert "HealthCheckFailed" in words(app)
    blocked = page.select_one(".notice.blocked")
    assert "HealthCheckFailed" in words(blocked)
    assert "Stopped in wave" in words(blocked)
    assert "1 app failed" in words(blocked)
    assert all(link["href"].startswith(f"/releases/{rollouts.failed}/entities/") for link in blocked.select("a"))


def test_waves_tell_how_many_clusters_are_done_and_since_when_they_run(viewer: FlaskClient, rollouts: Rollouts):
    address = f"/releases/{rollouts.moving}"
    tree = viewer.get(f"/api{address}").get_json()
    page = page_of(viewer, address)
    for wave in tree["waves"]:
        share, total = row(page, wave["id"]).select_one(".share"), wave["cluster_progress"]["total"]
        assert share is not None
        assert f"/ {total} cluster" in words(share)
    running = page.select('.row.wave[data-phase="running"] .since time')
    begun = {wave["id"]: wave["began_at"] for wave in tree["waves"]}
    assert running
    assert {time["datetime"][:19] for time in running} <= {str(at)[:19] for at in begun.values()}
    assert not page.select('.row.wave[data-phase="succeeded"] .since')


def test_apps_show_name_and_version(viewer: FlaskClient, rollouts: Rollouts):
    page = page_of(viewer, f"/releases/{rollouts.completed}/hierarchy")
    tree = viewer.get(f"/api/releases/{rollouts.completed}/hierarchy").get_json()
    for app in tree["waves"][0]["clusters"][0]["bundle"]["apps"]:
        shown = row(page, app["id"])
        assert words(shown.select_one(".name")) == app["name"]
        assert words(shown.select_one(".ver")) == app["version"]


def test_each_wave_has_a_bar_that_says_the_same_in_words(viewer: FlaskClient, rollouts: Rollouts):
    tree = viewer.get(f"/api/releases/{rollouts.failed}").get_json()
    page = page_of(viewer, f"/releases/{rollouts.failed}")
    for wave in tree["waves"]:
        bar = row(page, wave["id"]).select_one("svg.bar")
        progress = wave["progress"]
        assert f"{progress['succeeded']} of {progress['total']} apps done" in bar["aria-label"]
        assert (f"{progress['failed']} failed" in bar["aria-label"]) is bool(progress["failed"])
        assert sum(int(rect["width"]) for rect in bar.select("rect")) <= progress["total"]


def test_a_closed_cluster_offers_its_rows_without_javascript(viewer: FlaskClient, rollouts: Rollouts):
    page = page_of(viewer, f"/releases/{rollouts.completed}")
    cluster = page.select_one("details[data-lazy]:not([open])")
    link = cluster.select_one("a.more")
    opened = page_of(viewer, str(link["href"]).partition("#")[0])
    details = opened.select_one(f'details[data-lazy="{cluster["data-lazy"]}"]')
    assert details.has_attr("open")
    assert details.select(".row.app")


def test_the_rows_of_a_closed_cluster_are_what_its_own_page_has(viewer: FlaskClient, rollouts: Rollouts):
    page = page_of(viewer, f"/releases/{rollouts.completed}")
    rows = page.select_one("details[data-lazy]:not([open]) > [data-rows]")
    fragment = viewer.get(rows["hx-get"], headers={"HX-Request": "true"}).text
    selected = BeautifulSoup(fragment, "html.parser").select(rows["hx-select"])
    assert selected, "what htmx selects is there"
    assert selected[0].select(".row.app")


def test_a_release_that_retries_names_attempt_and_cause(viewer: FlaskClient, rollouts: Rollouts):
    page = page_of(viewer, f"/releases/{rollouts.retrying}")
    app = page.select_one(".row.app.retrying")
    assert "attempt" in words(app)
    assert "ImagePullError" in words(app)
    assert "is blocked by" in words(page.select_one(".notice.blocked"))


def test_a_release_that_waits_for_somebody_says_so(viewer: FlaskClient, rollouts: Rollouts):
    page = page_of(viewer, f"/releases/{rollouts.paused}")
    assert row(page, rollouts.paused)["data-phase"] == "paused"
    assert "awaiting approval" in words(page.select_one(".notice.held"))


def test_a_terminated_release_shows_no_row_as_running_and_keeps_the_last_words(viewer: FlaskClient, rollouts: Rollouts):
    page = page_of(viewer, f"/releases/{rollouts.terminated}/hierarchy")
    assert page.select('[data-phase="running"], [data-phase="pending"]') == []
    head = row(page, rollouts.terminated)
    assert head["data-phase"] == "terminated"
    assert f"last reported: {head['data-state'].replace('_', ' ')}" in words(head)
    assert page.select_one(".notice.calm") is not None, "the reason that was given"


def test_an_open_page_asks_for_news_only_while_there_may_be_any(viewer: FlaskClient, rollouts: Rollouts):
    for release_id, live in ((rollouts.moving, "true"), (rollouts.completed, "false"), (rollouts.cancelled, "false")):
        page = page_of(viewer, f"/releases/{release_id}")
        assert page.select_one("#as-of")["data-live"] == live
        assert page.select_one("#live")["data-every"] == "2"


def test_ids_on_a_page_are_unique_and_the_same_each_time(viewer: FlaskClient, rollouts: Rollouts):
    for path in (f"/releases/{rollouts.thousand}/hierarchy", "/releases", f"/releases/{rollouts.failed}"):
        ids = [tag["id"] for tag in page_of(viewer, path).select("[id]")]
        assert len(ids) == len(set(ids))
        again = [tag["id"] for tag in page_of(viewer, path).select("[id]")]
        assert again == ids


def test_a_release_of_a_thousand_entities_is_a_light_page(viewer: FlaskClient, rollouts: Rollouts):
    answer = viewer.get(f"/releases/{rollouts.thousand}")
    assert len(answer.data) < 150_000


def test_the_list_has_a_row_for_each_release_with_word_shape_and_link(viewer: FlaskClient, rollouts: Rollouts):
    page = page_of(viewer, "/releases")
    for item in viewer.get("/api/releases").get_json()["items"]:
        shown = row(page, item["id"])
        assert shown.select_one(f'use[href="#i-{item["phase"]}"]') is not None
        run = f"?run={item['run_id']}" if item["closed_at"] else ""
        assert shown.select_one(f'a[href="/releases/{item["id"]}{run}"]') is not None
    assert "HealthCheckFailed" in words(row(page, rollouts.failed))


def test_an_entity_page_leads_back_up(viewer: FlaskClient, rollouts: Rollouts):
    release = viewer.get(f"/api/releases/{rollouts.failed}/hierarchy").get_json()
    bundle = release["waves"][0]["clusters"][0]["bundle"]
    page = page_of(viewer, f"/releases/{rollouts.failed}/entities/{bundle['apps'][0]['id']}")
    hrefs = [link["href"] for link in page.select(".crumb a")]
    assert hrefs[:2] == ["/releases", f"/releases/{rollouts.failed}"]
    assert hrefs[-1] == f"/releases/{rollouts.failed}/entities/{bundle['id']}"
    assert words(page.select_one("dl.pairs")).count(release["run_id"]) == 1


def test_every_phase_has_an_icon_of_its_own(viewer: FlaskClient):
    from dashboard.domain.phases import Phase

    page = page_of(viewer, "/releases")
    shapes = {phase: page.select_one(f"symbol#i-{phase}") for phase in Phase}
    assert all(shape is not None for shape in shapes.values())
    assert len({shape.decode_contents() for shape in shapes.values()}) == len(Phase)


def test_where_nothing_holds_it_up_the_page_says_how_far_it_is(viewer: FlaskClient, rollouts: Rollouts):
    def said(release_id: str) -> str:
        page = page_of(viewer, f"/releases/{release_id}")
        return " ".join(words(notice) for notice in page.select(".notice.how-far"))

    eventually(lambda: re.fullmatch(r"Wave \S+ is in progress: \d+ of \d+ clusters? done\.", said(rollouts.moving)))
    assert said(rollouts.completed) == "Finished: 3 of 3 waves done."
    assert said(rollouts.cancelled) == "Finished: 1 of 3 waves done."
