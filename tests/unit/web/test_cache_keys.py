"""Keys of several parts: two are the same only if all of their parts are, whatever stands in those."""

import pytest
from hypothesis import given, strategies

from dashboard.concurrency.weight import weight_of
from dashboard.domain.snapshot import version_hash
from dashboard.temporal.partial_result import content_digest
from dashboard.views.shared.html_ids import row_place_of_path
from dashboard.web.address import PageAddress
from dashboard.web.twins import PageKey

# Texts that joining would run together.
PARTS = strategies.lists(strategies.text("a\0\n :?&=#%'\",", max_size=4), min_size=1, max_size=3)


@given(one=PARTS, other=PARTS)
def test_keys_are_the_same_only_if_all_parts_are(one: list[str], other: list[str]):
    for key in (tag_of, path_of, lambda parts: content_digest(*parts), lambda parts: version_hash(*parts)):
        assert (key(one) == key(other)) is (one == other), key


def tag_of(parts: list[str]) -> str:
    query = tuple(("open", part) for part in parts)
    return PageKey(PageAddress("web.release", (("release_id", "r"),), query), "1", None).tag


def path_of(parts: list[str]) -> str:
    return row_place_of_path((part, 0) for part in parts)


@pytest.mark.parametrize("key", ["x" * 10_000, ("x" * 5_000, b"x" * 5_000), PageAddress("x", (("x", "x" * 10_000),))])
def test_a_key_weighs_what_it_holds(key: object):
    assert 10_000 < weight_of(key) < 10_700
