"""Lists, trees and problems as NDJSON and CSV: which form is given, what stands in it, and what it says is missing."""

import csv
import gzip
import io
import json
from dataclasses import replace
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from structlog.testing import capture_logs

from dashboard.domain.causes import ProblemSummary
from dashboard.domain.problem_filter import ProblemFilter
from dashboard.domain.problems import Problem, ProblemCode
from dashboard.domain.snapshot import Snapshot
from dashboard.live.snapshot_store import RENEWAL_BEHIND
from dashboard.views.exports.tables import (
    ENTITY_COLUMNS,
    PROBLEM_COLUMNS,
    RELEASE_COLUMNS,
    problems_table,
    tree_table,
)
from dashboard.views.release.page import HierarchyPage
from dashboard.web.export.response import MAX_CONCURRENT_TABLES, csv_table_lines, ndjson_lines
from dashboard.web.export.table import Table
from dashboard.web.negotiation import Format, requested_format
from dashboard.web.services import services
from tests.conftest import Rollouts
from tests.support.rollout_makers import STARTED, entity
from tests.support.waiting import settled
from tests.web.web.test_partial_updates import release_of

BELOW = {"waves", "clusters", "bundle", "apps"}
TABLES = ("/api/releases", "/api/releases/{}", "/api/releases/{}/hierarchy", "/api/problems", "/api/releases?starred=1")


def lines(viewer: FlaskClient, address: str) -> tuple[list[Any], Any]:
    """The items of a table and what its last line says."""
    answer = viewer.get(address, headers={"Accept": "application/x-ndjson"})
    assert (answer.status_code, answer.mimetype) == (200, "application/x-ndjson"), answer.text
    *items, last = map(json.loads, answer.text.splitlines())
    return items, last["end"]


def cells(viewer: FlaskClient, address: str) -> list[dict[str, str]]:
    """The rows of a table by column."""
    answer = viewer.get(address, headers={"Accept": "text/csv"})
    assert (answer.status_code, answer.mimetype) == (200, "text/csv"), answer.text
    return read(answer.data)


def read(written: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(written.decode("utf-8-sig"), newline="")))


def written(table: Table) -> tuple[Any, list[dict[str, str]]]:
    """The last line in NDJSON, and the rows in CSV."""
    *_, last = b"".join(ndjson_lines(table, iter(table.pieces))).splitlines()
    return json.loads(last)["end"], read(b"".join(csv_table_lines(table, iter(table.pieces))))


def rows_below(value: Any) -> list[Any]:
    """The rows of a twin's tree, parents first, each without those below it."""
    below = [row for name in ("waves", "clusters", "apps") for row in value.get(name) or ()]
    bundle = [value["bundle"]] if value.get("bundle") else []
    own = {name: said for name, said in value.items() if name not in BELOW}
    return [own, *(row for child in (*below, *bundle) for row in rows_below(child))]


def test_each_release_of_the_list_is_a_line_as_its_twin_has_it(viewer: FlaskClient, rollouts: Rollouts):
    items, end = lines(viewer, "/api/releases?phase=failed,succeeded")
    twin = viewer.get("/api/releases?phase=failed,succeeded&page_size=100").get_json()
    assert items == twin["items"]
    assert {rollouts.failed, rollouts.completed} <= {item["id"] for item in items}
    assert (end["rows"], end["whole"], end["missing"], end["next"]) == (len(items), True, [], None)
    assert (end["stale"], end["reason"]) == (False, None)
    assert end["as_of"].endswith("Z")


@pytest.mark.parametrize("view", ["", "/hierarchy"])
def test_each_entity_of_a_release_is_a_line_as_the_whole_tree_has_it(
    viewer: FlaskClient, rollouts: Rollouts, view: str
):
    for asked in ("", "?phase=failed", "?q=pricing&sort=worst"):
        items, end = lines(viewer, f"/api/releases/{rollouts.failed}{view}{asked}")
        root, *rows = rows_below(viewer.get(f"/api/releases/{rollouts.failed}/hierarchy{asked}").get_json())
        assert items[1:] == rows
        assert items[0].items() <= root.items()
        assert items[0]["id"] == rollouts.failed
        assert (end["rows"], end["whole"]) == (len(rows) + 1, True)


def test_what_is_broken_and_what_waits_is_a_line_each(viewer: FlaskClient, rollouts: Rollouts):
    items, end = lines(viewer, "/api/problems")
    twin = viewer.get("/api/problems").get_json()
    shown = [row for group in twin["groups"] for row in group["entities"]] + twin["waiting"]
    assert [(item["id"], item["release_id"], item["cause_text"]) for item in items] == [
        (row["id"], row["release_id"], row["cause_text"]) for row in shown
    ]
    assert end["rows"] == len(shown) > 3
    of_one, _ = lines(viewer, f"/api/problems?release={rollouts.failed}")
    assert {item["release_id"] for item in of_one} == {rollouts.failed}


def test_columns_stand_in_a_fixed_order_and_times_are_utc(viewer: FlaskClient, rollouts: Rollouts):
    for address, columns in (
        ("/api/releases", RELEASE_COLUMNS),
        (f"/api/releases/{rollouts.failed}", ENTITY_COLUMNS),
        (f"/api/releases/{rollouts.failed}/hierarchy", ENTITY_COLUMNS),
        ("/api/problems", PROBLEM_COLUMNS),
    ):
        answer = viewer.get(address, query_string={"format": "csv"})
        assert answer.data.decode("utf-8-sig").partition("\r\n")[0] == ",".join(columns)
        for row in cells(viewer, address):
            assert row["as_of"].endswith("Z")
            assert (row["stale"], row["as_of"][10]) == ("false", "T")
            assert None not in row
            assert all(row[name].endswith("Z") for name in ("created_at", "updated_at") if row[name])


def test_a_row_of_a_tree_names_what_it_is_in(viewer: FlaskClient, rollouts: Rollouts):
    rows = cells(viewer, f"/api/releases/{rollouts.completed}/hierarchy")
    tree = viewer.get(f"/api/releases/{rollouts.completed}/hierarchy").get_json()
    cluster = tree["waves"][0]["clusters"][0]
    app = cluster["bundle"]["apps"][0]
    (found,) = [row for row in rows if row["id"] == app["id"]]
    above = ("release_id", "wave_id", "cluster_id", "bundle_id")
    ids = [tree["id"], tree["waves"][0]["id"], cluster["id"], cluster["bundle"]["id"]]
    assert [found[name] for name in above] == ids
    assert (found["version"], found["state"]) == (app["version"], app["state"])


def test_what_is_starred_and_not_known_is_a_row_that_says_so(viewer: FlaskClient, rollouts: Rollouts):
    viewer.post("/stars", data={"add": [rollouts.failed, "release:never"]})
    items, end = lines(viewer, "/api/releases?starred=1")
    twin = viewer.get("/api/releases?starred=1").get_json()
    assert items == twin["items"] + twin["absent"]
    assert end["rows"] == twin["total"]
    (absent,) = [row for row in cells(viewer, "/api/releases?starred=1") if row["id"] == "release:never"]
    assert absent["problem"].startswith("Temporal has no release with this ID.")


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (None, "json"),
        ("*/*", "json"),
        ("application/*", "json"),
        ("text/*", "csv"),
        ("text/csv", "csv"),
        ("application/x-ndjson", "ndjson"),
        ("text/csv;q=0.5, application/json;q=0.4", "csv"),
        ("text/csv;q=0.4, application/json;q=0.5", "json"),
        ("text/csv;q=0.9, application/x-ndjson", "ndjson"),
        ("application/json, text/csv", "json"),
        ("text/csv;q=0, */*;q=0.1", "json"),
        ("text/csv;q=0, application/x-ndjson;q=0.1, application/json;q=0", "ndjson"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "json"),
        ("application/xml", "json"),
        ("nonsense", "json"),
    ],
)
def test_the_form_is_the_one_that_is_liked_best(app: Flask, accept: str | None, form: str):
    headers = {"Accept": accept} if accept else {}
    with app.test_request_context("/api/releases", headers=headers):
        assert requested_format() == form
    with app.test_request_context("/api/releases?format=ndjson", headers=headers):
        assert requested_format() is Format.NDJSON
    with app.test_request_context("/releases?format=csv", headers=headers):
        assert requested_format() is Format.JSON


@pytest.mark.parametrize("address", [*TABLES, "/api/compare", "/api/releases/{}/timeline"])
@pytest.mark.parametrize("named", ["xml", "", "CSV", "text/csv"])
def test_a_form_that_there_is_not_is_refused(viewer: FlaskClient, rollouts: Rollouts, address: str, named: str):
    answer = viewer.get(f"{address.format(rollouts.failed)}{'&' if '?' in address else '?'}format={named}")
    assert answer.status_code == 422
    assert [field["field"] for field in answer.get_json()["error"]["fields"]] == ["format"]


def test_what_is_no_table_is_none(viewer: FlaskClient, rollouts: Rollouts):
    address = f"/api/releases/{rollouts.failed}/timeline"
    answer = viewer.get(f"{address}?format=csv")
    assert (answer.status_code, answer.get_json()["error"]["fields"][0]["field"]) == (422, "format")
    assert viewer.get(address, headers={"Accept": "text/csv"}).mimetype == "application/json"
    assert viewer.get(f"{address}?format=json").status_code == 200


@pytest.mark.parametrize("name", ["page", "page_size"])
def test_a_table_of_the_list_has_no_pages(viewer: FlaskClient, name: str):
    answer = viewer.get(f"/api/releases?format=csv&{name}=1")
    assert (answer.status_code, answer.get_json()["error"]["fields"][0]["field"]) == (422, name)


@pytest.mark.parametrize("address", TABLES)
@pytest.mark.parametrize("form", ["ndjson", "csv"])
def test_a_table_is_a_file_of_its_moment_that_nobody_else_is_given(
    viewer: FlaskClient, rollouts: Rollouts, address: str, form: str
):
    twin = viewer.get(address.format(rollouts.failed))
    answer = viewer.get(f"{address.format(rollouts.failed)}{'&' if '?' in address else '?'}format={form}")
    name = answer.headers["Content-Disposition"]
    assert name.startswith('attachment; filename="')
    assert name.endswith(f'Z.{form}"')
    assert {"Accept", "Authorization", "Cookie"} <= set(answer.vary)
    assert {"Accept", "Authorization", "Cookie"} <= set(twin.vary)
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert answer.headers["As-Of"]


@pytest.mark.parametrize(
    "address", [f"{TABLES[2]}?format=csv", f"{TABLES[1]}?format=ndjson", "/api/releases?starred=1&format=csv"]
)
def test_a_table_that_says_nothing_new_is_not_sent_again(viewer: FlaskClient, rollouts: Rollouts, address: str):
    address = address.format(rollouts.completed)
    first, again = settled(viewer, address)
    assert (first.status_code, again.data) == (200, b"")
    other = viewer.get(address.partition("?")[0], headers={"If-None-Match": first.headers["ETag"]})
    assert other.status_code == 200


@pytest.mark.parametrize("form", ["csv", "ndjson"])
@pytest.mark.parametrize("address", TABLES[:4])
def test_tables_are_compressed_for_who_takes_that(viewer: FlaskClient, rollouts: Rollouts, address: str, form: str):
    path, asked = address.format(rollouts.completed), {"format": form}
    plain = viewer.get(path, query_string=asked)
    short = viewer.get(path, query_string=asked, headers={"Accept-Encoding": "gzip"})
    assert short.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert "Accept-Encoding" in plain.vary
    assert len(short.data) < len(plain.data)
    assert len(gzip.decompress(short.data).splitlines()) == len(plain.data.splitlines())


def test_who_takes_a_table_away_is_written_down(viewer: FlaskClient, rollouts: Rollouts):
    with capture_logs() as logs:
        answer = viewer.get(f"/api/releases/{rollouts.failed}/hierarchy?format=csv")
        viewer.get(f"/api/releases/{rollouts.failed}/hierarchy")
    (entry,) = [entry for entry in logs if entry["event"] == "exported"]
    assert (entry["subject"], entry["form"]) == (f"/api/releases/{rollouts.failed}/hierarchy", "csv")
    assert entry["user_id"] == viewer.get("/api/auth/me").get_json()["id"]
    assert entry["request_id"] == answer.headers["X-Request-ID"]


def test_too_many_long_tables_at_once_are_refused_with_a_time_to_come_again(viewer: FlaskClient, rollouts: Rollouts):
    turns = services(viewer.application).long_tables
    for _ in range(4):
        assert viewer.get("/api/releases?format=csv").status_code == 200, "each gives its turn back"
        with viewer.head("/api/releases?format=csv") as answer:
            assert (answer.status_code, answer.data) == (200, b"")
    others = [f"user {number}" for number in range(MAX_CONCURRENT_TABLES)]
    assert list(map(turns.acquire, others)) == [None] * MAX_CONCURRENT_TABLES
    try:
        answer = viewer.get("/api/releases?format=csv")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10")
        assert answer.get_json()["error"]["code"] == "too_many_tables"
        assert viewer.get("/api/releases").status_code == 200
        assert viewer.get("/api/problems?format=csv").status_code == 200, "it is at hand"
    finally:
        for other in others:
            turns.release(other)


def test_what_was_not_read_of_a_tree_is_said_at_its_end():
    unopened = replace(entity("wave:far"), child_ids=("cluster:a",))
    later = replace(entity("wave:new"), problem=Problem(ProblemCode.NOT_READ, "It comes with the next look."))
    release = release_of(entity("release:r", "", unopened, later))
    end, rows = written(
        tree_table(HierarchyPage.of(Snapshot(release, STARTED, "v", stale=True, reason=RENEWAL_BEHIND)))
    )
    assert (end["rows"], end["whole"], end["stale"], end["reason"]["code"]) == (3, False, True, "behind")
    assert end["missing"] == [
        "Rows yet to be loaded: 1. Try again",
        "Rows whose contents were not loaded: 1. Request them with open= and their IDs",
    ]
    assert {row["stale"] for row in rows} == {"true"}
    assert [row["problem"] for row in rows if row["type"] == "gap"] == [
        f"Out of date: {RENEWAL_BEHIND.message}",
        *end["missing"],
    ]
    assert [row["problem_code"] for row in rows if row["id"] == "wave:new"] == ["not_read_yet"]


def test_a_release_that_says_nothing_is_a_row_and_a_gap():
    silent = replace(entity("release:r"), problem=Problem(ProblemCode.QUERY_FAILED, "It did not answer."))
    end, rows = written(tree_table(HierarchyPage.of(Snapshot(release_of(silent), STARTED, "v"))))
    assert end["missing"] == ["It did not answer."]
    assert [(row["type"], row["problem"]) for row in rows] == [
        ("release", "It did not answer."),
        ("gap", "It did not answer."),
    ]


def test_no_problem_found_is_not_told_as_none_where_not_all_was_looked_at():
    seen = ProblemSummary((), total=90, listed=50, relevant=40, read=30, partly=2, unanswered=3)
    end, rows = written(problems_table(Snapshot(seen, STARTED, "v"), ProblemFilter()))
    assert (end["rows"], end["whole"], len(end["missing"])) == (0, False, 4)
    assert [row["problem"] for row in rows] == end["missing"]
    assert end["missing"][0] == "Releases older than the newest 50, not checked: 40"


def test_nothing_of_a_rollouts_making_is_a_formula_or_a_line_of_its_own():
    names = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "\n@x", "\uff1d1", "a\nb,c\"d'"]
    waves = [replace(entity(f"wave:w{at}"), name=name, error=name, version=name) for at, name in enumerate(names)]
    table = tree_table(HierarchyPage.of(Snapshot(release_of(entity("release:r", "", *waves)), STARTED, "v")))
    rows = read(b"".join(csv_table_lines(table, iter(table.pieces))))
    found = [(row["name"], row["error"]) for row in rows[1:]]
    assert found[:-1] == [(f"'{name}", f"'{name}") for name in names[:-1]]
    assert found[-1] == (names[-1], names[-1])
    assert len(b"".join(ndjson_lines(table, iter(table.pieces))).splitlines()) == len(names) + 2


@pytest.mark.parametrize(
    "address",
    [
        "/releases",
        "/releases?phase=failed&since=7d&q=release:",
        "/releases?starred=1",
        "/problems",
        "/problems?q=pricing",
        "/releases/{}",
        "/releases/{}?phase=failed&sort=worst&changed=7d",
        "/releases/{}/hierarchy?q=pricing&depth=4",
    ],
)
def test_a_page_offers_what_it_shows_as_files(viewer: FlaskClient, rollouts: Rollouts, address: str):
    address = address.format(rollouts.failed)
    page = BeautifulSoup(viewer.get(address).text, "html.parser")
    links = {
        str(link["href"]).partition("format=")[2].partition("&")[0]: str(link["href"])
        for link in page.select(".downloads a[download]")
    }
    assert set(links) == {"csv", "ndjson"}
    items, end = lines(viewer, links["ndjson"])
    rows = cells(viewer, links["csv"])
    shown = {str(row["data-entity-id"]) for row in page.select("main .live [data-entity-id]")}
    assert shown <= {item["id"] for item in items}
    assert end["rows"] == len([row for row in rows if row["type"] != "gap"])
    if "q=pricing" in address:
        assert len(items) < 10, "the filter holds for the file as well"
