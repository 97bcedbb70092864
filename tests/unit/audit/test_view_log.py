"""Looks at releases: which is a new one, and that each is written down once, or again if it could not be."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from dashboard.audit.viewed_releases import OPEN_PAGE_TTL_SECONDS, VIEW_TTL_SECONDS, ViewLog

KEY = ("rita", "release:r", "page")


class World:
    """What was written down, at a time that the test tells."""

    def __init__(self, keep: int = 100) -> None:
        self.now = 1_000.0
        self.written: list[tuple[str, ...]] = []
        self.looks = ViewLog(lambda: self.now, keep)

    def look(self, key: tuple[str, ...] = KEY, *, open_page: bool = False) -> int:
        """How many have been written down after this."""
        self.looks.note(key, lambda: self.written.append(key), open_page=open_page)
        return len(self.written)


def test_the_same_user_release_and_way_are_one_look_for_five_minutes():
    world = World()
    assert [world.look() for _ in range(3)] == [1, 1, 1]
    world.now += VIEW_TTL_SECONDS - 1
    assert world.look() == 1
    world.now += 1
    assert [world.look(), world.look()] == [2, 2]


@pytest.mark.parametrize(
    "other", [("bob", "release:r", "page"), ("rita", "release:x", "page"), ("rita", "release:r", "api")]
)
def test_another_user_release_or_way_is_another_look(other: tuple[str, ...]):
    world = World()
    assert [world.look(), world.look(other), world.look()] == [1, 2, 2]


def test_what_an_open_page_asks_for_belongs_to_the_look_with_which_it_was_opened():
    world = World()
    assert world.look() == 1
    world.now += OPEN_PAGE_TTL_SECONDS - 1
    assert world.look(open_page=True) == 1
    assert world.look() == 2, "opened anew"


def test_who_only_claims_to_have_a_page_open_is_written_down():
    world = World()
    assert [world.look(open_page=True), world.look(open_page=True)] == [1, 1]


def test_what_could_not_be_written_down_is_tried_again():
    world = World()

    def fail() -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        world.looks.note(KEY, fail)
    assert world.look() == 1


def test_what_is_remembered_is_bounded_and_what_is_forgotten_is_written_down_again():
    world = World(keep=2)
    keys = [("rita", f"release:{number}", "page") for number in range(3)]
    for key in keys:
        world.look(key)
    assert world.look(keys[0]) == 4


def test_of_many_at_once_one_writes_and_the_others_wait_until_it_has():
    world, ready = World(), Barrier(16)
    seen = []

    def ask(_number: int) -> None:
        ready.wait(30)
        world.look()
        seen.append(len(world.written))

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(ask, range(16)))
    assert world.written == [KEY]
    assert seen == [1] * 16
