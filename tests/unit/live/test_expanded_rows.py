"""What viewers have opened lately: remembered for a while, and not without bound."""

from dashboard.live.expanded_rows import ExpandedRows


def test_what_was_wanted_is_forgotten_when_nobody_has_asked_for_it_again():
    now = [100.0]
    wanted = ExpandedRows(seconds=30, releases=2, ids=10, clock=lambda: now[0])
    wanted.note("release:r", ["wave:a", "wave:b"])
    now[0] = 120.0
    wanted.note("release:r", ["wave:b"])
    assert wanted.of("release:r") == {"wave:a", "wave:b"}
    now[0] = 140.0
    assert wanted.of("release:r") == {"wave:b"}
    assert wanted.of("release:other") == frozenset()


def test_a_release_of_which_nothing_is_wanted_takes_no_place():
    wanted = ExpandedRows(seconds=30, releases=1, ids=3)
    wanted.note("release:r", ["wave:a"])
    wanted.note("release:s", [])
    assert wanted.of("release:r") == {"wave:a"}


def test_of_too_many_the_latest_are_remembered():
    wanted = ExpandedRows(seconds=30, releases=2, ids=3)
    wanted.note("release:r", ["wave:a", "wave:b", "wave:c"])
    wanted.note("release:r", ["wave:a", "wave:d"])
    assert wanted.of("release:r") == {"wave:c", "wave:a", "wave:d"}
    wanted.note("release:s", ["wave:a"])
    wanted.note("release:t", ["wave:a"])
    assert wanted.of("release:r") == frozenset()


def test_releases_of_which_nothing_was_wanted_lately_leave_nothing_behind():
    now = [100.0]
    wanted = ExpandedRows(seconds=30, releases=9, ids=3, clock=lambda: now[0])
    for release in ("release:r", "release:s", "release:t"):
        wanted.note(release, ["wave:a"])
        now[0] += 10
    assert list(wanted._by_release) == ["release:s", "release:t"]


def test_long_ids_take_the_place_of_others():
    wanted = ExpandedRows(seconds=30, releases=2, ids=100, characters=1_000)
    wanted.note("release:r", [f"app:{number}{'x' * 400}" for number in range(50)])
    assert {each[:6] for each in wanted.of("release:r")} == {"app:48", "app:49"}
    wanted.note("release:r", ["x" * 1_001])
    assert {each[:6] for each in wanted.of("release:r")} == {"app:48", "app:49"}, "one that is too long takes none"
