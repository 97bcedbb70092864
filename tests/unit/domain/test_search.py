"""Finding by name: what is found, in which order, and how much of it is given back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.domain.search import (
    MAX_SEARCH_RESULTS,
    NameIndex,
    SearchTerms,
    search_entities,
    search_releases,
)
from tests.support.rollout_makers import entity

APPS = [entity("app:payments", version="8.14.2"), entity("app:pay"), entity("app:repay"), entity("app:eu-pay")]
TREE = entity(
    "release:shop", "x", entity("wave:one", "x", entity("cluster:eu-west-1", "x", entity("bundle:b", "x", *APPS)))
)
NAMES = NameIndex("release:shop", TREE)


def found(text: str, *trees: NameIndex) -> list[str]:
    names, total = search_entities(SearchTerms(text), trees or (NAMES,))
    assert total >= len(names)
    return [name.id for name in names]


def test_the_text_itself_comes_first_then_what_begins_with_it_then_a_word_that_does_then_the_rest():
    assert found("pay") == ["app:pay", "app:payments", "app:eu-pay", "app:repay"]


@pytest.mark.parametrize("text", ["8.14", "APP:PAYMENTS", "ments"])
def test_a_version_an_id_and_a_part_of_a_name_are_found_whatever_the_capital_letters(text: str):
    assert found(text) == ["app:payments"]


def test_of_several_words_each_has_to_be_there_and_what_stands_above_a_row_counts():
    assert found("west payments") == ["app:payments"]
    assert found("payments west shop") == ["app:payments"]
    assert found("payments east") == []
    assert found("west shop") == ["cluster:eu-west-1"], "not all that is below it"


def test_a_name_says_where_it_stands():
    (name,), total = search_entities(SearchTerms("8.14.2"), [NAMES])
    assert (name.release_id, name.place, total) == ("release:shop", ("shop", "one", "eu-west-1", "b"), 1)


def test_what_is_as_good_comes_from_the_first_tree_first_and_no_more_than_fits():
    many = [
        NameIndex(f"release:{n}", entity(f"release:{n}", "x", *[entity(f"wave:pay-{w}") for w in range(9)]))
        for n in "abc"
    ]
    names, total = search_entities(SearchTerms("pay"), many)
    assert (len(names), total) == (MAX_SEARCH_RESULTS, 27)
    assert [name.release_id for name in names] == ["release:a"] * 9 + ["release:b"] * 9 + ["release:c"] * 2


@pytest.mark.parametrize("text", ["", "   "])
def test_no_text_finds_no_name(text: str):
    assert found(text) == []
    assert search_releases(SearchTerms(text), [TREE]) == ()


def test_a_release_is_found_once_by_any_part_of_its_name():
    others = [entity("release:workshop"), entity("release:hop"), TREE, TREE]
    assert [name.id for name in search_releases(SearchTerms("shop"), others)] == ["release:shop", "release:workshop"]


@given(st.text(max_size=20))
def test_whatever_is_typed_what_is_found_has_all_its_words(text: str):
    for name in search_entities(SearchTerms(text), [NAMES])[0]:
        said = "\n".join((name.name, name.id, name.version or "", *name.place)).casefold()
        assert all(word in said for word in text.casefold().split())
