from datetime import timedelta

from dashboard.domain.entities import Status
from dashboard.domain.kiosk import kiosk_rotation
from dashboard.domain.snapshot import Snapshot
from dashboard.views.kiosk.page import KioskPage, KioskRotationView
from tests.support.rollout_makers import STARTED
from tests.unit.domain.test_overview import NOW, listing, names, release

MOVES, WAITS, BROKE = release("moves", "in_progress"), release("waits", "awaiting_approval"), release("broke", "failed")


def test_what_needs_somebody_has_its_turn_before_what_waits_and_what_moves():
    found = kiosk_rotation(listing([MOVES, WAITS, BROKE]), NOW)
    assert names(found.releases) == ["broke", "waits", "moves"]
    assert found.whole


def test_what_failed_within_a_day_has_its_turn_and_what_ended_well_or_long_ago_has_none():
    ended = [
        release("late", "failed", Status.FAILED, hours_ago=23),
        release("well", "completed", Status.COMPLETED, hours_ago=1),
        release("old", "failed", Status.FAILED, hours_ago=25),
    ]
    found = kiosk_rotation(listing(ended), NOW)
    assert names(found.releases) == ["late"]
    assert names(found.ended) == ["late", "well", "old"]


def test_a_release_of_any_id_has_its_turn():
    found = kiosk_rotation(listing([MOVES, release("odd id", "in_progress")]), NOW)
    assert names(found.releases) == ["moves", "odd id"]


def test_a_list_that_goes_on_with_what_runs_is_not_the_whole():
    assert not kiosk_rotation(listing([MOVES, WAITS], total=90), NOW).whole


def test_after_the_last_the_first_has_its_turn_and_one_that_left_gives_it_to_the_first():
    found = kiosk_rotation(listing([MOVES, WAITS, BROKE]), NOW)
    views = [KioskRotationView.of(found, shown, 12) for shown in ("release:broke", "release:waits", "release:moves")]
    assert [(view.place, view.next_id) for view in views] == [
        (1, "release:waits"),
        (2, "release:moves"),
        (3, "release:broke"),
    ]
    assert found.place_of("release:gone") == 0


def test_one_alone_stays():
    view = KioskRotationView.of(kiosk_rotation(listing([MOVES]), NOW), "release:moves", 12)
    assert view.next_id is None
    page = KioskPage.of(Snapshot(MOVES, NOW, "v"), MOVES, view, {})
    assert page.next is None
    assert page.title == "moves: running"


def test_the_next_address_keeps_what_was_asked_for():
    view = KioskRotationView.of(kiosk_rotation(listing([MOVES, BROKE]), NOW), "release:broke", 20)
    page = KioskPage.of(Snapshot(BROKE, NOW, "v"), BROKE, view, {"q": "m", "every": "20"})
    assert page.next == {"q": "m", "every": "20", "show": "release:moves"}
    assert page.narrowed == (("q", "m"),)


def test_all_that_changes_on_the_screen_changes_what_tells_its_versions_apart():
    def frame(moment: timedelta = timedelta(), *releases) -> tuple[object, ...]:
        found = kiosk_rotation(listing(releases or [MOVES, BROKE]), NOW)
        view = KioskRotationView.of(found, "release:moves", 12)
        return KioskPage.of(Snapshot(MOVES, STARTED + moment, "v"), MOVES, view, {}).frame

    assert frame() == frame(timedelta(seconds=5)), "the moment alone is no change"
    assert frame() != frame(timedelta(), MOVES), "another has left"
    assert frame() != frame(timedelta(), MOVES, release("broke", "timed_out")), "another has changed"
