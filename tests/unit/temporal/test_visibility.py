import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dashboard.domain.filters import ReleaseFilter
from dashboard.temporal.excluded_runs import ExcludedRuns, RunSpan
from dashboard.temporal.visibility import (
    count_query,
    list_query,
    representable_prefix,
    string_literal,
    time_literal,
)

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
BASE = "WorkflowType = 'ReleaseWorkflow'"
LAST_RUNS = "ExecutionStatus != 'ContinuedAsNew'"
TOKEN = re.compile(r"'((?:[^'\\]|\\.)*)'", re.DOTALL)


def asked(q: str = "", phase: str = "", since: str = "", until: str = "") -> ReleaseFilter:
    return ReleaseFilter.parse(q, [phase], since, until)


def read_back(text: str) -> str:
    """What the visibility language takes a literal for, if it is exactly one."""
    token = TOKEN.fullmatch(text)
    assert token, text
    return re.sub(r"\\(.)", r"\1", token[1], flags=re.DOTALL)


@given(st.text(alphabet=st.one_of(st.sampled_from("'\"\\%_()"), st.characters())))
@example("' OR WorkflowId STARTS_WITH '")
@example("\\' OR 1=1 OR WorkflowId = \\'")
@example("''")
@example("\\")
def test_a_literal_is_read_back_as_it_was_whatever_it_holds(text: str):
    assert read_back(string_literal(text)) == text


@given(
    st.text(alphabet=st.one_of(st.sampled_from("'\"\\ab"), st.characters(exclude_categories=["Cc", "Cs"])), max_size=99)
)
def test_a_search_text_never_leaves_its_literals(text: str):
    query = list_query(BASE, asked(text), NOW)
    bones = TOKEN.sub("?", query).removeprefix("(WorkflowType = ?)").removesuffix(" AND ExecutionStatus != ?")
    assert bones in {
        "",
        " AND WorkflowId STARTS_WITH ?",
        " AND (WorkflowId STARTS_WITH ? OR (WorkflowId STARTS_WITH ? AND WorkflowId NOT STARTS_WITH ?))",
    }


@given(st.text(alphabet="ab'\"\\"))
def test_what_is_sayable_is_the_beginning_of_a_text_without_what_the_server_changes(text: str):
    said = representable_prefix(text)
    assert text.startswith(said)
    assert not set(said) & {'"', "\\"}
    assert said == said.strip("'")


def test_without_a_filter_it_is_the_deployments_own_query_but_for_runs_that_another_continues():
    assert list_query(BASE, asked(), NOW) == f"({BASE}) AND {LAST_RUNS}"
    assert count_query(BASE, asked(), NOW) == f"({BASE}) GROUP BY ExecutionStatus"
    assert (list_query("", asked(), NOW), count_query("", asked(), NOW)) == (LAST_RUNS, "GROUP BY ExecutionStatus")


def test_the_deployments_query_stays_one_condition():
    query = list_query("WorkflowType = 'A' OR WorkflowType = 'B'", asked("release:x"), NOW)
    assert query == f"(WorkflowType = 'A' OR WorkflowType = 'B') AND WorkflowId STARTS_WITH 'release:x' AND {LAST_RUNS}"


def test_an_id_without_its_prefix_is_looked_for_in_both_forms():
    assert list_query("", asked("x"), NOW) == (
        "(WorkflowId STARTS_WITH 'release:x' OR (WorkflowId STARTS_WITH 'x' AND WorkflowId NOT STARTS_WITH 'release:'))"
        f" AND {LAST_RUNS}"
    )


def test_phases_are_looked_for_by_status_and_counted_whatever_they_are():
    wanted = asked(phase="running,cancelled,timed_out")
    statuses = "'Running', 'Canceled', 'TimedOut'"
    assert list_query("", wanted, NOW) == f"ExecutionStatus IN ({statuses})"
    assert count_query("", wanted, NOW) == "GROUP BY ExecutionStatus"


@pytest.mark.parametrize("since", ["7d", "2026-06-08T12:00:00Z", "2026-06-08T14:00:00+02:00"])
def test_since_is_part_of_what_is_meant_and_until_is_not(since: str):
    query = list_query("", asked(since=since, until="2026-06-15"), NOW)
    times = "StartTime >= '2026-06-08T12:00:00.000000Z' AND StartTime < '2026-06-15T00:00:00.000000Z'"
    assert query == f"{times} AND {LAST_RUNS}"


def test_runs_that_others_stand_for_are_not_asked_for_again_and_what_begins_later_is():
    begin = NOW - timedelta(days=1)
    spans = RunSpan("release:cron", "first", begin, NOW), RunSpan("release:other", "of another", None, NOW)
    left_out = ExcludedRuns(
        {span.first_run_id: span for span in spans}, {"run-1": "release:cron", "run-2": "release:x"}
    )
    query = list_query("", asked("release:cron"), NOW, left_out)
    outside = f"StartTime > {time_literal(NOW)} OR StartTime < {time_literal(begin)}"
    assert f"(WorkflowId != 'release:cron' OR {outside})" in query
    assert "release:other" not in query, "what the search cannot find need not be left out"
    assert "RunId != 'run-1'" in query
    assert "run-2" not in query
    assert "WorkflowId != 'release:cron'" in count_query("", asked("release:cron"), NOW, left_out)
