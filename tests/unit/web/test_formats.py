from datetime import UTC, datetime, timedelta

import pytest

from dashboard.web.formats import clock, compact, duration, exceeds_line, first_line, iso, number, plural

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "says"),
    [
        (-5, "0 s"),
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min 00 s"),
        (163, "2 min 43 s"),
        (3599, "59 min 59 s"),
        (3600, "1 h 00 min"),
        (3840, "1 h 04 min"),
        (86399, "23 h 59 min"),
        (2 * 86400 + 3 * 3600, "2 d 3 h"),
    ],
)
def test_durations_have_the_two_units_that_matter(seconds: int, says: str):
    assert duration(NOON, NOON + timedelta(seconds=seconds)) == says


def test_numbers_counts_and_times():
    assert (number(1248), plural(1, "app"), plural(1200, "app")) == ("1,248", "1 app", "1,200 apps")
    assert iso(datetime(900, 1, 2, 3, 4, 5, 6, tzinfo=UTC)) == "0900-01-02T03:04:05Z"
    assert (iso(NOON), clock(NOON)) == ("2026-11-22T12:00:00Z", "22 Nov 12:00:00 UTC")


def test_a_line_is_the_first_one_cut_to_a_row():
    assert first_line("  one\ntwo") == "one"
    assert exceeds_line("one\ntwo")
    assert not exceeds_line("one")
    assert first_line("x" * 500).endswith("…")
    assert len(first_line("x" * 500)) == 160


def test_details_are_shown_as_they_came():
    assert (compact("größe"), compact({"a": [1, None]})) == ("größe", '{"a": [1, null]}')
