"""Whatever a rollout answers, there is a page with nothing of the rollout's making in it, and valid JSON."""

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask import Flask, render_template
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dashboard.domain.reconcile import reconcile, unreported_release
from dashboard.domain.snapshot import Snapshot, utc_now
from dashboard.temporal.decode import UndecodableResult, decode_release
from dashboard.views.exports.tables import tree_table
from dashboard.views.release.page import HierarchyPage, ReleasePage
from dashboard.web.export.response import csv_table_lines, ndjson_lines
from tests.support.harness import dashboard_for, shut
from tests.support.rollout_makers import execution

EVIL = [
    "<x-evil>",
    '"><x-evil onclick=x>',
    "' x-evil='",
    "</details></li><x-evil>",
    "{{ x_evil }}",
    "javascript:x",
    "\ud800",
    "\0",
    "]]>",
]
TEXTS = st.sampled_from(EVIL) | st.text(max_size=8)
KEYS = st.sampled_from(
    ["id", "state", "name", "waves", "wave_ids", "clusters", "cluster_ids", "bundle", "apps", "error_message", *EVIL]
)
ANSWERS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | st.sampled_from(["wave:a", "cluster:a", "app:a"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=25,
)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    app = dashboard_for("127.0.0.1:1", tmp_path_factory.mktemp("any"), "WorkflowType = 'x'")
    yield app
    shut(app)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(answer=ANSWERS)
def test_any_answer_gives_a_page_of_our_own_elements_and_valid_json(app: Flask, answer: Any):
    try:
        release = reconcile(execution(), decode_release(answer, "release:r", whole=True))
    except UndecodableResult as exc:
        release = unreported_release(execution(), exc.problem)
    snapshot = Snapshot(release, utc_now(), "v")
    for page in (ReleasePage.of(snapshot), HierarchyPage.of(snapshot)):
        json.loads(page.model_dump_json(), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
        with app.test_request_context("/releases/release:r"):
            html = BeautifulSoup(render_template(page.fragment, page=page), "html.parser")
        assert html.find("x-evil") is None
        assert html.select("[x-evil], [onclick], [href^='javascript:']") == []
    table = tree_table(HierarchyPage.of(snapshot))
    rows = list(
        csv.DictReader(io.StringIO(b"".join(csv_table_lines(table, iter(table.pieces))).decode("utf-8-sig"), ""))
    )
    assert not [cell for row in rows for cell in row.values() if cell.lstrip().startswith(("=", "+", "-", "@"))]
    *lines, last = b"".join(ndjson_lines(table, iter(table.pieces))).splitlines()
    assert json.loads(last)["end"]["rows"] == len(lines) == sum(row["type"] != "gap" for row in rows)
    assert [json.loads(line)["id"] for line in lines] == [row["id"].removeprefix("'") for row in rows[: len(lines)]]
