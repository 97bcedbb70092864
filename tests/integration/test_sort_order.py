"""A tree in another order than the rollout's, as pages and as JSON, on the real server."""

from typing import Any

import pytest

from tests.support.harness import Stage
from tests.support.rollout_makers import hierarchy

FIRST, SECOND, THIRD = "cluster:c0", "cluster:c1", "cluster:c2"


@pytest.fixture
def release(stage: Stage) -> str:
    """Three clusters: in the second an app failed, the last changed last and is named before the others."""
    tree = hierarchy(clusters=3)
    first, second, third = tree["waves"][0]["clusters"]
    first |= {"updated_at": "2026-11-22T14:03:00Z", "name": "eu-10"}
    second["name"] = "eu-9"
    second["bundle"]["apps"][1]["state"] = "failed"
    third |= {"updated_at": "2026-11-22T14:04:00Z", "name": "ap"}
    return stage.start("ordered", {"get_hierarchy": tree, "get_release_state": tree})


def clusters(page: dict[str, Any]) -> list[str]:
    return [cluster["id"] for wave in page["waves"] for cluster in wave["clusters"]]


@pytest.mark.parametrize(
    ("sort", "found"),
    [
        ("", [FIRST, SECOND, THIRD]),
        ("worst", [SECOND, FIRST, THIRD]),
        ("name", [THIRD, SECOND, FIRST]),
        ("changed", [THIRD, FIRST, SECOND]),
    ],
)
def test_rows_of_the_same_parent_stand_in_the_order_that_is_asked_for(
    stage: Stage, release: str, sort: str, found: list[str]
):
    for view in ("", "/hierarchy"):
        assert clusters(stage.json(f"/releases/{release}{view}?sort={sort}")) == found
    wave = stage.json(f"/releases/{release}/entities/wave:one?sort={sort}")["entity"]
    assert clusters({"waves": [wave]}) == found
    assert wave["cluster_ids"] == [FIRST, SECOND, THIRD], "the rollout's own order is still told"


def test_apps_are_ordered_too(stage: Stage, release: str):
    cluster = stage.json(f"/releases/{release}/entities/{SECOND}?sort=worst")["entity"]
    assert [app["id"] for app in cluster["bundle"]["apps"]] == ["app:a1-1", "app:a1-0"]


@pytest.mark.parametrize("view", ["", "/hierarchy", "/entities/wave:one"])
def test_another_word_is_refused(stage: Stage, release: str, view: str):
    error = stage.json(f"/releases/{release}{view}?sort=best", 422)["error"]
    assert error["fields"][0]["field"] == "sort"


def test_a_bundle_that_was_closed_stands_in_the_address_and_its_apps_are_there(stage: Stage, release: str):
    address = f"/releases/{release}?open={FIRST}&shut=bundle:b0&shut=bundle:b1"
    bundles = {row["id"]: row["bundle"] for row in stage.json(address)["waves"][0]["clusters"] if row["bundle"]}
    assert {bundle["id"]: bundle["open"] for bundle in bundles.values()} == {"bundle:b0": False, "bundle:b1": False}
    assert [len(bundle["apps"]) for bundle in bundles.values()] == [2, 2]
    alone = stage.json(f"/releases/{release}/entities/{FIRST}?shut=bundle:b0")["entity"]
    assert not alone["bundle"]["open"]
    assert stage.json(f"/releases/{release}/entities/{FIRST}")["entity"]["bundle"]["open"]
