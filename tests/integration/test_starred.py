"""Starred releases: as they stand now, whether or not the list would show them, each user's own."""

import json
from typing import Any

import pytest
from bs4 import BeautifulSoup, Tag
from flask.testing import FlaskClient

from dashboard.domain.filters import PageRequest, ReleaseFilter
from dashboard.web.services import services
from tests.support.harness import PASSWORD, Stage
from tests.support.rollout_makers import hierarchy
from tests.support.waiting import eventually
from tests.test_twins import rows_of_html, rows_of_json

ANSWERS = {"get_hierarchy": hierarchy(), "get_release_state": hierarchy()}


def star(stage: Stage, *ids: str, browser: FlaskClient | None = None) -> None:
    answer = (browser or stage.browser).post("/stars", data={"add": list(ids)})
    assert answer.status_code == 303


def starred(stage: Stage) -> dict[str, Any]:
    return stage.json("/releases?starred=1")


def another(stage: Stage) -> FlaskClient:
    """The browser of another user."""
    services(stage.app).accounts.ensure("zoe@example.com", PASSWORD, name="Zoë")
    browser = stage.app.test_client()
    assert browser.post("/login", data={"username": "zoe@example.com", "password": PASSWORD}).status_code == 303
    return browser


def test_without_stars_the_view_says_how_to_get_some(stage: Stage):
    assert (starred(stage)["items"], starred(stage)["total"]) == ([], 0)
    assert "No stars yet" in stage.ask("/releases?starred=1").text


def test_the_newest_start_stands_first_and_what_is_gone_says_so(stage: Stage):
    first, second = (stage.start(name, ANSWERS) for name in ("first", "second"))
    stage.end(second, "well")
    stage.start("not-starred", ANSWERS)
    star(stage, first, f"{stage.prefix}-never", second)
    stage.listed("first", "second")
    said = starred(stage)
    assert [(item["id"], item["phase"]) for item in said["items"]] == [(second, "succeeded"), (first, "running")]
    (gone,) = said["absent"]
    assert (gone["id"], gone["phase"], gone["problem"]["code"]) == (f"{stage.prefix}-never", "unknown", "gone")
    assert "Temporal has no release with this ID" in gone["problem"]["message"]
    assert said["total"] == 3
    page = stage.ask("/releases?starred=1").text
    assert rows_of_html(page) == list(rows_of_json(said))
    assert "Temporal has no release with this ID" in page


def test_a_change_shows_and_the_open_page_is_sent_it(stage: Stage):
    release = stage.start("moves", ANSWERS)
    star(stage, release)
    page = stage.ask("/releases?starred=1")
    tag = BeautifulSoup(page.text, "html.parser").select_one("#live")["data-version"]
    told = {**ANSWERS["get_release_state"], "state": "awaiting_approval"}
    stage.tell(
        release, {"get_release_state": told, "get_hierarchy": ANSWERS["get_hierarchy"] | {"state": told["state"]}}
    )

    def sent() -> bool:
        answer = stage.browser.get("/releases?starred=1", headers={"HX-Request": "true", "HX-PTag": tag})
        return 'data-phase="paused"' in answer.text

    eventually(sent, 60)


def test_what_was_not_there_yet_becomes_a_row_when_it_starts(stage: Stage):
    star(stage, f"{stage.prefix}-later")
    assert [item["id"] for item in starred(stage)["absent"]] == [f"{stage.prefix}-later"]
    release = stage.start("later", ANSWERS)
    eventually(lambda: [item["id"] for item in starred(stage)["items"]] == [release], 60)
    assert starred(stage)["absent"] == []


def test_an_id_that_was_used_again_is_one_row_its_latest_run(stage: Stage):
    release = stage.start("again", ANSWERS)
    stage.end(release, "no use")
    stage.start("again", ANSWERS)
    star(stage, release)
    eventually(lambda: [item["phase"] for item in starred(stage)["items"]] == ["running"], 60)


def test_what_the_list_leaves_out_or_cannot_be_asked_for_is_there_all_the_same(stage: Stage):
    odd = stage.start("odd\"name\\and'more'", ANSWERS)
    late = stage.start("late", ANSWERS)
    stage.show(f"WorkflowId = '{stage.prefix}-nothing'")
    star(stage, odd, late)
    assert stage.json("/releases")["total"] == 0
    assert {item["id"] for item in starred(stage)["items"]} == {odd, late}


def test_all_that_can_be_starred_is_asked_for_at_once(stage: Stage):
    release = stage.start("real", ANSWERS)
    stage.listed("real")
    never = [f"{stage.prefix}-{'x' * 200}-{number:02}" for number in range(99)]
    star(stage, release, *never)
    said = starred(stage)
    assert [item["id"] for item in said["items"]] == [release]
    assert [item["id"] for item in said["absent"]] == never


def test_no_user_is_shown_what_another_has_starred(stage: Stage):
    mine, theirs = (stage.start(name, ANSWERS) for name in ("mine", "theirs"))
    zoe = another(stage)
    star(stage, mine)
    star(stage, theirs, browser=zoe)
    assert [item["id"] for item in starred(stage)["items"]] == [mine]
    stage.listed("mine", "theirs")
    for path in ("/releases", "/releases?starred=1", f"/releases/{mine}", f"/releases/{theirs}"):
        for browser, own in ((stage.browser, mine), (zoe, theirs)):
            page = BeautifulSoup(browser.get(path).text, "html.parser")
            kept = json.loads(page.select_one("#stars")["data-ids"])
            assert kept == ([own] if "releases/" not in path or path.endswith(own) else []), path
    rows = rows_of_html(zoe.get("/releases?starred=1").text)
    assert [row[0] for row in rows] == [theirs]


def test_the_button_of_a_release_says_whether_it_is_starred(stage: Stage):
    release = stage.start("button", ANSWERS)
    for view in ("", "/hierarchy", "/strip", "/timeline", "/matrix"):
        path = f"/releases/{release}{view}"
        for pressed, name in (("false", "add"), ("true", "remove")):
            button = BeautifulSoup(stage.ask(path).text, "html.parser").select_one("#stars button")
            assert (button["aria-pressed"], button["name"], button["value"]) == (pressed, name, release)
            answer = stage.browser.post("/stars", data={name: release, "next": path})
            assert answer.location == path
    assert stage.json("/settings")["stars"] == []


def test_the_page_is_told_no_news_as_they_are_for_all(stage: Stage):
    answer = stage.ask("/live/releases?starred=1")
    assert answer.status_code == 501
    assert 'data-updates="none"' in stage.ask("/releases?starred=1").text


@pytest.mark.parametrize("query", ["starred=0", "starred=", "starred=1&q=a", "starred=1&page=2"])
def test_stars_are_not_filtered(stage: Stage, query: str):
    error = stage.json(f"/releases?{query}", 422)["error"]
    assert error["fields"][0]["field"] == "starred"


def test_who_starred_the_same_shares_what_is_watched(stage: Stage):
    release = stage.start("both", ANSWERS)
    zoe = another(stage)
    star(stage, release)
    star(stage, release, browser=zoe)
    pages = [browser.get("/api/releases?starred=1") for browser in (stage.browser, zoe)]
    assert pages[0].headers["ETag"] == pages[1].headers["ETag"]
    asked = PageRequest(page_size=100, filter=ReleaseFilter(ids=(release,)))
    assert services(stage.app).live.page(asked).value.releases[0].id == release


def test_the_list_offers_the_viewers_views_and_to_save_what_is_none(stage: Stage):
    def bar(path: str) -> Tag | None:
        # Each of these is a first look, for which a busy machine may need another.
        eventually(lambda: stage.ask(path).status_code == 200)
        return BeautifulSoup(stage.ask(path).text, "html.parser").select_one(".views")

    def current(path: str) -> list[str]:
        return [link.get_text(" ", strip=True) for link in bar(path).select("a[aria-current]")]

    assert current("/releases") == current("/releases?page_size=5") == ["All"]
    assert bar("/releases").select_one("form") is None
    assert current("/releases?starred=1") == ["Starred"]
    form = bar("/releases?since=7d&phase=failed").select_one("form")
    assert (form["action"], form.select_one("[name=query]")["value"]) == ("/views", "phase=failed&since=7d")
    stage.browser.post("/views", data={"name": "Broken & old", "query": "phase=failed&since=7d"})
    assert current("/releases?phase=failed&since=7d&page=2&page_size=1") == ["Broken & old"]
    assert bar("/releases?since=7d&phase=failed").select_one("form")["action"].startswith("/views/")
    zoe = another(stage)
    zoe.post("/api/views", json={"name": "Zoë's", "query": "q=zoe", "shared": True})
    assert current("/releases?q=zoe") == ["Zoë's by Zoë"]
    assert [link["href"] for link in bar("/releases").select("#shared-views a")] == ["/releases?q=zoe"]
    assert "Broken" not in zoe.get("/releases").text
