"""What a dashboard reads of releases that answer well: on the real server, through the whole app."""

import html
import json
from datetime import timedelta

import pytest

from tests.support.every_page import ask_everything, pages_of
from tests.support.harness import Stage
from tests.support.rollout_makers import hierarchy
from tests.support.waiting import eventually, settled


def answers(**changes):
    tree = hierarchy() | changes
    return {"get_hierarchy": tree, "get_release_state": {key: tree[key] for key in tree if key != "waves"}}


def phases(tree):
    found = {tree["id"]: tree["phase"]}
    for wave in tree["waves"]:
        found[wave["id"]] = wave["phase"]
        for cluster in wave["clusters"]:
            bundle = cluster["bundle"]
            found |= {row["id"]: row["phase"] for row in (cluster, bundle, *bundle["apps"])}
    return found


def test_a_release_is_shown_as_it_tells_itself(stage: Stage):
    release_id = stage.start("plain", answers(owner="checkout team"))
    tree = stage.json(f"/releases/{release_id}/hierarchy")
    assert (tree["id"], tree["state"]) == (release_id, "in_progress")
    assert (tree["phase"], tree["status"]) == ("running", "RUNNING")
    assert tree["details"] == {"owner": "checkout team"}
    assert tree["progress"]["running"] == tree["progress"]["total"] == 4
    assert (tree["stale"], tree["reason"], tree["problem"]) == (False, None, None)
    app = tree["waves"][0]["clusters"][1]["bundle"]["apps"][0]
    assert (app["id"], app["bundle_id"]) == ("app:a1-0", "bundle:b1")
    assert (app["version"], app["state"]) == ("1.0.0", "deploying")


def test_a_change_is_shown_and_an_unchanged_release_is_answered_with_304(stage: Stage):
    release_id = stage.start("moving", answers())
    path = f"/api/releases/{release_id}/hierarchy"
    first, unchanged = settled(stage.browser, path)
    assert unchanged.data == b""
    changed = hierarchy()
    changed["waves"][0]["clusters"][0]["bundle"]["apps"][0]["state"] = "deployed"
    stage.tell(release_id, {"get_hierarchy": changed})
    eventually(lambda: stage.json(f"/releases/{release_id}/hierarchy")["progress"]["succeeded"] == 1)
    assert stage.browser.get(path, headers={"If-None-Match": first.headers["ETag"]}).status_code == 200


def test_an_event_that_changes_nothing_that_is_shown_makes_no_new_version(stage: Stage):
    release_id = stage.start("quiet", answers())
    path = f"/api/releases/{release_id}"
    first = stage.ask(path).headers["ETag"]
    stage.tell(release_id, {"unrelated": 1})
    length = stage.on(release_id, lambda handle: handle.describe()).history_length
    assert length > 3
    later = []
    eventually(lambda: later.append(stage.ask(path)) or later[-1].headers["As-Of"] > later[0].headers["As-Of"])
    assert later[-1].headers["ETag"] == first


@pytest.mark.parametrize(
    ("how", "phase", "left"),
    [
        ("fail", "failed", "cancelled"),
        ("cancel", "cancelled", "cancelled"),
        ("terminate", "terminated", "terminated"),
        ("expire", "timed_out", "terminated"),
        ("complete", "succeeded", "cancelled"),
    ],
)
def test_temporals_status_beats_the_rollouts_last_word(stage: Stage, how: str, phase: str, left: str):
    options = {"execution_timeout": timedelta(seconds=2)} if how == "expire" else {}
    app = {"id": "app:a0-0", "state": "deploying"}
    told = answers(state="deploying") | {"get_app_state": {"by_id": {"app:a0-0": app}}}
    release_id = stage.start(how, told, **options)
    assert stage.json(f"/releases/{release_id}")["phase"] == "running"
    if how == "cancel":
        stage.on(release_id, lambda handle: handle.cancel())
    elif how == "terminate":
        stage.on(release_id, lambda handle: handle.terminate(reason="operator pulled the plug"))
    elif how != "expire":
        stage.end(release_id, "well" if how == "complete" else "the database said no")
    stage.wait_until_closed(release_id)
    eventually(lambda: stage.json(f"/releases/{release_id}")["phase"] != "running")
    tree = stage.json(f"/releases/{release_id}/hierarchy")
    found = phases(tree)
    assert found.pop(release_id) == phase
    assert set(found.values()) == {left}
    assert tree["waves"][0]["clusters"][0]["bundle"]["apps"][0]["state"] == "deploying", "the last word is kept"
    assert tree["state"] == "deploying"
    if how in {"fail", "terminate"}:
        error = {"fail": "RolloutFailed: the database said no", "terminate": "operator pulled the plug"}[how]
        assert tree["error_message"] == error
    item = stage.listed(how)[how]
    eventually(lambda: stage.listed(how)[how]["phase"] == phase)
    assert item["state"] == "deploying"
    everything = ask_everything(stage.app, stage.browser, pages_of(release_id))
    assert everything.statuses == {200}
    for page, twin in zip(everything.pages.values(), everything.twins.values(), strict=True):
        assert 'data-phase="running"' not in page.text
        says = twin.get_json()
        # What was seen of it before stays what it was.
        if says.get("selected"):
            del says["selected"]["history"]
        assert '"phase": "running"' not in json.dumps(says)


def test_a_release_continued_as_new_is_one_release_and_its_newest_run_is_shown(stage: Stage):
    release_id = stage.start("again", answers(state="first"))
    first = stage.json(f"/releases/{release_id}")
    stage.tell(release_id, {"get_hierarchy": hierarchy() | {"state": "second"}})
    stage.on(release_id, lambda handle: handle.signal("finish", "again"))
    eventually(lambda: stage.json(f"/releases/{release_id}")["run_id"] != first["run_id"])
    eventually(lambda: stage.json(f"/releases/{release_id}")["state"] == "second")
    assert stage.json(f"/releases/{release_id}")["status"] == "RUNNING"


def test_what_temporal_knows_of_an_activity_stands_on_the_row_with_its_id(stage: Stage):
    release_id = stage.start("retry", answers())
    stage.on(release_id, lambda handle: handle.signal("retry", "app:a1-0"))

    def app():
        return stage.json(f"/releases/{release_id}/entities/app:a1-0")["entity"]

    eventually(lambda: app()["attempt"] and app()["attempt"]["retrying"])
    attempt = app()["attempt"]
    assert attempt["maximum"] == 500
    assert attempt["last_failure"]["type"] == "ImagePullError"
    assert attempt["last_failure"]["causes"][0]["message"] == "connect timeout to registry.example.com"
    before = attempt["number"]
    eventually(lambda: app()["attempt"]["number"] > before), "attempts move on without the history growing"
    page = stage.json(f"/releases/{release_id}")
    assert page["blocked_by"][0]["obstacles"][0]["id"] == "cluster:c1"
    assert [cluster["open"] for cluster in page["waves"][0]["clusters"]] == [False, True]
    text = stage.ask(f"/releases/{release_id}").text
    assert "1 app retrying" in text
    assert "connect timeout to registry.example.com" in text
    stage.on(release_id, lambda handle: handle.terminate())
    eventually(lambda: stage.json(f"/releases/{release_id}")["phase"] == "terminated")
    attempt = app()["attempt"]
    assert (attempt["over"], attempt["retrying"], attempt["next_at"]) == (True, False, None)
    assert attempt["last_failure"]["type"] == "ImagePullError", "why it came no further"
    assert "retrying" not in stage.ask(f"/releases/{release_id}").text
    assert "ended at attempt" in stage.ask(f"/releases/{release_id}/entities/app:a1-0").text


def test_a_release_that_the_list_does_not_show_yet_is_there(stage: Stage):
    release_id = stage.start("new", answers())
    assert stage.json(f"/releases/{release_id}")["id"] == release_id


def test_ids_with_slashes_tildes_and_letters_of_all_kinds_are_found_by_the_pages_own_links(stage: Stage):
    tree = hierarchy(clusters=1, apps=1)
    odd = "app:team/größe ~2F%2F?#&'\"<b>".replace(" ", "")
    tree["waves"][0]["clusters"][0]["bundle"]["apps"][0]["id"] = odd
    tree["waves"][0]["clusters"][0]["bundle"]["app_ids"] = [odd]
    release_id = stage.start("odd/hierarchy", {"get_hierarchy": tree})
    with stage.app.test_request_context():
        path = stage.app.url_for("web.api_entity", release_id=release_id, entity_id=odd)
        release_path = stage.app.url_for("web.api_release", release_id=release_id)
    assert stage.ask(path).get_json()["entity"]["id"] == odd
    assert stage.ask(release_path).get_json()["id"] == release_id
    page = stage.ask(path.removeprefix("/api"))
    assert page.status_code == 200
    assert odd in html.unescape(page.text)
    assert "<b>" not in page.text.split("<h1>")[1].split("</h1>")[0]


def test_an_entity_is_found_in_every_release_that_has_it_newest_first(stage: Stage):
    state = {"by_id": {"app:a": {"id": "app:a", "state": "deployed", "version": "1.0.0"}}}
    old = stage.start("old", {"get_app_state": state})
    state["by_id"]["app:a"] |= {"state": "deploying", "version": "2.0.0"}
    new = stage.start("new", {"get_app_state": state})
    other = stage.start("other", {"get_app_state": {"by_id": {}}})
    mute = stage.start("mute", {})
    stage.listed("old", "new", "other", "mute")
    page = stage.json("/entities/app:a")
    assert [(row["release_id"], row["state"], row["version"]) for row in page["occurrences"]] == [
        (new, "deploying", "2.0.0"),
        (old, "deployed", "1.0.0"),
    ]
    assert (page["state"], page["release_id"], page["searched"], page["total"]) == ("deploying", new, 4, 4)
    assert [row["release_id"] for row in page["unanswered"]] == [mute]
    assert other not in stage.ask("/entities/app:a").text


def test_an_entity_is_found_in_releases_that_tell_of_all_their_rows_together_only(stage: Stage):
    failed = stage.start("whole", {"get_hierarchy": hierarchy(state="failed")})
    other = stage.start("without", {"get_hierarchy": {"id": "other", "waves": [{"id": "wave:w", "state": "done"}]}})
    stage.listed("whole", "without")
    page = stage.json("/entities/app:a0-0")
    assert [(row["release_id"], row["state"]) for row in page["occurrences"]] == [(failed, "failed")]
    assert (page["phase"], page["searched"], page["unanswered"]) == ("failed", 2, [])
    (wave,) = stage.json("/entities/wave:w")["occurrences"]
    assert (wave["release_id"], wave["state"]) == (other, "done")


def test_an_entity_of_an_ended_release_is_not_shown_as_running(stage: Stage):
    state = {"by_id": {"app:a": {"id": "app:a", "state": "deploying"}}}
    ended = stage.start("ended", {"get_app_state": state})
    eventually(lambda: stage.listed("ended") and stage.json("/entities/app:a")["state"] == "deploying")
    stage.on(ended, lambda handle: handle.terminate())
    eventually(lambda: stage.listed("ended")["ended"]["status"] == "TERMINATED")
    eventually(lambda: stage.json("/entities/app:a")["phase"] == "terminated")


def test_an_entity_that_no_release_has_is_not_found(stage: Stage):
    stage.start("one", {"get_app_state": {"by_id": {}}})
    stage.listed("one")
    error = stage.json("/entities/app:nowhere", 404)["error"]
    assert error["code"] == "not_found"
    assert "app:nowhere" in error["message"]


def test_a_release_id_occurs_once(stage: Stage):
    release_id = stage.start("self", answers())
    page = stage.json(f"/entities/{release_id}")
    assert [row["id"] for row in page["occurrences"]] == [release_id]
