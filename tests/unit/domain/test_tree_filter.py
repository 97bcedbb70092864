"""What of a tree is shown when part of it is asked for."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.domain.entities import Entity
from dashboard.domain.phases import Phase
from dashboard.domain.tree_filter import NO_TREE_FILTER, TreeFilter
from tests.support.rollout_makers import STARTED, entity


def cluster(name: str, state: str, minutes: int) -> Entity:
    changed = STARTED + timedelta(minutes=minutes)
    app = entity(f"app:{name}-Shop", state, version=f"1.{minutes}", updated_at=changed)
    return entity(f"cluster:{name}", "in_progress", entity(f"bundle:{name}", "in_progress", app))


WAVE = entity("wave:w", "in_progress", cluster("eu", "failed", 1), cluster("us", "deployed", 9))
ROOT = entity("release:r", "in_progress", WAVE)

narrowings = st.builds(
    TreeFilter,
    depth=st.integers(1, 5),
    phases=st.frozensets(st.sampled_from(Phase), max_size=2),
    text=st.sampled_from(["", "eu", "SHOP", "1.9", "nowhere"]),
    since=st.none() | st.integers(0, 10).map(lambda minutes: STARTED + timedelta(minutes=minutes)),
)


def shown(tree_filter: TreeFilter) -> list[str]:
    """The ids of the rows that are shown below the release."""

    def below(row: Entity) -> list[str]:
        return [one for child in row.children if tree_filter.shows(child) for one in (child.id, *below(child))]

    return below(ROOT)


@pytest.mark.parametrize("text", ["shop", "SHOP", "app:eu-shop", "-Sh"])
def test_a_text_is_looked_for_in_names_and_ids_whatever_its_capital_letters(text: str):
    assert "app:eu-Shop" in shown(TreeFilter(text=text))


def test_a_text_is_looked_for_in_versions():
    assert shown(TreeFilter(text="1.9")) == ["wave:w", "cluster:us", "bundle:us", "app:us-Shop"]


def test_rows_that_changed_since_then_are_shown_and_those_that_give_no_time_are_not():
    tree_filter = TreeFilter(since=STARTED + timedelta(minutes=5))
    assert shown(tree_filter) == ["wave:w", "cluster:us", "bundle:us", "app:us-Shop"]
    assert tree_filter.matching(ROOT) == 1


def test_all_that_is_asked_for_has_to_hold_of_one_row():
    assert shown(TreeFilter(text="us", phases=frozenset({Phase.FAILED}))) == []
    assert shown(TreeFilter(text="eu", phases=frozenset({Phase.FAILED})))[-1] == "app:eu-Shop"


@given(tree_filter=narrowings)
def test_what_matches_is_shown_with_all_above_it_and_nothing_else_is(tree_filter: TreeFilter):
    wanted = {row.id for row in ROOT.walk() if row is not ROOT and tree_filter.matches(row)}
    seen = shown(tree_filter)
    assert wanted <= set(seen)
    assert tree_filter.matching(ROOT) == len(wanted)
    assert tree_filter.count(ROOT) == 1 + len(seen)
    for row in (row for row in ROOT.walk() if row.id in seen):
        assert tree_filter.matches(row) or any(child.id in seen for child in row.children)


def test_nothing_asked_for_is_everything():
    assert NO_TREE_FILTER.everything
    assert not NO_TREE_FILTER.picks
    assert NO_TREE_FILTER.count(ROOT) == len(list(ROOT.walk()))
