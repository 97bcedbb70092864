from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from dashboard.domain.entities import Entity, Release
from dashboard.domain.graph import MAX_TREE_DEPTH, ExecutionNode, build_tree
from dashboard.domain.ids import EntityType, entity_id_error
from dashboard.domain.problems import ProblemCode
from dashboard.domain.work_times import WorkTimes
from dashboard.views.release.tree import FULLY_EXPANDED, entity_row
from dashboard.views.shared.html_ids import row_place
from tests.support.rollout_makers import STARTED, entity, execution

ROOT = "release:r"
BELOW = ["wave", "cluster", "bundle", "app", "odd"]


def node(workflow_id: str, parent: str | None = ROOT) -> ExecutionNode:
    """A node whose type is that of its id."""
    prefix = workflow_id.partition(":")[0]
    if prefix in set(EntityType):
        return ExecutionNode(workflow_id, parent, entity(workflow_id, "running"))
    row = Entity("", EntityType.APP, "running", entity("app:x", "deploying").phase, workflow_id)
    return ExecutionNode(workflow_id, parent, row, known=False)


def tree(*nodes: ExecutionNode, limit: int = 1000, more: int = 0) -> Entity:
    return build_tree(entity(ROOT, "running"), ROOT, nodes, limit=limit, more=more)


def shape(root: Entity) -> list[tuple[str, ProblemCode | None]]:
    """Ids and problems, parents first."""
    return [(row.id, row.problem.code if row.problem else None) for row in root.walk()][1:]


def is_shaped(row: Entity, depth: int = 0) -> bool:
    """Whether nothing stands below what it could hold, no cluster has two bundles, and the tree is not too deep."""
    levels = list(EntityType)
    bundles = [child for child in row.children if child.type is EntityType.BUNDLE]
    one = row.type is not EntityType.CLUSTER or len(bundles) <= 1
    known = [child for child in row.children if "kind" not in child.details]
    fits = "kind" in row.details or all(levels.index(child.type) >= levels.index(row.type) for child in known)
    return one and fits and depth <= MAX_TREE_DEPTH and all(is_shaped(child, depth + 1) for child in row.children)


IDS = st.builds(lambda kind, number: f"{kind}:{number}", st.sampled_from(BELOW), st.integers(0, 5))
PAIRS = st.lists(st.tuples(IDS, IDS | st.just(ROOT) | st.none()), max_size=30)


@given(PAIRS, st.integers(0, 30), st.integers(0, 3))
def test_any_pairs_give_a_tree_that_holds_each_node_once_or_counts_it(pairs, limit: int, more: int):
    nodes = [node(*pair) for pair in pairs]
    root = tree(*nodes, limit=limit, more=more)
    assert is_shaped(root)
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
        entity_row(wave, root.id, FULLY_EXPANDED, row_place("", wave.id, position), work)


def test_what_is_in_its_place_has_no_problem():
    chain = ["wave:w", "cluster:c", "bundle:b", "app:a"]
    nodes = [node(child, parent) for child, parent in zip(chain, [ROOT, *chain], strict=False)]
    for given_order in (nodes, nodes[::-1]):
        assert shape(tree(*given_order)) == [(entity_id, None) for entity_id in chain]


def test_a_level_that_a_team_has_not_is_no_gap():
    root = tree(node("cluster:c"), node("app:z"), node("wave:w"), node("app:a", "wave:w"), node("bundle:b", "wave:w"))
    assert shape(root) == [
        ("cluster:c", None),
        ("app:z", None),
        ("wave:w", None),
        ("app:a", None),
        ("bundle:b", None),
    ]
    assert [row.id for row in root.children] == ["cluster:c", "app:z", "wave:w"]
    assert [row.id for row in root.children[2].children] == ["app:a", "bundle:b"]


def test_rows_of_one_type_stand_within_one_another_where_temporal_has_them():
    root = tree(node("wave:all"), node("wave:eu", "wave:all"), node("app:a", "wave:eu"), node("app:step", "app:a"))
    assert shape(root) == [("wave:all", None), ("wave:eu", None), ("app:a", None), ("app:step", None)]
    assert root.children[0].children[0].children[0].children[0].id == "app:step"


def test_what_nothing_of_its_type_can_be_in_hangs_further_up_and_says_so():
    root = tree(node("wave:w"), node("app:a", "wave:w"), node("cluster:c", "app:a"))
    assert shape(root) == [("wave:w", None), ("app:a", None), ("cluster:c", ProblemCode.MISPLACED)]
    assert [row.id for row in root.children[0].children] == ["app:a", "cluster:c"]


def test_a_second_bundle_of_a_cluster_has_another():
    for above in ((), (node("wave:w"),)):
        parent = above[0].id if above else ROOT
        clusters = (node("cluster:c", parent), node("bundle:1", "cluster:c"), node("bundle:2", "cluster:c"))
        root = tree(*above, *clusters)
        first, second = (root.children[0] if above else root).children
        assert (first.id, first.children[0].id, first.problem) == ("cluster:c", "bundle:1", None)
        assert second.children[0].id == "bundle:2"
        assert second.problem is not None
        assert "cluster:c has more than one bundle" in second.problem.message


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
        "wave:b": None,
        "wave:self": ProblemCode.CYCLE,
        "wave:twice": ProblemCode.TWO_PARENTS,
    }


def test_what_nothing_tells_the_kind_of_is_a_unit_of_work_and_no_trouble():
    root = tree(node("Prepare"), node("Check it", "Prepare"), node("app:a"), node("Notify", "app:a"))
    assert [(row.type, row.name, row.problem) for row in root.walk()][1:] == [
        ("app", "Prepare", None),
        ("app", "Check it", None),
        ("app", "a", None),
        ("app", "Notify", None),
    ]
    assert [row.id for row in root.walk() if row.name != "Check it"] == [ROOT, "app:Prepare", "app:a", "app:Notify"]
    assert all(not entity_id_error(row.id) for row in root.walk()), "each has an address"
    assert [row.details.get("kind") for row in root.walk()][1:] == ["unknown", "unknown", None, "unknown"]


def test_a_chain_of_thousands_is_no_deeper_than_a_page_can_show():
    chain = [node(f"app:{n}", f"app:{n - 1}" if n else ROOT) for n in range(5_000)]
    root = tree(*chain, limit=10_000)
    assert is_shaped(root)
    assert sum(1 for _ in root.walk()) == 5_001
