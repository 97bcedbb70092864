"""An id without the release's own part is the same in every release that names its entities in the same way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.domain.stable_ids import id_in_release, ids_in_release, stable_id

RELEASE = "release:rel-7"


@pytest.mark.parametrize(
    "entity_id",
    [
        "app:shop-rel-7",
        "app:shop/rel-7",
        "app:shop.rel-7",
        "app:shop_rel-7",
        "app:shop@release:rel-7",
        "app:shop:rel-7",
        "app:rel-7/shop",
        "app:rel-7-shop",
        "rel-7/app:shop",
        "rel-7:app:shop",
        "release:rel-7/app:shop",
        "app:shop",
    ],
)
def test_wherever_the_part_stands_the_rest_is_the_same(entity_id: str):
    assert stable_id(entity_id, RELEASE) == "app:shop"


def test_a_part_in_the_middle_leaves_what_is_around_it_apart():
    assert stable_id("app:shop-rel-7/attempt-2", RELEASE) == "app:shop/attempt-2"
    assert stable_id("cluster:eu/rel-7/c1", RELEASE) == "cluster:eu/c1"


@pytest.mark.parametrize(
    "entity_id", ["app:shop-rel-70", "app:shoprel-7", "app:rel-7", "wave:release:rel-7", "app:shop-rel-8"]
)
def test_what_is_not_the_releases_own_part_stays(entity_id: str):
    assert stable_id(entity_id, RELEASE) == entity_id


def test_a_small_number_counts_only_beside_a_sign_that_names_do_not_have():
    assert stable_id("cluster:eu-1", "release:1") == "cluster:eu-1"
    assert stable_id("cluster:eu/1", "release:1") == "cluster:eu"


def test_a_release_without_a_type_is_named_by_its_whole_id():
    assert stable_id("app:shop/checkout 2026", "checkout 2026") == "app:shop"


def test_another_release_names_the_entity_in_the_same_way():
    assert id_in_release("app:shop-rel-7", RELEASE, "release:rel-8") == "app:shop-rel-8"
    assert id_in_release("rel-7/app:rel-7x", RELEASE, "release:rel-8") == "rel-8/app:rel-7x"
    assert id_in_release("app:shop", RELEASE, "release:rel-8") == "app:shop"


@given(
    name=st.from_regex(r"[a-z]{1,8}(-[0-9]{1,3})?", fullmatch=True), release=st.sampled_from(["release:v7", RELEASE])
)
def test_every_form_that_is_looked_for_leads_back_to_the_plain_id(name: str, release: str):
    plain = f"app:{name}"
    if stable_id(plain, release) == plain:
        assert {stable_id(each, release) for each in ids_in_release(plain, release)} == {plain}
