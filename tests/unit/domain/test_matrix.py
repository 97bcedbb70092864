"""Apps by clusters: every app stands in exactly one cell, and what differs is told by the majority."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.domain.entities import Entity
from dashboard.domain.ids import EntityType
from dashboard.domain.matrix import CellFilter, Matrix, build_matrix, filter_matrix
from dashboard.domain.problems import Problem, ProblemCode
from tests.support.rollout_makers import entity, retrying

GAP = Problem(ProblemCode.QUERY_FAILED, "It did not answer.", "rpc error")

apps = st.builds(
    lambda name, version, state, own: (name, version, state, own),
    st.sampled_from(["a", "b", "b-c0", "c"]),
    st.sampled_from([None, "1", "2", "3"]),
    st.sampled_from(["deployed", "failed", "pending"]),
    st.booleans(),
)
waves = st.lists(st.lists(st.lists(apps, max_size=5), max_size=3), max_size=3)


def cluster(name: str, *found: tuple[str, str | None, str, bool]) -> Entity:
    rows = [
        replace(entity(f"app:{app}-{name}" if own else f"app:{app}", state, version=version), name=app)
        for app, version, state, own in found
    ]
    return entity(f"cluster:{name}", "", entity(f"bundle:{name}", "", *rows))


def release(tree: list[list[list[tuple[str, str | None, str, bool]]]]) -> Entity:
    return entity(
        "release:r",
        "",
        *(
            entity(f"wave:w{w}", "", *(cluster(f"c{c}", *found) for c, found in enumerate(clusters)))
            for w, clusters in enumerate(tree)
        ),
    )


def one_wave(*clusters: Entity) -> Matrix:
    return build_matrix(entity("release:r", "", entity("wave:w", "", *clusters)))


def app(name: str, version: str | None = "1", state: str = "deployed") -> tuple[str, str | None, str, bool]:
    return name, version, state, True


@given(tree=waves)
def test_every_app_stands_in_exactly_one_cell_in_the_column_of_its_cluster(tree):
    root = release(tree)
    matrix = build_matrix(root)
    shown = [(number, id(cell)) for line in matrix.lines for number, cell in line.cells.items()]
    there = [
        (column.number, id(row))
        for column in matrix.columns
        for row in column.entity.walk()
        if row.type is EntityType.APP
    ]
    assert sorted(shown) == sorted(there)
    assert matrix.cells == sum(row.type is EntityType.APP for row in root.walk())


@given(tree=waves)
def test_the_majority_runs_in_more_cells_than_any_other_version_may(tree):
    for line in build_matrix(release(tree)).lines:
        told = [cell for cell in line.cells.values() if cell.version is not None]
        counts = Counter(cell.version for cell in told if cell.state == "deployed")
        most, unknown = max(counts.values(), default=0), sum(cell.state != "deployed" for cell in told)
        assert line.running == sum(counts.values())
        assert (line.majority is not None) == (most > unknown)
        if line.majority is not None:
            assert counts[line.majority] == most
            assert line.tied == (list(counts.values()).count(most) > 1)


@given(tree=waves)
def test_what_runs_differs_by_what_runs_elsewhere_and_a_failed_version_always(tree):
    for line in build_matrix(release(tree)).lines:
        for cell in line.cells.values():
            if cell.version is None:
                assert not line.differs(cell)
            elif cell.state == "failed":
                assert line.differs(cell)
            else:
                assert line.differs(cell) == (
                    cell.version != (line.leading if cell.state == "deployed" else line.planned)
                )


@pytest.mark.parametrize("state", ["failed", "pending", "deploying", "paused", "cancelled", "timed_out", "odd word"])
def test_a_version_that_did_not_get_there_never_decides_the_majority(state: str):
    waiting = [cluster(name, app("pay", "2", state)) for name in ("a", "b", "c")]
    (line,) = one_wave(*waiting, cluster("d", app("pay", "2"))).lines
    assert (line.majority, line.running) == (None, 1), "one of four is not most"
    (line,) = one_wave(*waiting, *(cluster(name, app("pay", "1")) for name in ("d", "e", "f", "g"))).lines
    assert line.majority == "1", "it runs in more than could run anything else"
    (line,) = one_wave(*waiting).lines
    assert (line.majority, line.planned, line.reached) == (None, "2", 0)
    (line,) = one_wave(*waiting, cluster("d", app("pay", "1"))).lines
    assert (line.majority, line.running, line.reached) == (None, 1, int(line.planned == "1"))


@given(tree=waves, q=st.sampled_from(["", "A", "c0", "w1", "2", "nowhere"]), only=st.sampled_from([None, *CellFilter]))
def test_what_is_looked_for_is_all_there_and_no_line_or_column_without_it(tree, q, only):
    whole = build_matrix(release(tree))
    found = filter_matrix(whole, q, only)
    numbers = {column.number for column in found.columns}
    assert set(map(id, found.lines)) <= set(map(id, whole.lines)), "majorities stay those of the whole"
    if only is CellFilter.DIFFERING and not q:
        assert found.differing == whole.differing
        assert all(line.differing for line in found.lines)
    if only is CellFilter.BROKEN and not q:
        assert found.broken == whole.broken
    if q or only:
        assert all(numbers & set(line.cells) for line in found.lines)
        assert all(any(number in line.cells for line in found.lines) for number in numbers)


def test_the_same_name_is_the_same_app_though_each_cluster_has_its_own_id():
    (line,) = one_wave(cluster("eu", app("payments")), cluster("us", app("payments"))).lines
    assert (line.name, len(line.cells)) == ("payments", 2)


def test_the_same_id_is_the_same_app_whatever_it_is_called():
    named = [replace(cluster(c, ("pay", "1", "deployed", False))) for c in ("eu", "us")]
    bundle = named[1].children[0]
    renamed = replace(bundle, children=(replace(bundle.children[0], name="Payments"),))
    (line,) = one_wave(named[0], replace(named[1], children=(renamed,))).lines
    assert line.name == "pay"


def test_a_name_that_ends_in_its_cluster_counts_without_that():
    matrix = one_wave(cluster("eu-west-1", app("pay-eu-west-1")), cluster("us", app("pay-us")), cluster("x", app("x")))
    assert [line.name for line in matrix.lines] == ["pay", "x"]


def test_of_two_apps_of_one_name_in_a_cluster_none_is_hidden():
    matrix = one_wave(cluster("eu", app("pay"), app("pay", "2")), cluster("us", app("pay")))
    assert [(line.name, len(line.cells)) for line in matrix.lines] == [("pay", 2), ("pay", 1)]


def test_an_app_that_tells_no_version_does_not_differ():
    (line,) = one_wave(cluster("a", app("pay")), cluster("b", app("pay", None)), cluster("c", app("pay", "2"))).lines
    assert (line.majority, line.tied, line.differing) == ("1", True, 1)


def test_what_is_being_tried_again_is_broken_though_it_runs():
    run = cluster("eu", app("pay", state="deploying"))
    bundle = run.children[0]
    tried = replace(bundle, children=(replace(bundle.children[0], attempt=retrying("app:pay-eu")),))
    assert one_wave(replace(run, children=(tried,))).broken == 1


def test_what_was_not_read_is_a_gap_and_what_is_empty_is_none():
    unopened = replace(entity("cluster:eu"), child_ids=("bundle:eu",))
    failed = replace(entity("cluster:us"), problem=GAP)
    empty = cluster("ap")
    wave = replace(entity("wave:two"), problem=GAP)
    matrix = build_matrix(entity("release:r", "", entity("wave:one", "", unopened, failed, empty), wave))
    assert [column.gap for column in matrix.columns] == [True, True, False, True]
    assert matrix.columns[-1].cluster is None, "a wave of which no cluster is known has a column all the same"
