"""Times that a rollout tells are data: each page answers whatever they are, and shows them as told."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.every_page import pages_of
from tests.support.harness import Stage
from tests.support.rollout_makers import hierarchy
from tests.support.waiting import eventually

NOW = datetime.now(UTC).replace(microsecond=0)
# What stands for a time that was never set, as programs of several languages write it.
UNSET = [
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "1970-01-01T00:00:00Z",
    "1970-01-01T01:00:00+01:00",
    "",
    0,
]
READABLE = [
    "9999-12-31T23:59:59Z",
    "2400-02-29T00:00:00Z",
    "0999-06-01T12:00:00Z",
    "1970-01-01T00:00:01Z",
    (NOW - timedelta(minutes=5)).isoformat(),
    (NOW + timedelta(minutes=5)).astimezone().isoformat(),
    f"{NOW - timedelta(minutes=4):%Y-%m-%dT%H:%M:%S}.123456789+05:30",
]
UNREADABLE = ["9999-12-31T23:59:59-12:00", "+010000-01-01T00:00:00Z", "2026-02-30T00:00:00Z", "soon", 1764500000, [1]]


def rollout(odd: list[Any]) -> dict[str, Any]:
    """A release of which each app has one of these times, in each place in turn, and so have those above them."""
    tree = hierarchy(clusters=2, apps=len(odd), state="failed")
    now = NOW.isoformat()
    for number, cluster in enumerate(tree["waves"][0]["clusters"]):
        cluster |= {"created_at": odd[0], "updated_at": odd[-1]}
        for time, app in zip(odd, cluster["bundle"]["apps"], strict=True):
            app |= {"created_at": time, "updated_at": now} if number else {"created_at": now, "updated_at": time}
    tree["waves"][0] |= {"created_at": odd[-1], "updated_at": odd[0]}
    return tree | {"created_at": odd[0], "updated_at": odd[-1]}


@pytest.mark.parametrize("odd", [UNSET, READABLE, UNREADABLE], ids=["unset", "readable", "unreadable"])
@pytest.mark.parametrize("end", ["", "no capacity"], ids=["running", "failed"])
def test_every_page_of_a_release_with_odd_times_answers(stage: Stage, odd: list[Any], end: str):
    tree = rollout(odd)
    release_id = stage.start("odd", {"get_hierarchy": tree, "get_release_state": tree | {"waves": None}})
    stage.listed("odd")
    if end:
        stage.end(release_id, end)
        eventually(lambda: stage.listed("odd")["odd"]["status"] == "FAILED")
    paths = [*pages_of(release_id), f"/releases/{release_id}?order=changed&open=all"]
    files = [f"/releases/{release_id}/hierarchy", "/releases", "/problems"]
    for path in [*paths, *(f"/api{path}" for path in paths), *(f"/api{path}?format=csv" for path in files)]:
        assert stage.ask(path).status_code == 200, path
    line = stage.json(f"/releases/{release_id}/timeline")
    started = datetime.fromisoformat(stage.json(f"/releases/{release_id}")["started_at"])
    assert started - timedelta(hours=7) < datetime.fromisoformat(line["from_at"]) <= started
    assert datetime.fromisoformat(line["changed_at"]) < NOW + timedelta(hours=1)


def apps_of(page: dict[str, Any]) -> list[dict[str, Any]]:
    return [app for wave in page["waves"] for cluster in wave["clusters"] for app in cluster["bundle"]["apps"]]


def test_a_time_that_was_never_set_counts_as_not_told(stage: Stage):
    release_id = stage.start("unset", {"get_hierarchy": rollout(UNSET)})
    apps = apps_of(stage.json(f"/releases/{release_id}/hierarchy"))
    half = len(UNSET)
    assert {app["updated_at"] for app in apps[:half]} == {app["created_at"] for app in apps[half:]} == {None}
    assert all(app["details"] == {} for app in apps), "nor is it a field of its own"


def test_a_time_that_can_be_read_is_shown_as_told_and_one_that_cannot_stays_as_it_came(stage: Stage):
    release_id = stage.start("odd", {"get_hierarchy": rollout(READABLE)})
    apps = apps_of(stage.json(f"/releases/{release_id}/hierarchy"))
    shown = [datetime.fromisoformat(app["updated_at"]) for app in apps[: len(READABLE)]]
    assert shown[:4] == [datetime.fromisoformat(text) for text in READABLE[:4]]
    far = apps[0]
    assert (far["began_at"], far["ended_at"]) == (None, None), "no work was done in the year 9999"
    page = stage.ask(f"/releases/{release_id}/entities/{far['id']}").text
    assert 'datetime="9999-12-31T23:59:59Z"' in page
    other_id = stage.start("unreadable", {"get_hierarchy": rollout(UNREADABLE)})
    others = apps_of(stage.json(f"/releases/{other_id}/hierarchy"))
    assert [app["details"]["updated_at"] for app in others[: len(UNREADABLE)]] == UNREADABLE


def test_a_row_began_when_its_work_did_on_tree_panel_and_entity_page_as_on_the_timeline(stage: Stage):
    tree = hierarchy(clusters=2, apps=2)
    made, moved, failed = (NOW + timedelta(seconds=seconds) for seconds in (0, 30, 42))
    wave, (early, late) = tree["waves"][0], tree["waves"][0]["clusters"]
    for row in (tree, wave, early, late, early["bundle"], late["bundle"]):
        row |= {"created_at": made.isoformat(), "updated_at": made.isoformat()}
    for app in late["bundle"]["apps"]:
        app |= {"state": "deployed", "created_at": made.isoformat(), "updated_at": moved.isoformat()}
    late["bundle"]["apps"][1] |= {"state": "failed", "updated_at": failed.isoformat()}
    for row in (early, early["bundle"], *early["bundle"]["apps"]):
        row |= {"state": "pending", "created_at": made.isoformat(), "updated_at": made.isoformat()}
    release_id = stage.start("late", {"get_hierarchy": tree})
    waits, works = stage.json(f"/releases/{release_id}/hierarchy")["waves"][0]["clusters"]
    assert (waits["began_at"], waits["ended_at"]) == (None, None)
    began = stage.json(f"/releases/{release_id}/timeline")["waves"][0]["clusters"][1]["from_at"]
    assert works["began_at"] == began
    assert datetime.fromisoformat(began) == moved
    entity = stage.json(f"/releases/{release_id}/entities/{works['id']}")["entity"]
    panel = stage.json(f"/releases/{release_id}/entities/{works['id']}/panel")["selected"]["entity"]
    assert entity["began_at"] == panel["began_at"] == began
    broken = late["bundle"]["apps"][1]["id"]
    page = stage.ask(f"/releases/{release_id}/entities/{broken}/panel").text
    assert f'since <time datetime="{failed:%Y-%m-%dT%H:%M:%SZ}"' in page, "since it failed, not since it was planned"
    assert datetime.fromisoformat(works["created_at"]) == made
