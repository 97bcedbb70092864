"""Releases whose tree is too large for one answer: read wave by wave, shown as far as they have come."""

import pytest

from tests.support.harness import Stage
from tests.support.waiting import eventually

TOO_LARGE = {"get_hierarchy": {"repeat": 2_200_000}}
WAVES = [f"wave:w{number}" for number in range(12)]


@pytest.fixture
def stage(unhurried_stage: Stage) -> Stage:
    """What a first look shows is to be the same for a page and its twin."""
    return unhurried_stage


def state(waves: list[str]) -> dict:
    return {"id": "release:r", "state": "in_progress", "wave_ids": waves}


def apps_of(tree: dict) -> list[dict]:
    clusters = [cluster for wave in tree["waves"] for cluster in wave["clusters"]]
    return [app for cluster in clusters for app in cluster["bundle"]["apps"]]


@pytest.fixture
def twelve_thousand(stage: Stage) -> str:
    """12 waves of 40 clusters of 23 apps: 1 + 12 x (1 + 40 x 25) = 12,013 entities."""
    answers = TOO_LARGE | {
        "get_release_state": state(WAVES),
        "get_wave_hierarchy": {"wave_of": {"clusters": 40, "apps": 23}},
    }
    release_id = stage.start("large", answers)
    # The worker loads what it needs at the first query, which is no part of what is measured.
    eventually(lambda: stage.on(release_id, lambda handle: handle.query("get_release_state")))
    return release_id


def test_twelve_thousand_entities_are_shown_at_once_as_far_as_read_and_soon_whole(stage: Stage, twelve_thousand: str):
    page = stage.ask(f"/releases/{twelve_thousand}")
    assert page.status_code == 200
    assert len(page.data) < 300_000
    assert all(f'data-entity-id="{wave}"' in page.text for wave in WAVES), "waves that have not come yet stand there"
    eventually(lambda: not stage.json(f"/releases/{twelve_thousand}")["unread"], 20)
    tree = stage.json(f"/releases/{twelve_thousand}/hierarchy")
    assert len(apps_of(tree)) == tree["progress"]["total"] == 12 * 40 * 23
    assert tree["entities"] == 12_013


def test_a_first_look_says_what_has_not_been_read_and_counts_it_as_not_known(stage: Stage, twelve_thousand: str):
    page = stage.ask(f"/releases/{twelve_thousand}").text
    first = stage.json(f"/releases/{twelve_thousand}")
    for wave in first["waves"]:
        assert (wave["id"] in first["unread"]) is (wave["problem"] is not None)
    if first["unread"]:
        assert first["progress"]["unknown"] == len(first["unread"])
        assert "loaded so far" in page, "it was asked for before, when there was at least as much to read"


def test_a_wave_that_moved_on_is_read_again_and_others_stay(stage: Stage):
    waves = ["wave:a", "wave:b"]
    answers = TOO_LARGE | {
        "get_release_state": state(waves),
        "get_wave_hierarchy": {"wave_of": {"clusters": 2, "apps": 2}},
    }
    release_id = stage.start("moves", answers)
    path = f"/releases/{release_id}/hierarchy"
    eventually(lambda: stage.json(path)["unread"] == [])
    assert stage.json(path)["progress"]["running"] == 8
    stage.tell(release_id, {"get_wave_hierarchy": {"wave_of": {"clusters": 2, "apps": 2, "state": "deployed"}}})
    eventually(lambda: stage.json(path)["progress"]["succeeded"] == 8)
    assert stage.json(path)["unread"] == []


def test_a_wave_that_fails_to_answer_is_a_row_that_says_so(stage: Stage):
    answers = TOO_LARGE | {"get_release_state": state(["wave:a"]), "get_wave_hierarchy": {"raise": "no such wave"}}
    release_id = stage.start("faulty", answers)
    (wave,) = stage.json(f"/releases/{release_id}")["waves"]
    assert wave["problem"]["code"] == "query_failed"
    page = stage.ask(f"/releases/{release_id}").text
    assert "0 of 1 wave done, 1 unknown." in page
    assert "No wave is in progress" not in page
    assert stage.json(f"/releases/{release_id}/entities/app:x", 503), "nobody knows what is in that wave"


def test_a_hierarchy_can_be_narrowed_and_still_counts_everything(stage: Stage, twelve_thousand: str):
    path = f"/releases/{twelve_thousand}/hierarchy"
    eventually(lambda: not stage.json(path)["unread"], 20)
    waves = stage.json(f"{path}?depth=2")
    assert [wave["clusters"] for wave in waves["waves"]] == [None] * 12
    assert (waves["entities"], waves["left_out"], waves["progress"]["total"]) == (12_013, 12_000, 11_040)
    assert stage.json(f"{path}?phase=failed")["waves"] == []
    running = stage.json(f"{path}?depth=3&phase=running")
    assert running["left_out"] == 12_013 - 1 - 12 - 480
    assert "<b>12</b> of 12,012 rows." in stage.ask(f"{path}?depth=2").text
    for wrong in ("depth=0", "depth=6", "depth=x", "phase=odd"):
        assert stage.json(f"{path}?{wrong}", 422)["error"]["code"] == "invalid_parameter"
