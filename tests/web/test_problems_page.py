"""The page of problems as people see it, on the sample rollouts."""

import pytest
from bs4 import BeautifulSoup, Tag
from flask.testing import FlaskClient

from tests.conftest import Rollouts


@pytest.fixture
def page(viewer: FlaskClient, rollouts: Rollouts) -> BeautifulSoup:
    answer = viewer.get("/problems")
    assert answer.status_code == 200
    return BeautifulSoup(answer.text, "html.parser")


def words(tag: Tag) -> str:
    return " ".join(tag.get_text(" ").split())


def cause(page: BeautifulSoup, beginning: str) -> Tag:
    (found,) = [
        group for group in page.select("details.branch") if words(group.select_one(".name")).startswith(beginning)
    ]
    return found


def test_it_works(page: BeautifulSoup, rollouts: Rollouts):
    failed = cause(page, "HealthCheckFailed")
    assert failed.summary.select_one('svg.icon.failed use[href="#i-failed"]') is not None
    assert "1 app in 1 cluster of 1 release" in words(failed.summary)
    assert rollouts.failed.removeprefix("release:") in words(failed)


def test_two_apps_that_fail_for_one_reason_are_one_cause(page: BeautifulSoup):
    group = cause(page, "ImagePullError")
    assert "2 apps in 2 clusters of 1 release" in words(group.summary)
    assert "manifest unknown" in words(group.summary)
    assert "search:7.11.4" not in words(group.select_one(".name")), "what differs is left out"
    assert "of 70" in words(group.summary.select_one(".try"))
    assert [words(row.select_one(".name")) for row in group.select(".row.app")] != []
    assert "registry.example.com" in words(group.select_one("details.whole pre")), "an example is kept as it came"


def test_each_row_leads_to_the_same_row_of_its_release_with_its_cluster_open(page: BeautifulSoup, viewer: FlaskClient):
    rows = page.select(".row.app")
    assert len(rows) >= 3
    for row in rows:
        path, _, anchor = str(row.select_one("a.name")["href"]).partition("#")
        there = BeautifulSoup(viewer.get(path).text, "html.parser").find(id=anchor)
        assert there["data-entity-id"] == row["data-entity-id"]
        assert all(above.has_attr("open") for above in there.find_parents("details"))


def test_what_ended_by_somebodys_hand_waits_or_went_well_is_no_problem(page: BeautifulSoup, rollouts: Rollouts):
    fine = (rollouts.completed, rollouts.paused, rollouts.cancelled, rollouts.terminated)
    assert [name for name in fine if name.removeprefix("release:") in words(page.select_one("main"))] == []


def test_it_says_how_far_it_looked(page: BeautifulSoup, viewer: FlaskClient):
    seen = viewer.get("/api/problems").get_json()
    assert seen["relevant"] < seen["total"]
    assert f"{seen['read']} of {seen['total']} releases were read" in words(page.select_one(".head"))


def test_the_header_leads_there_and_says_where_one_is(page: BeautifulSoup, viewer: FlaskClient, rollouts: Rollouts):
    here = page.select("nav.sections a[aria-current=page]")
    assert [words(link) for link in here] == ["Problems"]
    for path, current in (("/releases", "page"), (f"/releases/{rollouts.failed}", "true")):
        elsewhere = BeautifulSoup(viewer.get(path).text, "html.parser")
        assert elsewhere.select_one('nav.sections a[href="/problems"]') is not None
        assert words(elsewhere.select_one(f'nav.sections a[aria-current="{current}"]')) == "Releases"


def test_an_unchanged_page_is_answered_with_304(viewer: FlaskClient, page: BeautifulSoup):
    assert page.select_one("#live")["data-every"] == "5"
    for _ in range(20):
        first = viewer.get("/api/problems").headers["ETag"]
        if viewer.get("/api/problems", headers={"If-None-Match": first}).status_code == 304:
            return
    raise AssertionError("never 304")


def test_ids_on_the_page_are_unique(page: BeautifulSoup):
    ids = [tag["id"] for tag in page.select("[id]")]
    assert len(ids) == len(set(ids))
