"""The page of problems as people see it, on the sample rollouts."""

import pytest
from bs4 import BeautifulSoup, Tag
from flask.testing import FlaskClient

from tests.conftest import Rollouts
from tests.support.waiting import settled


@pytest.fixture
def page(viewer: FlaskClient, rollouts: Rollouts) -> BeautifulSoup:
    answer = viewer.get("/problems")
    assert answer.status_code == 200
    return BeautifulSoup(answer.text, "html.parser")


def words(tag: Tag) -> str:
    return " ".join(tag.get_text(" ").split())


def cause(page: BeautifulSoup, beginning: str) -> Tag:
    (found,) = [
        group for group in page.select(".causes > li") if words(group.select_one(".name")).startswith(beginning)
    ]
    return found


def test_it_works(page: BeautifulSoup, rollouts: Rollouts):
    failed = cause(page, "HealthCheckFailed")
    assert failed.find_parent("section").select_one('h2 svg.icon.failed use[href="#i-failed"]') is not None
    assert "1 app in 1 cluster of 1 release" in words(failed.select_one(".what"))
    assert rollouts.failed.removeprefix("release:") in words(failed)


def test_two_apps_that_fail_for_one_reason_are_one_cause(page: BeautifulSoup):
    group = cause(page, "ImagePullError")
    assert "2 apps in 2 clusters of 1 release" in words(group)
    assert "manifest unknown" in words(group.select_one("h3"))
    assert "search:7.11.4" not in words(group.select_one(".name")), "what differs is left out"
    assert "of 70" in words(group.select_one(".cause-now"))
    assert [words(row.select_one(".name")) for row in group.select(".row.app")] != []
    assert "registry.example.com" in words(group.select_one("details.whole pre")), "an example is kept as it came"


def test_what_gave_up_stands_apart_from_what_is_retried_and_what_waits(page: BeautifulSoup, rollouts: Rollouts):
    sections = {section["aria-labelledby"]: section for section in page.select("section[aria-labelledby]")}
    assert list(sections)[:3] == ["gave-up", "retrying", "waiting"], "the worst first"
    assert "HealthCheckFailed" in words(sections["gave-up"])
    assert "next" in words(sections["retrying"].select_one(".cause-now"))
    assert rollouts.paused.removeprefix("release:") in words(sections["waiting"])
    numbers = [words(figure.select_one(".number")) for figure in page.select(".figure")]
    assert numbers[0] == "1 failed"
    assert numbers[1] == "1 waiting for approval"
    for link in page.select(".figure a"):
        assert page.find(id=str(link["href"])[1:]) is not None


def test_a_cause_names_its_clusters_and_leads_to_each_in_its_release(page: BeautifulSoup, viewer: FlaskClient):
    for pip in cause(page, "ImagePullError").select("a.pip"):
        path, _, anchor = str(pip["href"]).partition("#")
        there = BeautifulSoup(viewer.get(path).text, "html.parser").find(id=anchor)
        assert there.name == "details"
        assert there.has_attr("open")
        assert words(pip) == words(there.summary.select_one(".name b"))


def test_a_text_or_a_release_leaves_what_has_it(viewer: FlaskClient, page: BeautifulSoup, rollouts: Rollouts):
    found = viewer.get("/api/problems?q=HEALTHcheck").get_json()
    assert [group["what"] for group in found["groups"]] == ["1 app in 1 cluster of 1 release"]
    assert found["filter"] == {"q": "HEALTHcheck", "release": ""}
    one = viewer.get(f"/api/problems?release={rollouts.failed}").get_json()
    assert {row["release_id"] for group in one["groups"] for row in group["entities"]} == {rollouts.failed}
    assert one["waiting"] == []
    assert len(one["affected"]) > 1, "the others are still to choose from"
    links = {str(link["href"]) for link in page.select("nav.segments a")}
    assert f"/problems?release={rollouts.failed}" in links


def test_what_is_asked_for_and_not_there_is_not_told_as_nothing_broken(viewer: FlaskClient, rollouts: Rollouts):
    page = BeautifulSoup(viewer.get("/problems?q=nowhere<b>").text, "html.parser")
    assert words(page.select_one(".empty h2")) == "No results"
    assert "nowhere<b>" in words(page.select_one(".empty"))
    assert page.select_one('.empty a[href="/problems"]') is not None
    assert viewer.get(f"/problems?release={'x' * 1001}").status_code == 422
    assert viewer.get(f"/problems?q={'x' * 201}").status_code == 422


def test_each_row_leads_to_the_same_row_of_its_release_with_its_cluster_open(page: BeautifulSoup, viewer: FlaskClient):
    rows = page.select(".row.app")
    assert len(rows) >= 3
    for row in rows:
        path, _, anchor = str(row.select_one("a.name")["href"]).partition("#")
        there = BeautifulSoup(viewer.get(path).text, "html.parser").find(id=anchor)
        line = there.summary if there.name == "details" else there
        assert line["data-entity-id"] == row["data-entity-id"]
        assert all(above.has_attr("open") for above in there.find_parents("details"))


def test_what_ended_by_somebodys_hand_or_went_well_is_no_problem(page: BeautifulSoup, rollouts: Rollouts):
    fine = (rollouts.completed, rollouts.cancelled, rollouts.terminated)
    assert [name for name in fine if name.removeprefix("release:") in words(page.select_one("main"))] == []


def test_it_says_how_far_it_looked(page: BeautifulSoup, viewer: FlaskClient):
    seen = viewer.get("/api/problems").get_json()
    assert seen["relevant"] < seen["total"]
    looked = words(page.select_one(".looked"))
    assert f"{seen['read']} of {seen['total']} releases: those in progress" in looked
    assert f"{seen['listed'] - seen['relevant']} that succeeded, were cancelled, or ended earlier" in looked


def test_the_header_leads_there_and_says_where_one_is(page: BeautifulSoup, viewer: FlaskClient, rollouts: Rollouts):
    here = page.select("nav.sections a[aria-current=page]")
    assert [words(link) for link in here] == ["Problems"]
    for path, current in (("/releases", "page"), (f"/releases/{rollouts.failed}", "true")):
        elsewhere = BeautifulSoup(viewer.get(path).text, "html.parser")
        assert elsewhere.select_one('nav.sections a[href="/problems"]') is not None
        assert words(elsewhere.select_one(f'nav.sections a[aria-current="{current}"]')) == "Releases"


def test_an_unchanged_page_is_answered_with_304(viewer: FlaskClient, page: BeautifulSoup):
    assert page.select_one("#live")["data-every"] == "5"
    assert page.select_one("#live form") is None, "what somebody types is not renewed under their hands"
    first, _ = settled(viewer, "/api/problems")
    assert first.status_code == 200


def test_ids_on_the_page_are_unique(page: BeautifulSoup):
    ids = [tag["id"] for tag in page.select("[id]")]
    assert len(ids) == len(set(ids))
