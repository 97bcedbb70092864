"""Strips on the real server: what their cells say and where they lead, what they cost, and what they say of gaps."""

from uuid import uuid4

from bs4 import BeautifulSoup, Tag

from dashboard.live.topic import ReleaseTopic
from dashboard.web.services import services
from tests.integration.test_page_changes import change, poll, same
from tests.support.harness import Stage
from tests.support.open_page import OpenPage, parsed
from tests.support.rollout_makers import hierarchy
from tests.support.waiting import eventually


def start(stage: Stage, state: str = "deploying") -> str:
    tree = hierarchy(clusters=3, apps=3, state=state)
    return stage.start("strip", {"get_hierarchy": tree, "get_release_state": tree})


def soup(stage: Stage, path: str) -> BeautifulSoup:
    answer = stage.ask(path)
    assert answer.status_code == 200, answer.text
    return BeautifulSoup(answer.text, "html.parser")


def cell_of(page: BeautifulSoup, name: str) -> Tag:
    (cell,) = (cell for cell in page.select("a.cell") if str(cell["aria-label"]).startswith(f"{name}:"))
    return cell


def test_a_cell_names_its_cluster_and_leads_to_it_in_the_tree(stage: Stage):
    release = start(stage)
    for path in (f"/releases/{release}", f"/releases/{release}/strip"):
        cell = cell_of(soup(stage, path), "c1")
        assert cell["aria-label"] == "c1: in progress, 0 of 3 apps done"
        address, _, key = str(cell["href"]).partition("#")
        tree = soup(stage, address)
        branch = tree.find(id=key)
        assert branch is not None
        assert branch["data-lazy"] == "cluster:c1"
        assert branch.has_attr("open")
        assert tree.select_one('[data-entity-id="app:ac1-0"], [data-entity-id="app:a1-0"]') is not None


def test_the_wave_at_work_is_the_current_step_until_the_release_ends(stage: Stage):
    release = start(stage)
    wave = soup(stage, f"/releases/{release}/strip").select_one('[aria-current="step"]')
    assert wave is not None
    assert wave["data-entity-id"] == "wave:one"
    stage.on(release, lambda handle: handle.terminate())
    stage.wait_until_closed(release)
    eventually(lambda: soup(stage, f"/releases/{release}/strip").select_one('[aria-current="step"]') is None)
    page = soup(stage, f"/releases/{release}/strip")
    assert {cell["data-phase"] for cell in page.select("a.cell")} == {"terminated"}


def test_an_open_strip_is_sent_what_has_changed(stage: Stage):
    release = start(stage)
    path = f"/releases/{release}/strip"
    change(stage, release, "deploying")
    first = poll(stage, path)
    open_page = OpenPage(first.text)
    change(stage, release, "deployed")
    answer = poll(stage, path, first.headers["HX-PTag"])
    assert "<hx-partial" in answer.text
    open_page.take(answer.text)
    assert same(str(open_page), parsed(poll(stage, path).text))
    assert "1 of 3 apps done" in str(open_page)


def test_the_list_is_whole_before_any_strip_is_there(stage: Stage):
    release = start(stage)
    stage.listed("strip")
    row = soup(stage, "/releases").select_one(f'[data-entity-id="{release}"]')
    assert row is not None
    slot = row.select_one(".strip-slot")
    assert slot is not None
    assert slot["hx-get"] == f"/releases/{release}/strip/small"
    assert slot.get_text(strip=True) == ""


def test_a_small_strip_is_a_picture_that_says_the_same_in_words_and_when_that_was(stage: Stage):
    small = soup(stage, f"/releases/{start(stage)}/strip/small")
    picture = small.select_one("svg[role=img]")
    assert picture is not None
    assert picture["aria-label"] == "one: in progress, 0 of 3 clusters done"
    assert len(picture.select("rect.running")) == 3
    assert "Updated " in str(small.select_one(".strip-of")["title"])


def test_small_strips_that_are_renewed_do_not_make_the_release_watched(stage: Stage):
    release = start(stage)
    live = services(stage.app).live
    for _ in range(3):
        assert stage.ask(f"/releases/{release}/strip/small").status_code == 200
    assert live.known(ReleaseTopic(release)) is None
    stage.ask(f"/releases/{release}")
    stage.ask(f"/releases/{release}")
    assert live.known(ReleaseTopic(release)) is not None, "a page that somebody has open is"


def test_a_strip_that_cannot_be_had_says_why(stage: Stage):
    nobody = stage.start("silent", {}, task_queue=f"nobody-{uuid4().hex[:8]}")
    for release in (nobody, f"{stage.prefix}-never"):
        place = soup(stage, f"/releases/{release}/strip/small").select_one(".no-strip")
        assert place is not None
        assert len(str(place["title"])) > len("No strip: ")
    page = soup(stage, f"/releases/{nobody}/strip")
    problem = stage.json(f"/releases/{nobody}/strip")["problem"]
    assert problem["message"] in page.select_one("main .notice.gap").get_text()
    assert stage.ask(f"/releases/{stage.prefix}-never/strip").status_code == 404


def test_the_overview_and_its_twin_name_who_waits_and_what_has_ended(stage: Stage):
    paused = {"id": "", "state": "awaiting_approval"}
    waits = stage.start("waits", {"get_release_state": paused, "get_hierarchy": paused})
    failed = start(stage)
    stage.listed("waits", "strip")
    stage.end(failed, "the registry is down")
    # Visibility lags.
    eventually(lambda: stage.json("/releases")["overview"]["ended"] == {"failed": 1})
    said = stage.json("/releases")["overview"]
    assert [one["release_id"] for one in said["waits_for_somebody"]["named"]] == [waits]
    assert [one["release_id"] for one in said["needs_somebody"]["named"]] == [failed]
    assert said["ended"] == {"failed": 1}
    assert (said["open_whole"], said["ended_whole"]) == (True, True)
    cards = soup(stage, "/releases").select(".glance")
    assert [card.h2.get_text(" ", strip=True) for card in cards] == [
        "1 needs attention",
        "1 waiting for approval",
        "0 in progress",
        "1 finished in the last 24 hours",
    ]
    assert cards[0].select_one("a.name")["href"].startswith(f"/releases/{failed}")
    assert stage.json("/releases?phase=running")["overview"] is None
