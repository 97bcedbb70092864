"""The list's filters on the page: what they refuse, what the links keep, and what an empty list says."""

from urllib.parse import parse_qs, urlsplit

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient

from tests.conftest import Rollouts

REFUSED = {
    "phase=pending": ("phase", "only the rollout itself reports it"),
    "phase=failed,nonsense": ("phase", "must be one of running, paused, succeeded, failed"),
    "since=yesterday": ("since", "must be a date or time"),
    "until=2026-02-30": ("until", "must be a date or time"),
    "q=a%00b": ("q", "must not contain control characters"),
    "q=" + "x" * 1001: ("q", "at most 1,000 characters"),
    "cursor=made-up": ("cursor", "must be the value of next"),
    "cursor=x&page=2": ("page", "cannot be combined with cursor"),
    "page=51": ("page", "use cursor for the rest"),
}


def page_of(viewer: FlaskClient, path: str) -> BeautifulSoup:
    answer = viewer.get(path)
    assert answer.status_code == 200, answer.text
    return BeautifulSoup(answer.text, "html.parser")


def query_of(link) -> dict[str, list[str]]:
    assert urlsplit(link["href"]).path == "/releases"
    return parse_qs(urlsplit(link["href"]).query)


@pytest.mark.parametrize("query", REFUSED)
def test_a_wrong_value_is_refused_with_what_it_takes_and_asks_temporal_nothing(logged_in: FlaskClient, query: str):
    field, reason = REFUSED[query]
    twin, page = logged_in.get(f"/api/releases?{query}"), logged_in.get(f"/releases?{query}")
    assert (twin.status_code, page.status_code) == (422, 422)
    error = twin.get_json()["error"]
    assert (error["code"], error["fields"][0]["field"]) == ("invalid_parameter", field)
    assert reason in error["message"]
    assert reason in page.text


def test_links_keep_the_rest_of_the_filter(viewer: FlaskClient, rollouts: Rollouts):
    page = page_of(viewer, "/releases?q=release:&since=7d&phase=running&page_size=2")
    phases, starts = page.select("nav.segments")[::-1]
    kept = {"q": ["release:"], "page_size": ["2"]}
    assert query_of(phases.select_one("a.failed")) == kept | {"since": ["7d"], "phase": ["failed"]}
    assert query_of(phases.select_one("a")) == kept | {"since": ["7d"]}
    assert query_of(starts.select_one("a")) == kept | {"phase": ["running"]}
    assert [link.get_text() for link in starts.select("a[aria-current]")] == ["last 7 days"]
    assert [link["class"] for link in phases.select("a[aria-current]")] == [["running"]]
    assert query_of(page.select_one("a[rel=next]")) == kept | {"since": ["7d"], "phase": ["running"], "page": ["2"]}


def test_the_search_is_a_plain_form_that_keeps_the_rest(viewer: FlaskClient, rollouts: Rollouts):
    page = page_of(viewer, '/releases?q=a"b<&since=7d&phase=running,failed&page=3')
    form = page.select_one("main form[role=search]")
    assert (form["method"], form["action"]) == ("get", "/releases")
    fields = [(field["name"], field["value"]) for field in form.select("input")]
    assert sorted(fields) == [("phase", "failed"), ("phase", "running"), ("q", 'a"b<'), ("since", "7d")]


def test_counts_say_what_each_phase_would_give(viewer: FlaskClient, rollouts: Rollouts):
    twin = viewer.get("/api/releases?phase=failed").get_json()
    page = page_of(viewer, "/releases?phase=failed")
    for link in page.select("nav[aria-label^=Phase] a")[1:]:
        (phase,) = query_of(link)["phase"]
        count = int(link.select_one("b").get_text())
        assert count == twin["counts"].get(phase, 0)
        assert count == viewer.get(f"/api/releases?phase={phase}").get_json()["total"]
    assert twin["filter"] == {"q": "", "phase": ["failed"], "since": "", "until": ""}
    assert {item["id"] for item in twin["items"]} == {rollouts.failed}


def test_an_empty_list_says_what_was_asked_for_and_offers_all(viewer: FlaskClient, rollouts: Rollouts):
    page = page_of(viewer, "/releases?q=nowhere<b>&phase=failed,timed_out&since=7d&until=2026-01-01")
    said = " ".join(page.select_one(".empty").get_text(" ").split())
    for words in ("nowhere<b>", "failed or timed out", "started within the last 7d", "before 2026-01-01T00:00:00Z"):
        assert words in said
    assert page.select_one(".empty a")["href"] == "/releases"


def test_an_open_page_asks_for_what_it_shows(viewer: FlaskClient, rollouts: Rollouts):
    page = page_of(viewer, "/releases?phase=failed&q=release:")
    # In the order that all have who ask for the same.
    assert page.select_one("#live")["hx-get"] == "/releases?q=release:&phase=failed"
    assert page.select_one("#live form") is None, "what somebody types is not renewed under their hands"
