"""Releases whose work is to begin at a time that has not come: they are scheduled, and nothing is wrong with them."""

from datetime import datetime, timedelta
from typing import Any

from bs4 import BeautifulSoup

from dashboard.live.topic import ReleaseTopic
from dashboard.web.services import services
from tests.support.harness import Stage
from tests.support.rollout_makers import hierarchy
from tests.support.waiting import eventually

TREE = hierarchy()
ANSWERS = {"get_hierarchy": TREE, "get_release_state": {key: value for key, value in TREE.items() if key != "waves"}}
HOURS = timedelta(hours=3)


def words(stage: Stage, path: str) -> str:
    return BeautifulSoup(stage.ask(path).text, "html.parser").get_text(" ", strip=True)


def test_what_waits_for_its_time_is_scheduled_on_every_page_with_a_worker_and_without(stage: Stage):
    names = ("later", "nobody", "children")
    ids = [stage.start("later", ANSWERS, start_delay=HOURS)]
    ids.append(stage.start("nobody", ANSWERS, start_delay=HOURS, task_queue="nobody-polls-this"))
    ids.append(stage.start_tree("children", {"type": "Part", "id": f"wave:a/{stage.prefix}"}, start_delay=HOURS))
    now = stage.start("now", ANSWERS)
    items = stage.listed(*names, "now")
    for name in names:
        assert (items[name]["state"], items[name]["phase"], items[name]["problem"]) == ("scheduled", "pending", None)
        assert items[name]["began_at"] is None
        due = datetime.fromisoformat(items[name]["scheduled_for"])
        assert due - datetime.fromisoformat(items[name]["started_at"]) == HOURS
    seen = stage.json("/releases")["overview"]
    assert (seen["moves"]["count"], seen["scheduled"]["count"], seen["untold"]) == (1, 3, 0)
    assert [named["release_id"] for named in seen["moves"]["named"]] == [now]
    for release_id in ids:
        page = stage.json(f"/releases/{release_id}")
        assert (page["phase"], page["problem"], page["began_at"], page["stale"]) == ("pending", None, None, False)
        for path in ("", "/timeline", "/strip", f"/entities/{release_id}"):
            assert "scheduled for" in words(stage, f"/releases/{release_id}{path}")
        assert "pending" in stage.ask(f"/badges/releases/{release_id}.svg").text
        assert stage.json(f"/kiosk/releases/{release_id}")["release"]["scheduled_for"] == page["scheduled_for"]
    assert "scheduled for" in words(stage, "/releases")
    problems = stage.json("/problems")
    assert (problems["groups"], problems["unanswered"]) == ([], 0)
    turns = stage.json("/kiosk")["turns"]["turns"]
    assert [turn["release_id"] for turn in turns] == [now], "nothing moves there that a wall could show"


def test_when_its_time_comes_it_runs_and_an_open_page_hears_of_it(stage: Stage):
    release_id = stage.start("soon", ANSWERS, start_delay=timedelta(seconds=4))
    versions: list[str] = []
    stop = services(stage.app).live.subscribe(ReleaseTopic(release_id), versions.append)
    try:
        eventually(lambda: stage.json(f"/releases/{release_id}")["phase"] == "pending")
        eventually(lambda: stage.json(f"/releases/{release_id}")["phase"] == "running")
        eventually(lambda: len(set(versions)) >= 2)
    finally:
        stop()
    page = stage.json(f"/releases/{release_id}")
    assert (page["scheduled_for"], page["state"]) == (None, "in_progress")
    assert datetime.fromisoformat(page["began_at"]) - datetime.fromisoformat(page["started_at"]) == timedelta(seconds=4)
    eventually(lambda: stage.listed("soon")["soon"]["phase"] == "running")


def test_one_whose_time_has_come_and_that_no_worker_takes_up_has_no_last_words_of_before(stage: Stage):
    release_id = stage.start("nobody", ANSWERS, start_delay=timedelta(seconds=3), task_queue="nobody-polls-this-either")
    assert stage.json(f"/releases/{release_id}")["phase"] == "pending"

    def code(found: dict[str, Any]) -> str | None:
        return (found["problem"] or {}).get("code")

    eventually(lambda: code(stage.json(f"/releases/{release_id}")) in {"no_worker", "query_timed_out"})
    page = stage.json(f"/releases/{release_id}")
    assert (page["state"], page["phase"], page["scheduled_for"]) == ("running", "running", None)
    assert page["created_at"] == page["began_at"] > page["started_at"]
    eventually(lambda: code(stage.listed("nobody")["nobody"]) in {"no_worker", "query_timed_out"})
    assert stage.listed("nobody")["nobody"]["state"] != "scheduled"


def test_a_signal_that_comes_before_its_time_does_not_begin_it(stage: Stage):
    release_id = stage.start("early", ANSWERS, start_delay=HOURS)
    stage.tell(release_id, {})

    def length() -> int:
        return stage.on(release_id, lambda handle: handle.describe()).history_length

    eventually(lambda: length() > 1)
    for _ in range(2):
        page = stage.json(f"/releases/{release_id}")
        assert (page["phase"], page["problem"]) == ("pending", None)


def test_one_that_is_terminated_before_its_time_has_ended(stage: Stage):
    release_id = stage.start("never", ANSWERS, start_delay=HOURS)
    assert stage.json(f"/releases/{release_id}")["phase"] == "pending"
    stage.on(release_id, lambda handle: handle.terminate(reason="not this week"))
    eventually(lambda: stage.json(f"/releases/{release_id}")["phase"] == "terminated")
    assert stage.json(f"/releases/{release_id}")["scheduled_for"] is None
    eventually(lambda: stage.listed("never")["never"]["phase"] == "terminated")


def test_waiting_for_its_end_goes_on_while_it_is_scheduled(stage: Stage):
    release_id = stage.start("later", ANSWERS, start_delay=HOURS)
    told = stage.json(f"/releases/{release_id}/wait?phase=succeeded,failed&timeout=1")
    assert (told["reached"], told["phase"]) == (False, "pending")
