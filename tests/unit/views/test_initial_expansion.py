"""What of a release is open: by itself, by its viewer's word, and all of it as far as there is room."""

from dashboard.domain.entities import Entity, Release, Runs
from dashboard.domain.snapshot import Snapshot
from dashboard.views.release.initial_expansion import (
    EXPAND_ALL,
    EXPAND_FAILURES,
    MAX_EXPANDED_ROWS,
    initial_expansion,
)
from dashboard.views.release.page import ReleasePage
from dashboard.views.shared.rows import ClusterRow, WaveRow
from tests.support.rollout_makers import STARTED, entity, execution


def cluster(name: str, apps: int = 2, state: str = "deployed") -> Entity:
    inside = (entity(f"app:{name}-{n}", state) for n in range(apps))
    return entity(f"cluster:{name}", "in_progress", entity(f"bundle:{name}", "in_progress", *inside))


def release(*waves: tuple[Entity, ...]) -> Release:
    rows = (entity(f"wave:w{n}", "in_progress", *clusters) for n, clusters in enumerate(waves))
    return Release(execution(), entity("release:r", "in_progress", *rows), runs=Runs((execution(),)))


SMALL = release((cluster("a"), cluster("b", state="failed")), (cluster("c"),))


def opened(seen: Release, open_ids: set[str], shut: set[str]) -> set[str]:
    """The waves and clusters that the page shows open."""
    page = ReleasePage.of(Snapshot(seen, STARTED, "v"), frozenset(open_ids), frozenset(shut))
    return {row.id for row in page.lines() if isinstance(row, WaveRow | ClusterRow) and row.open}


def test_by_itself_waves_are_open_and_clusters_in_trouble():
    assert opened(SMALL, set(), set()) == {"wave:w0", "wave:w1", "cluster:b"}


def test_what_was_closed_stays_closed_whatever_would_open_it():
    assert opened(SMALL, set(), {"cluster:b", "wave:w1"}) == {"wave:w0"}
    assert opened(SMALL, {"cluster:c"}, {"wave:w1"}) == {"wave:w0", "cluster:b"}


def test_what_is_named_both_open_and_closed_is_open():
    assert opened(SMALL, {"wave:w1", "cluster:b"}, {"wave:w1", "cluster:b"}) == {"wave:w0", "wave:w1", "cluster:b"}


def test_the_page_names_what_is_open_by_itself_whatever_its_viewer_has_done():
    page = ReleasePage.of(Snapshot(SMALL, STARTED, "v"), frozenset({"cluster:a"}), frozenset({"cluster:b", "wave:w0"}))
    assert set(page.opens) == {"wave:w0", "wave:w1", "cluster:b"}


def test_all_of_it_opens_and_closes_at_a_word_and_single_rows_differ():
    everything = {"wave:w0", "wave:w1", "cluster:a", "cluster:b", "cluster:c"}
    assert opened(SMALL, {EXPAND_ALL}, set()) == everything
    assert opened(SMALL, {EXPAND_ALL}, {"cluster:a"}) == everything - {"cluster:a"}
    assert opened(SMALL, set(), {EXPAND_ALL}) == set()
    assert opened(SMALL, {"wave:w0"}, {EXPAND_ALL}) == {"wave:w0"}


def test_failures_open_with_the_waves_above_them_and_nothing_else():
    assert opened(SMALL, {EXPAND_FAILURES}, set()) == {"wave:w0", "cluster:b"}


def test_more_rows_than_a_page_has_room_for_stay_closed_and_are_counted():
    big = release(tuple(cluster(f"c{n}", apps=99) for n in range(25)), (cluster("small"),))
    first = initial_expansion(big, frozenset({EXPAND_ALL}))
    rows = 2 + sum(
        len(row.flattened()) - 1 for wave in big.root.children for row in wave.children if row.id in first.ids
    )
    assert rows <= MAX_EXPANDED_ROWS
    assert first.left_closed == 26 - len([row for row in first.ids if row.startswith("cluster")]) > 0
    assert "cluster:small" in first.ids, "what is small enough still has room"
