"""Every page and its JSON say the same: the two trees of every registered twin are compared, on the sample rollouts."""

from collections.abc import Iterator
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient

from dashboard.views.routes import twins
from tests.conftest import Rollouts

pytestmark = pytest.mark.integration

Row = tuple[str, str, str]
FILTERED = (
    "/releases?q=release:&page_size=2",
    "/releases?phase=failed,terminated&since=7d",
    "/releases?phase=running&until=2100-01-01",
    "/releases?q=nowhere",
    "/releases?phase=paused",
    "/releases?phase=pending",
    "/releases?since=never",
    "/releases?cursor=made-up",
    "/releases?starred=yes",
)


def addresses(rollouts: Rollouts) -> dict[str, list[str]]:
    """Real addresses for every registered twin, by its name."""
    ids = sorted(rollouts.ids)
    return {
        "releases": [
            "/releases",
            "/releases?page_size=3&page=2",
            "/releases?page=50",
            "/releases?starred=1",
            *FILTERED,
        ],
        "release": [f"/releases/{release_id}" for release_id in ids]
        + ["/releases/release:never", "/releases/odd"]
        + [
            f"/releases/{rollouts.failed}?selected={selected}"
            for selected in ("cluster:eu-west-1", rollouts.failed, "app:nowhere", "odd", "")
        ]
        + in_order(rollouts),
        "hierarchy": [f"/releases/{release_id}/hierarchy" for release_id in ids] + in_order(rollouts, "/hierarchy"),
        "strip": [f"/releases/{release_id}/strip" for release_id in ids],
        "timeline": [f"/releases/{release_id}/timeline" for release_id in ids] + ["/releases/release:never/timeline"],
        "matrix": [f"/releases/{release_id}/matrix" for release_id in ids]
        + [f"/releases/{rollouts.failed}/matrix?only=broken", f"/releases/{rollouts.failed}/matrix?only=odd"],
        "entity": [
            f"/releases/{release_id}/entities/{entity_id}"
            for release_id in ids
            for entity_id in (release_id, "cluster:eu-west-1", "app:nowhere")
        ]
        + in_order(rollouts, f"/entities/{rollouts.failed}"),
        "panel": [
            f"/releases/{release_id}/entities/{entity_id}/panel"
            for release_id in ids
            for entity_id in (release_id, "cluster:eu-west-1", "app:nowhere", "odd")
        ],
        "problems": ["/problems"],
        "kiosk": ["/kiosk", f"/kiosk?show={rollouts.failed}&every=20", "/kiosk?q=nowhere", "/kiosk?every=4"],
        "kiosk_release": [f"/kiosk/releases/{release_id}" for release_id in ids] + ["/kiosk/releases/release:never"],
        "compare": [
            "/compare",
            f"/compare?left={rollouts.failed}",
            "/compare?left=odd",
            f"/compare?left={rollouts.failed}&right=release:never",
            # As of the older of two, so that one that moves may have moved on all the same.
            *(
                f"/compare?left={rollouts.completed}&right={release_id}"
                for release_id in (rollouts.completed, rollouts.hotfix, rollouts.failed, rollouts.terminated)
            ),
        ],
        "find": [
            "/find",
            "/find?q=payments",
            f"/find?q={rollouts.failed}&in={rollouts.moving}",
            "/find?q=app:nowhere",
            "/find?q=nowhere at all",
            "/find?in=odd",
            "/find?q=" + "x" * 201,
        ],
        "occurrences": ["/entities/cluster:eu-west-1", "/entities/app:nowhere", f"/entities/{rollouts.failed}"],
    }


def in_order(rollouts: Rollouts, view: str = "") -> list[str]:
    """A tree in each order that can be asked for, and in one that cannot."""
    return [f"/releases/{rollouts.failed}{view}?sort={word}" for word in ("", "worst", "name", "changed", "odd")]


def rows_of_json(value: Any) -> Iterator[Row]:
    """The rows of a twin's JSON, parents first, in order."""
    if isinstance(value, dict):
        if {"id", "state", "phase"} <= value.keys():
            yield value["id"], value["state"] or "", value["phase"] or ""
        for key, item in value.items():
            if key != "details":
                yield from rows_of_json(item)
    elif isinstance(value, list):
        for item in value:
            yield from rows_of_json(item)


def rows_of_html(text: str) -> list[Row]:
    """The rows of a page, in order."""
    marked = BeautifulSoup(text, "html.parser").select("[data-entity-id]")
    return [(str(row["data-entity-id"]), str(row["data-state"]), str(row["data-phase"])) for row in marked]


def same_moment(viewer: FlaskClient, address: str) -> tuple[Any, Any]:
    """The page and its twin from one snapshot: a release that moves may change between the two."""
    for _ in range(20):
        page, twin = viewer.get(address), viewer.get(f"/api{address}")
        if page.headers.get("As-Of") == twin.headers.get("As-Of"):
            return page, twin
    raise AssertionError(f"{address}: no two answers from the same moment")


def test_every_registered_twin_says_the_same_in_both_renderings(viewer: FlaskClient, rollouts: Rollouts):
    examples = addresses(rollouts)
    viewer.post("/stars", data={"add": [*rollouts.ids, "release:never"]})
    assert set(examples) == set(twins.rules), "a new twin needs its addresses here"
    compared = 0
    for address in (address for group in examples.values() for address in group):
        page, twin = same_moment(viewer, address)
        assert page.status_code == twin.status_code, address
        assert page.mimetype == "text/html"
        assert twin.mimetype == "application/json"
        said = list(rows_of_json(twin.get_json()))
        assert rows_of_html(page.text) == said, address
        compared += len(said)
    assert compared > 2_000, "the rollout of 1,000 entities is among them, twice"


def test_every_page_names_its_twin(viewer: FlaskClient, rollouts: Rollouts):
    for address in ("/releases?page_size=3", f"/releases/{rollouts.failed}"):
        link = BeautifulSoup(viewer.get(address).text, "html.parser").select_one("link[rel=alternate]")
        assert link is not None
        assert link["href"] == f"/api{address}"


def test_a_fragment_is_a_part_of_the_page_and_says_when_nothing_is_new(viewer: FlaskClient, rollouts: Rollouts):
    address = f"/releases/{rollouts.completed}"
    fragment = viewer.get(address, headers={"HX-Request": "true"})
    assert "<html" not in fragment.text
    assert rows_of_html(fragment.text) == rows_of_html(viewer.get(address).text)
    tag = fragment.headers["HX-PTag"]
    again = viewer.get(address, headers={"HX-Request": "true", "HX-PTag": tag})
    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["As-Of"]
    opened = viewer.get(f"{address}?open=cluster:eu-west-1", headers={"HX-Request": "true", "HX-PTag": tag})
    assert opened.status_code == 200, "what is asked for is part of what is named"
