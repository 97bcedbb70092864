"""The list's filters, counts and pages on the real server."""

from collections import Counter
from urllib.parse import quote, urlencode

import pytest
from bs4 import BeautifulSoup
from hypothesis import example, given, settings
from hypothesis import strategies as st
from temporalio.client import Client as Connected

from dashboard.domain.entities import Status
from dashboard.domain.filters import MAX_OFFSET, MalformedFilter, PageRequest, ReleaseFilter
from dashboard.temporal.client import NamespaceClient
from dashboard.temporal.deadline import Deadline
from dashboard.temporal.visibility import Visibility, VisibilityPage
from tests.support.harness import Stage
from tests.support.rollout_makers import hierarchy
from tests.support.waiting import eventually

STATE = {key: value for key, value in hierarchy().items() if key != "waves"}
AWKWARD = [
    "a",
    "ab",
    "a'b",
    "a''b",
    "a'",
    'a"b',
    'a"',
    "a\\b",
    "a\\'b",
    "a%b",
    "a_b",
    "axb",
    "a(b)",
    "größe",
    "日本",
    "A",
]


def started(stage: Stage, *names: str) -> list[str]:
    """Releases that only Temporal knows anything of, once visibility has them."""
    ids = [stage.start(name, {"get_release_state": STATE}) for name in names]
    stage.listed(*names)
    return ids


def found(stage: Stage, wanted: ReleaseFilter, page_size: int = 100) -> VisibilityPage:
    """What visibility finds for a filter."""

    async def look(connected: Connected) -> VisibilityPage:
        visibility = Visibility(f"WorkflowId STARTS_WITH '{stage.prefix}' OR WorkflowId = 'never'")
        return await visibility.page(
            NamespaceClient(connected), PageRequest(page_size, filter=wanted), None, Deadline.of(10)
        )

    return stage.run(look)


def ids(answer: dict) -> list[str]:
    return [item["id"] for item in answer["items"]]


def test_any_search_text_finds_what_the_same_filter_finds_in_python(stage: Stage):
    known = started(stage, *AWKWARD)
    name = stage.prefix.removeprefix("release:")
    tails = st.one_of(st.sampled_from(AWKWARD), st.text(alphabet="aAbx'\"\\%_()`ß日 ", max_size=4), st.text(max_size=3))
    heads = st.sampled_from([f"{stage.prefix}-", f"{name}-", "", "release:", "'"])

    @settings(max_examples=60, deadline=None, database=None)
    @given(heads, tails)
    @example(f"{name}-", "a' OR WorkflowId STARTS_WITH 'release:")
    @example(f"{name}-", "a\\' OR WorkflowId STARTS_WITH \\'release:")
    def check(head: str, tail: str) -> None:
        try:
            wanted = ReleaseFilter.parse(head + tail, [], "", "")
        except MalformedFilter:
            return
        expected = sorted(release_id for release_id in known if wanted.matches(release_id))
        assert sorted(run.workflow_id for run in found(stage, wanted).runs) == expected
        assert sum(found(stage, wanted, page_size=1).counts.values()) == len(expected)

    check()


def test_a_text_that_the_language_cannot_carry_is_paged_and_counted_too(stage: Stage):
    a, b, c = started(stage, 'q"1', 'q"2', 'q"3')
    started(stage, "q1")
    stage.on(b, lambda handle: handle.terminate())
    q = quote(f'{stage.prefix}-q"')
    eventually(lambda: stage.json(f"/releases?q={q}")["counts"].get("terminated"))
    answer = stage.json(f"/releases?q={q}")
    assert (ids(answer), answer["total"], answer["next"]) == ([c, a, b], 3, None)
    assert ids(stage.json(f"/releases?q={q}&page_size=2&page=2")) == [b]
    ended = stage.json(f"/releases?q={q}&phase=terminated")
    assert (ids(ended), ended["total"], ended["counts"]) == ([b], 1, {"running": 2, "terminated": 1})


def test_such_a_text_is_refused_where_too_many_begin_like_it(stage: Stage, monkeypatch: pytest.MonkeyPatch):
    started(stage, "w1", "w2")
    assert MAX_OFFSET == 1_000
    monkeypatch.setattr("dashboard.temporal.visibility.MAX_OFFSET", 1)
    error = stage.json(f"/releases?q={quote(stage.prefix)}%22", 422)["error"]
    assert error["fields"][0]["field"] == "q"
    assert "quotation marks" in error["message"]


def test_phases_are_filtered_by_status_and_counted_whatever_is_chosen(stage: Stage):
    running, failed, done, stopped = started(stage, "running", "failed", "done", "stopped")
    stage.end(failed, "the database said no")
    stage.end(done, "well")
    stage.on(stopped, lambda handle: handle.terminate())
    expected = {"running": 1, "failed": 1, "succeeded": 1, "terminated": 1}
    eventually(lambda: stage.json("/releases?phase=failed&page_size=99")["counts"] == expected)
    for phases, wanted in {
        "phase=failed": {failed},
        "phase=running": {running},
        "phase=succeeded,terminated": {done, stopped},
        "phase=succeeded&phase=terminated": {done, stopped},
        "phase=cancelled": set(),
    }.items():
        answer = stage.json(f"/releases?{phases}")
        assert (set(ids(answer)), answer["total"]) == (wanted, len(wanted)), phases
        assert answer["counts"] == expected
        assert answer["counted_at"] <= answer["as_of"]


def test_starts_are_filtered_and_the_counts_with_them(stage: Stage):
    first, second = started(stage, "first", "second")
    middle = stage.listed("second")["second"]["started_at"]
    since, until = stage.json(f"/releases?since={middle}"), stage.json(f"/releases?until={middle}")
    assert (ids(since), since["total"], since["counts"]) == ([second], 1, {"running": 1})
    assert (ids(until), until["total"], until["counts"]) == ([first], 1, {"running": 1})
    assert ids(stage.json("/releases?since=1h")) == [second, first]
    assert ids(stage.json("/releases?until=1h")) == []


def test_what_runs_stands_first_by_its_start_and_then_what_has_ended_by_its_end(stage: Stage):
    a, b, c, d = started(stage, "a", "b", "c", "d")
    stage.end(c, "well")
    stage.end(a, "well")
    eventually(lambda: stage.json("/releases")["counts"].get("succeeded") == 2)
    assert ids(stage.json("/releases")) == [d, b, a, c]


def test_a_walk_by_cursor_sees_every_release_once_and_asks_for_one_page_each_time(stage: Stage):
    names = [f"n{number:02}" for number in range(25)]
    known = started(stage, *names)
    for release_id in known[::4]:
        stage.on(release_id, lambda handle: handle.terminate())
    expected = {"running": 18, "terminated": 7}
    eventually(lambda: stage.json("/releases?page_size=100")["counts"] == expected)
    whole = ids(stage.json("/releases?page_size=100"))
    seen, query = [], {"page_size": "4", "q": stage.prefix}
    for number in range(20):
        answer = stage.json(f"/releases?{urlencode(query)}")
        assert (answer["page"], answer["total"]) == (number + 1, 25)
        seen += ids(answer)
        if answer["next"] is None:
            break
        query["cursor"] = answer["next"]
    assert seen == whole
    assert Counter(seen) == Counter(known)


def test_beyond_what_numbers_reach_the_links_carry_cursors(stage: Stage, monkeypatch: pytest.MonkeyPatch):
    started(stage, *(f"n{number}" for number in range(7)))
    monkeypatch.setattr("dashboard.views.releases.page.MAX_OFFSET", 4)

    def links(path: str) -> dict[str, str]:
        page = BeautifulSoup(stage.ask(path).text, "html.parser")
        return {link.get_text(): str(link["href"]) for link in page.select("nav.pages a")}

    first = links("/releases?page_size=2")
    assert first == {"Next": "/releases?page_size=2&page=2"}
    second = links(first["Next"])
    assert second["Previous"] == "/releases?page_size=2&page=1"
    assert "cursor=" in second["Next"]
    third = stage.ask(second["Next"]).text
    assert "5 to 6 of 7" in third
    assert 'start="5"' in third
    fourth = links(second["Next"])
    assert fourth["Previous"] == "/releases?page_size=2&page=2"
    assert "7 to 7 of 7" in stage.ask(fourth["Next"]).text
    assert links(fourth["Next"]) == {"First page": "/releases?page_size=2"}


def test_a_cursor_belongs_to_its_filter_and_cannot_be_made_up(stage: Stage):
    started(stage, "a", "b", "c")
    cursor = stage.json("/releases?page_size=2")["next"]
    assert len(stage.json(f"/releases?cursor={cursor}")["items"]) == 1
    for wrong in (
        f"cursor={cursor}&phase=running",
        f"cursor={cursor}&page=2",
        f"cursor={cursor[:-1]}",
        f"cursor=A{cursor}",
        "cursor=",
        "cursor=.",
        "cursor=%C3%A9.%00",
    ):
        assert stage.json(f"/releases?{wrong}", 422)["error"]["code"] == "invalid_parameter", wrong


def test_a_page_that_is_the_whole_list_is_counted_by_its_rows(stage: Stage):
    started(stage, "a")
    assert stage.json("/releases?page_size=50")["total"] == 1
    stage.start("b", {"get_release_state": STATE})
    eventually(lambda: len(stage.json("/releases?page_size=50")["items"]) == 2)
    answer = stage.json("/releases?page_size=50")
    assert (answer["total"], answer["counts"]) == (2, {Status.RUNNING.lower(): 2})
