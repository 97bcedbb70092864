"""A tree that is looked through, as pages and as JSON, on the real server."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.harness import Stage
from tests.support.rollout_makers import hierarchy


def told() -> dict[str, Any]:
    """A release of two clusters with two apps each, of which one changed just now and another long ago."""
    tree = hierarchy()
    first, second = tree["waves"][0]["clusters"][0]["bundle"]["apps"]
    first |= {"updated_at": datetime.now(UTC).isoformat(), "version": "2.7.1"}
    second |= {"updated_at": (datetime.now(UTC) - timedelta(hours=3)).isoformat(), "state": "failed"}
    return tree


def apps(page: dict[str, Any]) -> list[str]:
    """The ids of the apps that are shown."""
    bundles = [cluster["bundle"] for wave in page["waves"] for cluster in wave["clusters"]]
    return [app["id"] for bundle in bundles if bundle for app in bundle["apps"]]


@pytest.fixture
def release(stage: Stage) -> str:
    tree = told()
    return stage.start("narrowed", {"get_hierarchy": tree, "get_release_state": tree})


@pytest.mark.parametrize("view", ["", "/hierarchy"])
@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("q=2.7", ["app:a0-0"]),
        ("q=A1-", ["app:a1-0", "app:a1-1"]),
        ("phase=failed", ["app:a0-1"]),
        ("changed=5m", ["app:a0-0"]),
        ("changed=1d", ["app:a0-0", "app:a0-1"]),
        ("changed=1d&phase=failed", ["app:a0-1"]),
        ("q=nowhere", []),
    ],
)
def test_page_and_twin_show_what_matches_with_all_above_it(
    stage: Stage, release: str, view: str, asked: str, found: list[str]
):
    page = stage.json(f"/releases/{release}{view}?{asked}")
    assert apps(page) == found
    assert page["matched"] == len(found)
    assert page["progress"]["total"] == 4, "the figures count all of it"
    shown = stage.ask(f"/releases/{release}{view}?{asked}").text
    assert f"<b>{len(found)}</b> of 9 rows match" in shown
    assert ("No results" in shown) is (not found)


@pytest.mark.parametrize("wrong", ["changed=5", "changed=0m", "changed=soon", f"q={'x' * 201}", "phase=odd"])
def test_what_cannot_be_looked_for_is_refused(stage: Stage, release: str, wrong: str):
    error = stage.json(f"/releases/{release}?{wrong}", 422)["error"]
    assert error["fields"][0]["field"] == wrong.partition("=")[0]


def test_what_changed_lately_has_a_name_of_its_own_as_time_goes_by(stage: Stage, release: str):
    address = f"/api/releases/{release}/hierarchy?changed="
    tags = {stage.ask(f"{address}{lately}").headers["ETag"] for lately in ("5m", "6m")}
    assert len(tags) == 2
    plain = stage.ask(f"/api/releases/{release}/hierarchy")
    assert plain.headers["ETag"] == stage.ask(f"/api/releases/{release}/hierarchy").headers["ETag"]


def test_the_rows_of_a_cluster_that_are_loaded_match_too(stage: Stage, release: str):
    cluster = stage.json(f"/releases/{release}/entities/cluster:c0?phase=failed")["entity"]
    assert [app["id"] for app in cluster["bundle"]["apps"]] == ["app:a0-1"]
