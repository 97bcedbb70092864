from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.domain.entities import Status
from dashboard.domain.filters import Cursor, MalformedFilter, PageRequest, ReleaseFilter
from dashboard.domain.phases import Phase

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)


def parsed(q: str = "", phase: str = "", since: str = "", until: str = "") -> ReleaseFilter:
    return ReleaseFilter.parse(q, [phase], since, until)


def test_nothing_asked_for_is_every_release():
    assert parsed() == ReleaseFilter()
    assert parsed().matches("release:a")
    assert parsed().matches("no proper id")
    assert parsed().statuses == ()


@pytest.mark.parametrize("q", ["release:shop-1.4", "shop-1.4", "shop", " shop ", "SHOP", "release:SHOP", "release:"])
def test_a_release_is_found_by_the_beginning_of_its_id_with_or_without_the_prefix(q: str):
    assert parsed(q).matches("release:shop-1.4")


@pytest.mark.parametrize("q", ["hop", "release:hop", "1.4", "rel", "shop-1.4x", "release:release:shop"])
def test_it_is_not_found_by_what_stands_elsewhere_in_its_id(q: str):
    assert not parsed(q).matches("release:shop-1.4")


def test_letters_beyond_ascii_are_told_apart_by_case_as_the_store_does():
    assert parsed("größe").matches("release:größe")
    assert not parsed("GRÖSSE").matches("release:größe")
    assert not parsed("relea\N{LATIN SMALL LETTER LONG S}e:a").matches("release:a")


@given(st.text())
def test_any_text_is_taken_or_refused_with_a_reason(text: str):
    refusals = []
    for name in ("q", "phase", "since", "until"):
        try:
            parsed(**{name: text})
        except MalformedFilter as exc:
            refusals.append((exc.field == name, exc.reason.partition(" ")[0]))
    assert set(refusals) <= {(True, "must")}


@pytest.mark.parametrize("q", ["a\0b", "a\nb", "a\x7fb", "a\ud800b", "x" * 1001, "release:" + "x" * 1000])
def test_a_search_text_that_no_id_can_begin_with_is_refused(q: str):
    with pytest.raises(MalformedFilter) as refused:
        parsed(q)
    assert refused.value.field == "q"


def test_the_longest_id_can_be_searched_for():
    longest = "release:" + "x" * 255
    assert parsed(longest).matches(longest)


def test_phases_are_repeated_or_parted_by_commas_and_come_in_one_order():
    assert ReleaseFilter.parse("", ["failed, running", "failed"], "", "").phases == (Phase.RUNNING, Phase.FAILED)


@pytest.mark.parametrize("word", ["pending", "unknown"])
def test_a_phase_that_only_the_rollout_knows_is_refused_and_told_why(word: str):
    with pytest.raises(
        MalformedFilter, match=f"must be one of running, .*, timed_out. Temporal cannot search for {word}"
    ):
        parsed(phase=word)


def test_a_word_that_is_no_phase_is_refused():
    with pytest.raises(
        MalformedFilter, match=r"must be one of running, paused, succeeded, failed, cancelled, terminated, timed_out$"
    ):
        parsed(phase="running,exploded")


def test_phases_stand_for_statuses():
    assert parsed(phase="running").statuses == (Status.RUNNING,), "a run that continued as new is not a release"
    assert parsed(phase="cancelled,timed_out").statuses == (Status.CANCELED, Status.TIMED_OUT)
    counts = {Status.RUNNING: 3, Status.FAILED: 2, Status.COMPLETED: 1}
    assert (parsed().total_of(counts), parsed(phase="failed,running").total_of(counts)) == (6, 5)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-01-31T09:30", datetime(2026, 1, 31, 9, 30, tzinfo=UTC)),
        ("2026-01-31T09:30:00Z", datetime(2026, 1, 31, 9, 30, tzinfo=UTC)),
        ("2026-01-31T09:30:00+02:00", datetime(2026, 1, 31, 7, 30, tzinfo=UTC)),
        ("90m", NOW - timedelta(minutes=90)),
        ("24h", NOW - timedelta(hours=24)),
        ("7d", NOW - timedelta(days=7)),
        ("2w", NOW - timedelta(weeks=2)),
    ],
)
def test_times_are_dates_moments_or_so_long_ago(text: str, meant: datetime):
    since, until = parsed(since=text).since, parsed(until=text).until
    assert since == until
    assert since is not None
    assert since.at(NOW) == meant


@pytest.mark.parametrize(
    "text",
    [
        "yesterday",
        "7",
        "7y",
        "d",
        "-7d",
        "99999d",
        "\N{ARABIC-INDIC DIGIT SEVEN}d",
        "2026-02-30",
        "0001-01-01T00:00+14:00",
        "1969-12-31",
    ],
)
def test_what_is_no_time_is_refused(text: str):
    with pytest.raises(MalformedFilter, match=r"since: must be a date or time such as .* or 24h or 7d"):
        parsed(since=text)


def test_a_page_knows_how_many_stand_before_it():
    assert PageRequest().offset == 0
    assert PageRequest(20, 3).offset == 40
    assert PageRequest(20, cursor=Cursor(b"token", 12_345)).offset == 12_345
