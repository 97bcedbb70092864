"""What is different between two trees: for any two, and for those that must not be taken for what they are not."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.domain.compare import CHANGED_KINDS, Comparison, DiffKind, compare_releases
from dashboard.domain.entities import Entity
from dashboard.domain.ids import EntityType
from dashboard.domain.problems import Problem, ProblemCode
from tests.support.rollout_makers import entity

GAP = Problem(ProblemCode.QUERY_FAILED, "It did not answer.")
MALFORMED = Problem(ProblemCode.MALFORMED, "This cluster has an invalid ID.")

problems = st.sampled_from([None, None, None, GAP, MALFORMED])
apps = st.builds(
    lambda name, version, state, problem: entity(f"app:{name}", state, version=version, problem=problem),
    st.sampled_from("abc"),
    st.sampled_from(["1", "2", None]),
    st.sampled_from(["deployed", "failed"]),
    problems,
)
clusters = st.builds(
    lambda name, rows, problem: entity(f"cluster:{name}", "deploying", *rows, problem=problem),
    st.sampled_from("xyz"),
    st.lists(apps, max_size=4),
    problems,
)
releases = st.builds(
    lambda rows, loose, problem: entity(
        "release:r", "in_progress", entity("wave:w", "x", *rows, *loose), problem=problem
    ),
    st.lists(clusters, max_size=4),
    st.lists(apps, max_size=2),
    problems,
)


def cluster(name: str, *rows: Entity, **fields) -> Entity:
    return entity(f"cluster:{name}", "deploying", entity(f"bundle:{name}", "deploying", *rows), **fields)


def release(*rows: Entity, **fields) -> Entity:
    return entity("release:r", "in_progress", entity("wave:w", "in_progress", *rows, **fields))


def app(name: str, version: str = "1", state: str = "deployed", **fields) -> Entity:
    return entity(f"app:{name}", state, version=version, **fields)


def kinds(found: Comparison) -> dict[str, str]:
    """The kind of each app, by its name."""
    return {(pair.right or pair.left).name: str(pair.kind) for each in found.clusters for pair in each.apps}


def apps_of(root: Entity) -> Counter[int]:
    return Counter(id(row) for row in root.walk() if row.type is EntityType.APP)


@given(releases)
def test_a_release_is_not_different_from_itself(root: Entity):
    found = compare_releases(root, root)
    assert not any(found.counts[kind] for kind in CHANGED_KINDS)
    assert {pair.kind for pair in found.clusters} <= {DiffKind.SAME}


@given(releases, releases)
def test_every_app_of_either_side_stands_in_exactly_one_place(left: Entity, right: Entity):
    pairs = [pair for each in compare_releases(left, right).clusters for pair in each.apps]
    assert Counter(id(pair.left) for pair in pairs if pair.left) == apps_of(left)
    assert Counter(id(pair.right) for pair in pairs if pair.right) == apps_of(right)


@given(releases, releases)
def test_with_its_sides_swapped_what_was_added_is_removed_and_the_rest_is_as_it_was(left: Entity, right: Entity):
    one, other = compare_releases(left, right).counts, compare_releases(right, left).counts
    assert (one[DiffKind.ADDED], one[DiffKind.REMOVED]) == (other[DiffKind.REMOVED], other[DiffKind.ADDED])
    for kind in (DiffKind.VERSION, DiffKind.STATE, DiffKind.SAME, DiffKind.UNKNOWN):
        assert one[kind] == other[kind]


@given(releases, releases)
def test_nothing_is_gone_or_new_where_the_whole_other_release_is_a_gap(left: Entity, right: Entity):
    found = compare_releases(left, replace(right, problem=GAP, children=())).counts
    assert set(+found) <= {DiffKind.UNKNOWN}


def test_apps_are_told_by_version_then_by_state():
    left = release(cluster("x", app("a"), app("b"), app("c"), app("d"), app("old")))
    right = release(
        cluster("x", app("a"), app("b", "2"), app("c", state="failed"), app("d", "2", "failed"), app("new"))
    )
    assert kinds(compare_releases(left, right)) == {
        "a": "same",
        "b": "version",
        "c": "state",
        "d": "planned",
        "old": "removed",
        "new": "added",
    }


def test_an_id_is_the_rule_and_a_name_the_way_out():
    left = release(cluster("x", replace(app("a-1"), name="a"), app("b")))
    right = release(replace(cluster("y", app("b", "2"), replace(app("a-2", "2"), name="a")), name="x"))
    (only,) = compare_releases(left, right).clusters
    assert (only.left, only.right) == (left.children[0].children[0], right.children[0].children[0])
    assert [(pair.left.id, pair.right.id) for pair in only.apps] == [("app:b", "app:b"), ("app:a-1", "app:a-2")]


def test_a_cluster_that_one_has_is_said_to_be_so_with_its_apps():
    left, right = release(cluster("x", app("a"))), release(cluster("y", app("b"), app("c")))
    found = compare_releases(left, right)
    assert [(pair.kind, len(pair.apps)) for pair in found.clusters] == [(DiffKind.ADDED, 2), (DiffKind.REMOVED, 1)]
    assert found.whole


@pytest.mark.parametrize(
    "gap",
    [
        release(cluster("x", app("a")), problem=GAP),
        release(cluster("x", app("a")), entity("cluster:", "", problem=MALFORMED)),
        release(cluster("x", app("a")), app("b", problem=GAP)),
        entity("release:r", "in_progress", problem=GAP),
    ],
    ids=["a wave that did not come", "a cluster without a name", "an app without a parent", "no tree at all"],
)
def test_a_cluster_that_a_gap_may_hide_is_neither_new_nor_gone(gap: Entity):
    found = compare_releases(release(cluster("x", app("a")), cluster("y", app("b"))), gap)
    assert not found.whole
    assert {pair.kind for pair in found.clusters if pair.left and pair.left.name == "y"} == {DiffKind.UNKNOWN}
    assert found.counts[DiffKind.REMOVED] == 0


def test_what_was_not_opened_hides_its_apps():
    unopened = replace(entity("cluster:x", "deploying"), child_ids=("bundle:x",))
    found = compare_releases(release(cluster("x", app("a"))), release(unopened))
    assert (kinds(found), found.whole) == ({"a": "unknown"}, False)
    both = compare_releases(release(unopened), release(unopened))
    assert [(pair.kind, pair.whole) for pair in both.clusters] == [(DiffKind.SAME, False)]


def test_a_last_word_that_is_no_longer_true_is_not_compared():
    stopped = app("a", state="deploying", overruled=True, phase="cancelled")
    also = app("a", state="pending", overruled=True, phase="cancelled")
    assert kinds(compare_releases(release(cluster("x", stopped)), release(cluster("x", also)))) == {"a": "same"}


@pytest.mark.parametrize("state", ["failed", "pending", "deploying", "awaiting_approval", "terminated", "odd word"])
def test_another_version_that_does_not_run_is_planned_and_none_that_the_app_went_to(state: str):
    one, waits = release(cluster("x", app("a"))), release(cluster("x", app("a", "2", state)))
    assert kinds(compare_releases(one, waits)) == {"a": "planned"}
    assert kinds(compare_releases(waits, one)) == {"a": "planned"}
    assert kinds(compare_releases(waits, waits)) == {"a": "same"}


def named(release_id: str, form: str) -> Entity:
    """A release that names each of its rows in this way."""
    own = release_id.partition(":")[2]
    rows = [entity(form.format(id=f"app:{name}", own=own), "deployed", version=own) for name in ("shop", "shop-eu")]
    place = entity(form.format(id="cluster:eu", own=own), "completed", *rows)
    return entity(release_id, "completed", entity("wave:w", "completed", place))


@pytest.mark.parametrize("form", ["{id}-{own}", "{id}/{own}", "{id}@{own}", "{id}-{own}/try-1"])
def test_the_releases_own_part_of_ids_makes_no_difference(form: str):
    (place,) = compare_releases(named("release:rel-7", form), named("release:rel-8", form)).clusters
    assert place.kind is DiffKind.SAME
    assert [(pair.kind, pair.left.version, pair.right.version) for pair in place.apps] == [
        (DiffKind.VERSION, "rel-7", "rel-8")
    ] * 2
    assert all(pair.left.id.partition("rel-7")[::2] == pair.right.id.partition("rel-8")[::2] for pair in place.apps)
