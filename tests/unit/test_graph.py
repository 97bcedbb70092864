from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from dashboard.domain.entities import Entity, Release
from dashboard.domain.graph import Node, grow
from dashboard.domain.ids import EntityType
from dashboard.domain.problems import ProblemCode
from dashboard.domain.work_times import WorkTimes
from dashboard.pages.places import place_of
from dashboard.pages.tree import UNFOLDED, wave_row
from tests.rollout_makers import STARTED, entity, execution

ROOT = "release:r"
BELOW = ["wave", "cluster", "bundle", "app", "odd"]


def node(workflow_id: str, parent: str | None = ROOT) -> Node:
    """A node whose type is that of its id."""
    prefix = workflow_id.partition(":")[0]
    if prefix in set(EntityType):
        return Node(workflow_id, parent, entity(workflow_id, "running"))
    row = Entity("", EntityType.APP, "running", entity("app:x", "deploying").phase, workflow_id)
    return Node(workflow_id, parent, row, known=False)


def tree(*nodes: Node, limit: int = 1000, more: int = 0) -> Entity:
    return grow(entity(ROOT, "running"), ROOT, nodes, limit=limit, more=more)


def shape(root: Entity) -> list[tuple[str, str | None]]:
    """Ids and problems, parents first."""
    return [(row.id, row.problem.code if row.problem else None) for row in root.walk()][1:]


def is_nested(row: Entity) -> bool:
    """Whether every row's children are exactly one level below it, and no cluster has two bundles."""
    levels = list(EntityType)
    below = levels[levels.index(row.type) + 1 :][:1]
    one = row.type is not EntityType.CLUSTER or len(row.children) <= 1
    return one and all([child.type] == below and is_nested(child) for child in row.children)


IDS = st.builds(lambda kind, number: f"{kind}:{number}", st.sampled_from(BELOW), st.integers(0, 5))
PAIRS = st.lists(st.tuples(IDS, IDS | st.just(ROOT) | st.none()), max_size=30)


@given(PAIRS, st.integers(0, 30), st.integers(0, 3))
def test_any_pairs_give_a_nested_tree_that_holds_each_node_once_or_counts_it(pairs, limit: int, more: int):
    nodes = [node(*pair) for pair in pairs]
    root = tree(*nodes, limit=limit, more=more)
    assert is_nested(root)
    met = Counter(row.name for row in root.walk() if row.state)
    distinct = {n.id for n in nodes}
    left_out = max(len(distinct) - limit, 0) + more
    assert sum(met.values()) == 1 + min(len(distinct), limit)
    assert any(row.problem and row.problem.code == "truncated" for row in root.walk()) is bool(left_out)
    last = root.children[-1].problem if left_out else None
    assert last is None or str(left_out) in last.message


@given(PAIRS)
def test_ids_are_unique_but_for_those_that_say_so_and_every_row_can_be_shown(pairs):
    root = tree(*(node(*pair) for pair in pairs))
    ids = Counter(row.id for row in root.walk() if not (row.problem and row.problem.code == "malformed"))
    assert [entity_id for entity_id, count in ids.items() if count > 1] == []
    work = WorkTimes(Release(execution(), root), STARTED)
    for position, wave in enumerate(root.children):
        wave_row(wave, root.id, UNFOLDED, place_of("", wave.id, position), work)


def test_what_is_in_its_place_has_no_problem():
    chain = ["wave:w", "cluster:c", "bundle:b", "app:a"]
    nodes = [node(child, parent) for child, parent in zip(chain, [ROOT, *chain], strict=False)]
    for given_order in (nodes, nodes[::-1]):
        assert shape(tree(*given_order)) == [(entity_id, None) for entity_id in chain]


def test_a_missing_level_is_filled_by_a_row_that_says_so():
    root = tree(node("cluster:c"), node("cluster:d"), node("wave:w"), node("app:a", "wave:w"), node("app:b", "wave:w"))
    assert shape(root) == [
        ("wave:(none):release:r", "no_level"),
        ("cluster:c", None),
        ("cluster:d", None),
        ("wave:w", None),
        ("cluster:(none):wave:w", "no_level"),
        ("bundle:(none):cluster:(none):wave:w", "no_level"),
        ("app:a", None),
        ("app:b", None),
    ]
    assert root.children[0].problem is not None
    assert root.children[0].problem.message == "No wave: Temporal shows this cluster directly under the release."


def test_bundles_without_clusters_have_one_each_and_a_second_bundle_has_another():
    root = tree(node("wave:w"), node("bundle:b", "wave:w"), node("bundle:d", "wave:w"))
    assert [len(cluster.children) for cluster in root.children[0].children] == [1, 1]
    root = tree(
        node("wave:w"), node("cluster:c", "wave:w"), node("bundle:1", "cluster:c"), node("bundle:2", "cluster:c")
    )
    first, second = root.children[0].children
    assert (first.id, first.children[0].id, first.problem) == ("cluster:c", "bundle:1", None)
    assert second.children[0].id == "bundle:2"
    assert second.problem is not None
    assert "more than one bundle under cluster:c" in second.problem.message


def test_orphans_circles_and_two_parents_say_so():
    root = tree(
        node("wave:lost", "wave:nowhere"),
        node("wave:a", "wave:b"),
        node("wave:b", "wave:a"),
        node("wave:self", "wave:self"),
        node("wave:twice", ROOT),
        node("wave:twice", "wave:a"),
    )
    assert dict(shape(root)) == {
        "wave:lost": ProblemCode.ORPHAN,
        "wave:a": ProblemCode.CYCLE,
        "wave:b": ProblemCode.MISPLACED,
        "wave:self": ProblemCode.CYCLE,
        "wave:twice": ProblemCode.TWO_PARENTS,
    }


def test_an_unknown_type_is_shown_by_its_place():
    root = tree(node("Prepare"), node("Check it", "Prepare"), node("app:a"), node("Notify", "app:a"))
    assert [(row.type, row.name, row.problem.code if row.problem else None) for row in root.walk()][1:] == [
        ("wave", "Prepare", "unknown_type"),
        ("cluster", "Check it", "unknown_type"),
        ("wave", "no wave", "no_level"),
        ("cluster", "no cluster", "no_level"),
        ("bundle", "no bundle", "no_level"),
        ("app", "a", None),
        ("app", "Notify", "unknown_type"),
    ]


def test_a_chain_of_thousands_is_no_deeper_than_a_release():
    chain = [node(f"cluster:{n}", f"cluster:{n - 1}" if n else ROOT) for n in range(5_000)]
    root = tree(*chain, limit=10_000)
    assert is_nested(root)
    assert sum(1 for _ in root.walk()) == 5_002
