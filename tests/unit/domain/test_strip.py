from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from dashboard.domain.entities import Status
from dashboard.domain.phases import Phase
from dashboard.domain.problems import Problem, ProblemCode
from dashboard.domain.reconcile import reconcile
from dashboard.domain.strip import count_clusters, strip_segments
from dashboard.views.strip.page import Strip
from dashboard.views.strip.svg import small_strip_svg
from tests.support.rollout_makers import entity, execution, retrying

STATES = ["pending", "in_progress", "completed", "failed", "paused", "odd"]


def cluster_of(name: str, *apps):
    return entity(f"cluster:{name}", "in_progress", entity(f"bundle:{name}", "in_progress", *apps))


def wave(name: str, state: str, *clusters, **fields):
    return entity(f"wave:{name}", state, *clusters, **fields)


def strip_of(*waves, status: Status = Status.RUNNING, most: int = 100) -> Strip:
    return Strip.of(reconcile(execution(status), entity("release:r", "in_progress", *waves)), most)


def plain(name: str, state: str = "completed"):
    return entity(f"cluster:{name}", state)


def test_each_wave_has_a_cell_for_each_of_its_clusters_in_order():
    strip = strip_of(wave("a", "completed", plain("x"), plain("y")), wave("b", "pending", plain("z", "pending")))
    assert [[cell.id for cell in each.cells] for each in strip.waves] == [["cluster:x", "cluster:y"], ["cluster:z"]]


def test_a_cell_tells_the_cluster_its_word_and_its_apps():
    found = cluster_of(
        "eu", entity("app:a", "deployed"), entity("app:b", "failed"), entity("app:c", attempt=retrying("app:c"))
    )
    (cell,) = strip_of(wave("a", "in_progress", found)).waves[0].cells
    assert cell.told == "eu: in progress, 1 of 3 apps done, 1 failed, 1 retrying"


def test_a_wave_is_current_while_it_or_a_cluster_of_it_moves_or_is_paused():
    waves = (
        wave("done", "completed", plain("a")),
        wave("moving", "in_progress"),
        wave("silent", "pending", plain("b", "in_progress")),
        wave("held", "awaiting_approval"),
        wave("later", "pending", plain("c", "pending")),
    )
    assert [each.current for each in strip_of(*waves).waves] == [False, True, True, True, False]


def test_nothing_of_an_ended_release_is_current():
    waves = (wave("moving", "in_progress", plain("b", "in_progress")),)
    for status in (Status.FAILED, Status.TERMINATED, Status.CANCELED, Status.TIMED_OUT):
        (only,) = strip_of(*waves, status=status).waves
        assert not only.current
        assert only.cells[0].phase in {Phase.CANCELLED, Phase.TERMINATED}


def test_a_wave_that_was_not_read_says_so_and_counts_nothing():
    gap = Problem(ProblemCode.NOT_READ, "It will be read at the next look.")
    waves = (
        wave("unread", "pending", problem=gap),
        replace(wave("closed", "pending"), child_ids=("cluster:x",)),
        wave("empty", "pending"),
    )
    strip = strip_of(*waves)
    assert [each.read for each in strip.waves] == [False, False, True]
    assert strip.unread == 2
    assert strip.waves[0].why == gap.message
    assert "clusters not loaded" in strip.waves[1].told
    assert strip.waves[2].cells == ()


def test_apps_that_were_not_read_are_not_told_as_none_done():
    unopened = replace(plain("x", "in_progress"), child_ids=("bundle:x",))
    (cell,) = strip_of(wave("a", "in_progress", unopened)).waves[0].cells
    assert cell.told == "x: in progress, apps not loaded"


def test_from_so_many_clusters_on_they_are_counted_and_not_drawn():
    clusters = [plain(f"c{n}", "failed" if n == 3 else "completed") for n in range(10)]
    assert not strip_of(wave("a", "in_progress", *clusters), most=11).merged
    strip = strip_of(wave("a", "in_progress", *clusters), most=10)
    assert strip.merged
    assert strip.waves[0].cells is None
    assert (strip.waves[0].cluster_progress.succeeded, strip.waves[0].cluster_progress.failed) == (9, 1)


@given(st.lists(st.lists(st.sampled_from(STATES), max_size=30), max_size=8), st.integers(1, 120))
def test_every_cluster_is_counted_once_whether_it_is_drawn_or_not(states: list[list[str]], most: int):
    waves = [
        wave(f"w{n}", "in_progress", *(plain(f"{n}-{at}", s) for at, s in enumerate(of))) for n, of in enumerate(states)
    ]
    root = entity("release:r", "in_progress", *waves)
    found = list(strip_segments(root, most))
    assert sum(each.clusters.total for each in found) == count_clusters(root) == sum(map(len, states))
    if count_clusters(root) < most:
        assert [[cell.cluster.state for cell in each.cells or ()] for each in found] == states


@given(st.lists(st.lists(st.sampled_from(STATES), max_size=60), min_size=1, max_size=8))
def test_a_small_strip_is_never_wider_than_its_place_and_draws_every_phase_there_is(states: list[list[str]]):
    waves = [
        wave(f"w{n}", "completed", *(plain(f"{n}-{at}", s) for at, s in enumerate(of))) for n, of in enumerate(states)
    ]
    drawn = small_strip_svg(strip_of(*waves, most=2_000))
    assert int(drawn.partition('width="')[2].partition('"')[0]) <= 240
    for cell in {cell.phase for each in strip_of(*waves, most=2_000).waves for cell in each.cells}:
        assert f'class="{cell}"' in drawn
