"""The API's answers against the schemas of their page models, and against the form that rollouts use themselves."""

import re
from typing import Any

import pytest
from flask.testing import FlaskClient

from dashboard.views.entity.occurrences import OccurrencesPage
from dashboard.views.entity.page import EntityPage
from dashboard.views.problems.page import ProblemsPage
from dashboard.views.release.page import HierarchyPage, ReleasePage
from dashboard.views.releases.page import ReleasesPage
from dashboard.views.timeline.page import TimelinePage
from dashboard.web.page_model import Page
from tests.conftest import Rollouts
from tests.support.api_document import reference


def conforms(answer: Any, name: str) -> None:
    assert reference().flaws(f"#/components/schemas/{name}", answer) == []


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/releases", ReleasesPage),
        ("/releases?q=release:&phase=failed,running&since=7d&page_size=2", ReleasesPage),
        ("/releases?q=nowhere", ReleasesPage),
        ("/releases/{}", ReleasePage),
        ("/releases/{}/hierarchy", HierarchyPage),
        ("/releases/{}/timeline", TimelinePage),
        ("/releases/{}/entities/wave:canary", EntityPage),
        ("/releases/{}/entities/cluster:eu-west-1", EntityPage),
        ("/releases/{}/entities/bundle:web-services-eu-west-1", EntityPage),
        ("/entities/cluster:eu-west-1", OccurrencesPage),
        ("/problems", ProblemsPage),
    ],
)
def test_every_answer_conforms_to_its_model(viewer: FlaskClient, rollouts: Rollouts, path: str, model: type[Page]):
    for release_id in sorted(rollouts.ids - {rollouts.thousand}) if "{}" in path else [""]:
        answer = viewer.get("/api" + path.format(release_id))
        assert answer.status_code == 200
        conforms(answer.get_json(), model.__name__)


@pytest.mark.parametrize(
    "path",
    [
        "/releases/release:never",
        "/releases/odd",
        "/releases?page=0",
        "/releases?phase=pending",
        "/nowhere",
        "/entities/app:nowhere",
    ],
)
def test_every_error_has_one_form(viewer: FlaskClient, path: str):
    answer = viewer.get(f"/api{path}").get_json()
    conforms(answer, "Error")
    assert re.fullmatch("[a-z_]+", answer["error"]["code"])
    assert re.fullmatch("[0-9a-f]{16}", answer["error"]["request_id"])
    assert len(answer["error"]["message"]) >= 10


def test_a_method_that_is_not_offered_says_which_are(viewer: FlaskClient):
    answer = viewer.delete("/api/releases")
    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]
    conforms(answer.get_json(), "Error")


def test_the_hierarchy_has_the_nested_form_that_rollouts_answer(viewer: FlaskClient, rollouts: Rollouts):
    tree = viewer.get(f"/api/releases/{rollouts.completed}/hierarchy").get_json()
    assert {"id", "state", "workflow_id", "created_at", "updated_at", "wave_ids", "error_message"} <= tree.keys()
    assert [wave["id"] for wave in tree["waves"]] == tree["wave_ids"]
    assert [wave["sequence"] for wave in tree["waves"]] == sorted(wave["sequence"] for wave in tree["waves"])
    for wave in tree["waves"]:
        assert wave["release_id"] == tree["id"]
        assert [cluster["id"] for cluster in wave["clusters"]] == wave["cluster_ids"]
        for cluster in wave["clusters"]:
            bundle = cluster["bundle"]
            assert (cluster["wave_id"], cluster["bundle_id"]) == (wave["id"], bundle["id"])
            assert bundle["cluster_id"] == cluster["id"]
            assert [app["id"] for app in bundle["apps"]] == bundle["app_ids"]
            assert {app["bundle_id"] for app in bundle["apps"]} == {bundle["id"]}
            assert all(app["version"] for app in bundle["apps"])


def test_times_are_utc_in_iso_8601(viewer: FlaskClient, rollouts: Rollouts):
    release = viewer.get(f"/api/releases/{rollouts.completed}").get_json()
    for name in ("as_of", "started_at", "closed_at", "changed_at", "created_at", "updated_at"):
        assert release[name].endswith("Z"), name
        assert release[name][10] == "T"


def test_the_list_is_paged(viewer: FlaskClient, rollouts: Rollouts):
    whole = viewer.get("/api/releases").get_json()
    assert (whole["page"], whole["page_size"]) == (1, 20)
    assert whole["total"] == len(whole["items"]) == sum(whole["counts"].values())
    assert {item["id"] for item in whole["items"]} >= rollouts.ids
    second = viewer.get("/api/releases?page=2&page_size=4").get_json()
    assert [item["id"] for item in second["items"]] == [item["id"] for item in whole["items"][4:8]]
    beyond = viewer.get("/api/releases?page=9&page_size=100").get_json()
    assert (beyond["items"], beyond["total"]) == ([], whole["total"])


def test_a_release_of_a_thousand_entities_is_whole(viewer: FlaskClient, rollouts: Rollouts):
    tree = viewer.get(f"/api/releases/{rollouts.thousand}/hierarchy").get_json()
    apps = [app for wave in tree["waves"] for cluster in wave["clusters"] for app in cluster["bundle"]["apps"]]
    clusters = [cluster for wave in tree["waves"] for cluster in wave["clusters"]]
    assert 1 + len(tree["waves"]) + 2 * len(clusters) + len(apps) == 1000
    assert tree["progress"]["total"] == len(apps)
