"""The panel of what is selected, as people see it without JavaScript, on the sample rollouts."""

import re

from bs4 import BeautifulSoup, Tag
from flask.testing import FlaskClient

from tests.conftest import Rollouts


def page_of(viewer: FlaskClient, path: str) -> BeautifulSoup:
    answer = viewer.get(path)
    assert answer.status_code == 200
    page = BeautifulSoup(answer.text, "html.parser")
    # What a server does when an answer was sent, it does here: the next answers build on it.
    answer.close()
    return page


def words(tag: Tag) -> str:
    return " ".join(tag.get_text(" ").split())


def broken_app(viewer: FlaskClient, release_id: str) -> dict[str, str]:
    """The app that failed, or is being retried."""
    tree = viewer.get(f"/api/releases/{release_id}/hierarchy").get_json()
    clusters = [cluster for wave in tree["waves"] for cluster in wave["clusters"]]
    apps = [app for cluster in clusters for app in cluster["bundle"]["apps"]]
    return next(app for app in apps if app["phase"] == "failed" or (app["attempt"] or {}).get("retrying"))


def test_it_works(viewer: FlaskClient, rollouts: Rollouts):
    app = broken_app(viewer, rollouts.failed)
    page = page_of(viewer, f"/releases/{rollouts.failed}?selected={app['id']}")
    panel = page.select_one("#panel")
    assert not panel.has_attr("hidden")
    assert panel.select_one("h2").text == app["name"]
    said = words(panel)
    for text in (
        app["state"],
        app["version"],
        app["id"],
        rollouts.failed,
        "HealthCheckFailed",
        "Recorded since",
    ):
        assert text in said
    assert [tag["data-entity-id"] for tag in page.select(".tree [aria-current]")] == [app["id"]]


def test_a_row_leads_to_its_panel_which_leads_to_its_page_and_back(viewer: FlaskClient, rollouts: Rollouts):
    path = f"/releases/{rollouts.failed}?phase=failed&open=all"
    link = page_of(viewer, path).select_one(".row.app a.name")
    page = page_of(viewer, link["href"])
    row = page.select_one(".tree [aria-current]")
    assert row.select_one("a.name")["href"] == link["href"]
    assert "phase=failed" in link["href"], "what is looked for stays"
    panel = page.select_one("#panel")
    about = next(link for link in panel.select("a") if link.text == "Open full page")
    assert viewer.get(about["href"]).status_code == 200
    closed = page_of(viewer, panel.select_one("a.close")["href"])
    assert closed.select_one("#panel").has_attr("hidden")
    assert words(closed.select_one("#panel")) == ""
    assert closed.select_one("#tree-phase option[selected]")["value"] == "failed"


def test_what_is_selected_is_to_be_seen_in_the_tree_whatever_is_closed(viewer: FlaskClient, rollouts: Rollouts):
    tree = viewer.get(f"/api/releases/{rollouts.completed}/hierarchy").get_json()
    cluster = tree["waves"][-1]["clusters"][-1]
    app = cluster["bundle"]["apps"][-1]["id"]
    for asked in ("", "&shut=all"):
        page = page_of(viewer, f"/releases/{rollouts.completed}?selected={app}{asked}")
        row = page.select_one(f'.tree [data-entity-id="{app}"]')
        assert row["aria-current"] == "true"
        assert all(above.has_attr("open") for above in row.find_parents("details"))


def test_an_unknown_id_is_told_in_the_panels_place_and_the_tree_stays(viewer: FlaskClient, rollouts: Rollouts):
    page = page_of(viewer, f"/releases/{rollouts.completed}?selected=app:nowhere")
    assert "has no entity with this ID" in words(page.select_one("#panel"))
    assert page.select(".tree .row")
    told = viewer.get(f"/api/releases/{rollouts.completed}/entities/app:nowhere/panel").get_json()["selected"]
    assert (told["entity"], told["problem"]["code"]) == (None, "entity_not_found")


def test_a_malformed_id_is_refused_and_no_id_selects_nothing(viewer: FlaskClient, rollouts: Rollouts):
    assert viewer.get(f"/releases/{rollouts.completed}?selected=odd").status_code == 422
    assert viewer.get(f"/releases/{rollouts.completed}/entities/odd/panel").status_code == 422
    assert page_of(viewer, f"/releases/{rollouts.completed}?selected=").select_one("#panel").has_attr("hidden")


def test_a_retry_names_its_attempt_its_worker_and_each_cause(viewer: FlaskClient, rollouts: Rollouts):
    app = broken_app(viewer, rollouts.retrying)
    path = f"/releases/{rollouts.retrying}/entities/{app['id']}/panel"
    why = words(page_of(viewer, path).select_one(".notice.failure"))
    attempt = viewer.get(f"/api{path}").get_json()["selected"]["entity"]["attempt"]
    assert attempt["last_failure"]["type"] in why
    assert attempt["last_failure"]["message"] in why
    assert all(cause["message"] in why for cause in attempt["last_failure"]["causes"])
    assert f"of {attempt['maximum']}" in why
    assert attempt["worker"] in why


def test_the_release_and_its_twin_tell_what_the_panels_own_address_does(viewer: FlaskClient, rollouts: Rollouts):
    asked = f"/api/releases/{rollouts.completed}?selected=cluster:eu-west-1"
    alone = f"/api/releases/{rollouts.completed}/entities/cluster:eu-west-1/panel"
    one, two = (viewer.get(path).get_json()["selected"] for path in (asked, alone))
    # Looks at a release that has ended may be far apart, and end a gap.
    for told in (one, two):
        told["history"].pop("gaps")
        told.pop("also_in")
    assert one == two
    assert "waves" not in one["entity"]
    assert one["entity"]["progress"]["total"] > 0
    assert viewer.get(f"/api/releases/{rollouts.completed}").get_json()["selected"] is None


def test_what_else_was_read_lately_is_told_with_its_moment(viewer: FlaskClient, rollouts: Rollouts):
    for release_id in (rollouts.completed, rollouts.failed):
        assert viewer.get(f"/releases/{release_id}").status_code == 200
    path = f"/api/releases/{rollouts.failed}/entities/cluster:eu-west-1/panel"
    also = {other["release_id"]: other for other in viewer.get(path).get_json()["selected"]["also_in"]}
    assert rollouts.failed not in also
    assert also[rollouts.completed]["phase"] == "succeeded"
    assert also[rollouts.completed]["as_of"]
    lines = [words(line) for line in page_of(viewer, path.removeprefix("/api")).select(".also li")]
    (line,) = [line for line in lines if rollouts.completed in line]
    assert re.search(r"completed, as of \d\d \w+ [\d:]+ UTC", line)


def test_what_an_ended_release_last_said_of_it_is_not_told_as_its_state(viewer: FlaskClient, rollouts: Rollouts):
    tree = viewer.get(f"/api/releases/{rollouts.failed}/hierarchy").get_json()
    cluster = next(row for wave in tree["waves"] for row in wave["clusters"] if row["phase"] == "cancelled")
    assert cluster["state"] == "pending"
    page = page_of(viewer, f"/releases/{rollouts.completed}/entities/{cluster['id']}/panel")
    lines = [words(line) for line in page.select(".also li") if rollouts.failed in line.text]
    assert [re.search("cancelled|pending", line)[0] for line in lines] == ["cancelled"]


def test_a_fragment_of_the_tree_says_the_same_whatever_is_selected(viewer: FlaskClient, rollouts: Rollouts):
    path = f"/releases/{rollouts.completed}?open=cluster:eu-west-1"
    page = page_of(viewer, f"{path}&selected=cluster:eu-west-1")
    live = page.select_one("#live")
    assert live["hx-get"] == path
    again = viewer.get(live["hx-get"], headers={"HX-Request": "true", "HX-PTag": live["data-version"]})
    assert again.status_code == 304
    assert live.select_one("#panel") is None
