"""Why a release is stuck: what Temporal knows of activities, children and workflow tasks, where it belongs."""

from datetime import timedelta

import pytest
from bs4 import BeautifulSoup
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import PauseActivityRequest

from dashboard.web.services import services
from tests.support.harness import Stage
from tests.support.rollout_makers import hierarchy
from tests.support.stalled_machine import within
from tests.support.waiting import eventually


def answers(apps: int = 2) -> dict:
    tree = hierarchy(clusters=1, apps=apps)
    return {"get_hierarchy": tree, "get_release_state": {key: tree[key] for key in tree if key != "waves"}}


def page_of(stage: Stage, path: str) -> BeautifulSoup:
    answer = stage.ask(path)
    assert answer.status_code == 200
    return BeautifulSoup(answer.text, "html.parser")


def words(stage: Stage, path: str) -> str:
    return " ".join(page_of(stage, path).get_text(" ").split())


def retry(stage: Stage, release_id: str, *activity_ids: str) -> None:
    """Start activities that stumble, and wait until each has failed once."""
    for activity_id in activity_ids:
        stage.on(release_id, lambda handle, name=activity_id: handle.signal("retry", name))

    def all_stumbled() -> bool:
        attempts = services(stage.app).live.release(release_id).value.execution.attempts
        return all(name in attempts and attempts[name].retrying for name in activity_ids)

    eventually(all_stumbled, 30)


def test_an_activity_tells_attempt_cause_worker_and_heartbeat_on_its_row(stage: Stage):
    release_id = stage.start("stuck", answers())
    retry(stage, release_id, "app:a0-1")
    entity = stage.json(f"/releases/{release_id}/entities/app:a0-1")["entity"]
    attempt = entity["attempt"]
    assert (attempt["activity_id"], attempt["activity_type"], attempt["maximum"]) == ("app:a0-1", "stumble", 500)
    assert attempt["last_failure"]["causes"][0]["message"] == "connect timeout to registry.example.com"
    assert '"pulled":3' in attempt["heartbeat"].replace(" ", "")
    assert attempt["worker"]
    text = words(stage, f"/releases/{release_id}/entities/app:a0-1")
    assert "of 500" in text
    assert "caused by ConnectionError: connect timeout to registry.example.com" in text
    blocked = " ".join(page_of(stage, f"/releases/{release_id}").select_one(".notice.blocked").get_text(" ").split())
    assert "1 app retrying" in blocked
    assert "ConnectionError: connect timeout to registry.example.com" in blocked, "what is at the bottom of it"
    assert "of 500" in blocked


def test_an_activity_that_somebody_paused_says_so(stage: Stage):
    release_id = stage.start("paused", answers())
    retry(stage, release_id, "app:a0-0")

    def pause(client):
        execution = WorkflowExecution(workflow_id=release_id)
        request = PauseActivityRequest(namespace="default", execution=execution, id="app:a0-0")
        return client.workflow_service.pause_activity(request)

    stage.run(pause)
    eventually(lambda: stage.json(f"/releases/{release_id}/entities/app:a0-0")["entity"]["attempt"]["paused"], 60)
    assert "paused at attempt" in words(stage, f"/releases/{release_id}")


def test_what_belongs_to_no_entity_stands_on_the_release(stage: Stage):
    release_id = stage.start("also", answers())
    retry(stage, release_id, "migrate-db")
    stage.on(release_id, lambda handle: handle.signal("bear", f"app:a0-0/{stage.prefix}"))
    stage.on(release_id, lambda handle: handle.signal("bear", f"elsewhere-{stage.prefix}"))
    eventually(lambda: stage.json(f"/releases/{release_id}")["other_runs"], 20)
    release = stage.json(f"/releases/{release_id}")
    assert [attempt["activity_id"] for attempt in release["also_pending"]] == ["migrate-db"]
    assert [run["workflow_id"] for run in release["other_runs"]] == [f"elsewhere-{stage.prefix}"]
    app = stage.json(f"/releases/{release_id}/entities/app:a0-0")["entity"]
    assert app["child_run"]["workflow_id"] == f"app:a0-0/{stage.prefix}"
    text = words(stage, f"/releases/{release_id}")
    assert "Also pending: migrate-db" in text
    assert f"Also running: elsewhere-{stage.prefix}" in text


def test_a_workflow_whose_code_fails_says_so_with_attempt_and_reason(stage: Stage):
    # Temporal tries a task again when its time is up, 10 seconds if nobody says otherwise.
    release_id = stage.start("tripped", answers(), task_timeout=timedelta(seconds=1))
    assert stage.json(f"/releases/{release_id}")["failing_task"] is None
    stage.on(release_id, lambda handle: handle.signal("trip", "no such wave: 'emea'"))
    eventually(lambda: stage.json(f"/releases/{release_id}")["failing_task"], 30)
    release = stage.json(f"/releases/{release_id}")
    assert release["failing_task"]["attempt"] > 1
    assert release["failing_task"]["failure"]["message"] == "no such wave: 'emea'"
    assert release["waves"], "the last known tree stays"
    assert "Workflow code is failing: attempt" in words(stage, f"/releases/{release_id}")
    stage.listed("tripped")
    eventually(lambda: "Workflow code is failing: RuntimeError" in words(stage, "/problems"), 60)


def test_problems_of_several_releases_are_one_group_that_leads_to_each_row(stage: Stage):
    first, second = stage.start("one", answers(3)), stage.start("two", answers(3))
    retry(stage, first, "app:a0-0", "app:a0-2")
    retry(stage, second, "app:a0-1")
    stage.listed("one", "two")
    eventually(lambda: stage.json("/problems")["broken"] == 3, 60)
    page = stage.json("/problems")
    (group,) = page["groups"]
    assert group["cause"] == "ConnectionError: connect timeout to registry.example.com"
    assert group["what"] == "3 apps in 2 clusters of 2 releases"
    assert (group["retrying"], group["releases"], group["more"]) == (3, 2, 0)
    assert sorted(share["count"] for share in group["shares"]) == [1, 2]
    assert (page["total"], page["listed"], page["relevant"], page["read"], page["unanswered"]) == (2, 2, 2, 2, 0)
    links = page_of(stage, "/problems").select(".row.app a.name")
    assert len(links) == 3
    for link in links:
        path, _, anchor = str(link["href"]).partition("#")
        there = page_of(stage, path).find(id=anchor)
        assert there is not None, "the row is shown, with all above it open"
        assert there["data-entity-id"].startswith("app:a0-")
        assert all(details.has_attr("open") for details in there.find_parents("details"))


def test_a_cause_that_breaks_very_many_shows_the_newest_and_says_where_the_others_are(stage: Stage):
    tree = hierarchy(clusters=5, apps=30, state="failed")
    release_id = stage.start("wide", {"get_hierarchy": tree, "get_release_state": tree})
    stage.listed("wide")
    eventually(lambda: stage.json("/problems")["groups"], 60)
    (group,) = stage.json("/problems")["groups"]
    assert (group["count"], len(group["entities"]), group["more"]) == (150, 40, 110)
    last = page_of(stage, "/problems").select(".row.more")[-1]
    assert "and 110 more" in last.get_text()
    assert last.select_one("a")["href"] == f"/releases/{release_id}"


def test_an_ended_release_is_a_problem_if_it_failed_and_none_if_it_ended_well(stage: Stage):
    failed, done = stage.start("failed", answers()), stage.start("done", answers())
    stage.end(failed, "quota of 12 pods is used up")
    stage.end(done, "well")
    stage.listed("failed", "done")
    eventually(lambda: stage.json("/problems")["groups"], 60)
    (group,) = stage.json("/problems")["groups"]
    assert group["what"] == "1 release"
    assert "quota of 12 pods" in group["cause"]
    assert stage.json("/problems")["relevant"] == 1


@pytest.mark.timing
def test_releases_that_do_not_answer_hold_nothing_up(stage: Stage):
    for number in range(8):
        stage.start(f"silent-{number}", answers(), task_queue="nobody-polls-this")
    stage.listed(*(f"silent-{number}" for number in range(8)))
    page = within(2.5, stage, lambda: stage.json("/problems"))
    (group,) = page["groups"]
    assert group["what"] == "8 releases"
    assert page["relevant"] == page["read"] + page["unanswered"] == 8


def test_error_texts_are_cut_to_a_line_and_never_break_the_page(stage: Stage):
    evil = "<script>alert(1)</script>\n" + "x" * 3000 + "\x00\ud800".encode("utf-8", "replace").decode()
    answer = answers(1)
    answer["get_hierarchy"]["waves"][0]["clusters"][0]["bundle"]["apps"][0] |= {
        "state": "failed",
        "error_message": evil,
    }
    release_id = stage.start("evil", answer)
    stage.listed("evil")
    eventually(lambda: stage.json("/problems")["groups"], 60)
    for path in ("/problems", f"/releases/{release_id}", f"/releases/{release_id}/entities/app:a0-0"):
        page = page_of(stage, path)
        assert "alert(1)</script>" not in stage.ask(path).text
        shown = [text for tag in page.select(".why, .name, .notice p") if (text := tag.get_text())]
        assert max(len(text) for text in shown) < 400
    entity = page_of(stage, f"/releases/{release_id}/entities/app:a0-0")
    assert "x" * 3000 in entity.select_one("details.whole pre").get_text()
    assert "x" * 301 not in stage.ask("/problems").text
