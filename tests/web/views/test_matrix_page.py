"""The matrix of a release as people see it, on the sample rollouts, and as a file."""

import csv
import io
from dataclasses import replace

import pytest
from bs4 import BeautifulSoup, Tag
from flask import Flask, render_template
from flask.testing import FlaskClient

from dashboard.domain.entities import Entity
from dashboard.domain.problems import Problem, ProblemCode
from dashboard.domain.snapshot import Snapshot
from dashboard.views.matrix.page import MAX_MATRIX_CELLS, MatrixPage, MatrixQuery
from dashboard.views.matrix.query import matrix_csv_rows
from dashboard.web.export.csv_writer import csv_text
from tests.conftest import Rollouts
from tests.support.rollout_makers import STARTED, entity
from tests.web.web.test_partial_updates import release_of


def words(tag: Tag) -> str:
    return " ".join(tag.get_text(" ").split())


def look(viewer: FlaskClient, address: str) -> BeautifulSoup:
    answer = viewer.get(address)
    assert answer.status_code == 200
    return BeautifulSoup(answer.text, "html.parser")


def lines(viewer: FlaskClient, address: str) -> list[dict[str, str]]:
    answer = viewer.get(address)
    assert answer.status_code == 200
    return list(csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig"), newline="")))


def test_it_works(viewer: FlaskClient, rollouts: Rollouts):
    page = look(viewer, f"/releases/{rollouts.thousand}/matrix")
    assert words(page.select_one("nav.tabs a[aria-current=page]")) == "Matrix"
    table = page.select_one("[role=region][tabindex='0'] table")
    assert table.caption is not None
    assert [len(row.select("td")) for row in table.select("tbody tr")] == [45] * 20
    assert all(row.th["scope"] == "row" for row in table.select("tbody tr"))
    assert sum(int(wave["colspan"]) for wave in table.select("th[scope=colgroup]")) == 45
    assert len(table.select("th[scope=col]")) == 1 + 45


def test_what_differs_is_marked_in_words_and_by_a_sign_and_nothing_else_is(viewer: FlaskClient, rollouts: Rollouts):
    page = look(viewer, f"/releases/{rollouts.thousand}/matrix?only=differing")
    assert [words(row.th).split()[0] for row in page.select("tbody tr")] == ["ledger", "media"]
    assert "2.7.0" in words(page.select_one("tbody th")), "the version that most have"
    marked = page.select("td.differs")
    assert len(marked) == 3
    assert all("≠" in words(cell) and "differs" in words(cell) for cell in marked)
    assert all("≠" not in words(cell) for cell in page.select("td:not(.differs)"))
    assert len(page.select("th[scope=col]")) == 1 + 3


def test_each_cell_leads_to_its_entity(viewer: FlaskClient, rollouts: Rollouts):
    cells = look(viewer, f"/releases/{rollouts.failed}/matrix").select("td[data-entity-id]")
    assert cells
    for cell in (cells[0], cells[-1]):
        there = look(viewer, str(cell.a["href"]))
        assert there.select_one(f'[data-entity-id="{cell["data-entity-id"]}"]') is not None


def test_only_broken_leaves_what_failed_and_counts_stay_those_of_all(viewer: FlaskClient, rollouts: Rollouts):
    whole, broken = (viewer.get(f"/api/releases/{rollouts.failed}/matrix{only}").json for only in ("", "?only=broken"))
    assert [row["name"] for row in broken["rows"]] == ["pricing"]
    assert [cluster["name"] for cluster in broken["clusters"]] == ["ap-southeast-2"]
    counts = ("cells", "broken", "differing", "apps", "clusters_total")
    assert [broken[name] for name in counts] == [whole[name] for name in counts]


def test_apps_that_are_workflows_of_their_own_are_one_app_across_clusters(viewer: FlaskClient, rollouts: Rollouts):
    names = [row["name"] for row in viewer.get(f"/api/releases/{rollouts.children}/matrix").json["rows"]]
    assert sorted(names) == ["notifications", "orders", "shipping"]


@pytest.mark.parametrize("asked", ["only=odd", "page=0", "q=%00", f"q={'x' * 256}"])
@pytest.mark.parametrize("address", ["/releases/release:x/matrix", "/releases/release:x/matrix.csv"])
def test_what_cannot_be_used_is_refused(viewer: FlaskClient, address: str, asked: str):
    assert viewer.get(f"{address}?{asked}").status_code == 422


def test_a_release_that_is_not_there_has_no_file(viewer: FlaskClient):
    assert viewer.get("/releases/release:never/matrix.csv").status_code == 404
    assert viewer.get(f"/releases/{'x' * 1001}/matrix.csv").status_code == 422


def test_the_file_has_a_line_for_each_cell(viewer: FlaskClient, rollouts: Rollouts):
    address = f"/releases/{rollouts.thousand}/matrix.csv"
    answer = viewer.get(address)
    assert answer.mimetype == "text/csv"
    assert answer.data.startswith(b"\xef\xbb\xbfapp,wave,cluster,version,version_runs,majority,differs,phase,state\r\n")
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="platform-2026-q4-matrix-20')
    told = lines(viewer, address)
    assert len(told) == 900
    assert sum(line["differs"] == "yes" for line in told) == 3
    assert {line["app"] for line in lines(viewer, f"{address}?q=ledger")} == {"ledger"}


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_cell_of_a_file_is_a_formula(text: str):
    (cell,) = list(csv.reader(io.StringIO(csv_text(["head"], [[text]]), newline="")))[1]
    assert cell == f"'{text}"


def test_a_file_carries_quotes_commas_and_breaks_as_they_came():
    given = ['a "b"', "c,d", "e\nf", "grün"]
    assert list(csv.reader(io.StringIO(csv_text(["h"], [given]), newline="")))[1] == given


def test_what_was_not_read_is_said_and_not_shown_as_absent(app: Flask):
    unopened = replace(entity("cluster:far"), child_ids=("bundle:far",))
    read = large(1, 1).children[0].children[0]
    root = entity("release:r", "", entity("wave:w", "", read, unopened, entity("cluster:new")))
    with app.test_request_context("/releases/release:r/matrix?open=cluster:a"):
        seen = MatrixPage.of(Snapshot(release_of(root), STARTED, "v"), MatrixQuery(opened=frozenset({"cluster:a"})))
        page = BeautifulSoup(render_template(seen.fragment, page=seen), "html.parser")
    assert seen.not_read == 1
    assert [words(cell) for cell in page.select("tbody td")][1:] == ["not loaded", "not in this cluster"]
    (link,) = page.select("thead small a")
    assert link["href"] == "/releases/release:r/matrix?open=cluster:a&open=cluster:far"
    assert "Incomplete data" in words(page.select_one(".notice"))


def test_what_is_not_the_latest_is_said(app: Flask):
    moved_on = Problem(ProblemCode.NOT_READ, "This wave is as of 14:02:00 UTC.")
    old, new = (large(1, 1).children[0] for _ in range(2))
    root = entity("release:r", "", replace(old, problem=moved_on), replace(new, id="wave:new"))
    with app.test_request_context("/releases/release:r/matrix"):
        seen = MatrixPage.of(Snapshot(release_of(root), STARTED, "v"), MatrixQuery())
        page = BeautifulSoup(render_template(seen.fragment, page=seen), "html.parser")
        table = list(matrix_csv_rows(release_of(root), MatrixQuery()))
    assert (seen.behind, seen.not_read) == (1, 0)
    assert [small["title"] for small in page.select("thead small[title]")] == [moved_on.message]
    assert "Partly out of date" in words(page.select_one(".notice.stale"))
    assert [line[-1] for line in table if not line[0]] == [f"out of date: {moved_on.message}"]


def test_the_file_of_a_release_that_says_nothing_says_so():
    silent = replace(entity("release:r"), problem=Problem(ProblemCode.QUERY_FAILED, "It did not answer."))
    ((*_, state),) = matrix_csv_rows(release_of(silent), MatrixQuery())
    assert state == "not loaded: It did not answer."


def large(clusters: int, apps: int, name: str = "a{app}") -> Entity:
    found = (
        entity(
            f"cluster:c{c}",
            "",
            entity(f"bundle:{c}", "", *(entity(f"app:{name.format(app=app, c=c)}", "deployed") for app in range(apps))),
        )
        for c in range(clusters)
    )
    return entity("release:r", "", entity("wave:w", "", *found))


@pytest.mark.parametrize(
    ("clusters", "apps", "name"), [(500, 23, "a{app}"), (40, 300, "a{app}"), (30, 100, "{c}-{app}")]
)
def test_the_pages_of_a_large_matrix_are_bounded_and_have_every_cell_once(clusters: int, apps: int, name: str):
    seen = Snapshot(release_of(large(clusters, apps, name)), STARTED, "v")
    first = MatrixPage.of(seen, MatrixQuery())
    pages = [MatrixPage.of(seen, MatrixQuery(page=number)) for number in range(1, first.pages + 1)]
    assert all(len(page.rows) * len(page.clusters) <= MAX_MATRIX_CELLS for page in pages)
    shown = [
        (cluster.id, cell.id)
        for page in pages
        for row in page.rows
        for cluster, cell in zip(page.clusters, row.cells, strict=True)
        if cell
    ]
    assert len(shown) == len(set(shown)) == clusters * apps == first.cells
    assert MatrixPage.of(seen, MatrixQuery(page=10_000)).page == first.pages
