"""In which order rows of the same parent stand."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from dashboard.domain.entities import Entity
from dashboard.domain.phases import Phase
from dashboard.domain.sort_order import SortOrder
from tests.support.rollout_makers import STARTED, entity, retrying

STATES = ["failed", "timed_out", "deploying", "paused", "pending", "deployed", "cancelled", "odd"]
rows = st.builds(
    lambda name, state, minutes: entity(
        f"app:{name}", state, updated_at=None if minutes is None else STARTED + timedelta(minutes=minutes)
    ),
    st.text("aB2१0-", min_size=1, max_size=4),
    st.sampled_from(STATES),
    st.none() | st.integers(0, 3),
)


def names(order: SortOrder, *children: Entity) -> list[str]:
    return [row.name for _, row in order.sort(children)]


def cluster(name: str, *apps: Entity) -> Entity:
    return entity(f"cluster:{name}", "in_progress", entity(f"bundle:{name}", "in_progress", *apps))


@given(children=st.lists(rows, max_size=12), order=st.sampled_from(SortOrder))
def test_every_row_is_there_once_with_its_place_and_equals_stay_as_the_rollout_has_them(
    children: list[Entity], order: SortOrder
):
    ordered = order.sort(children)
    assert sorted(ordered, key=lambda one: one[0]) == list(enumerate(children))
    again = order.sort([row for _, row in ordered])
    assert [row for _, row in again] == [row for _, row in ordered], "sorted rows are left as they are"
    same = entity("app:same", "deployed", updated_at=STARTED)
    twice = order.sort([*children, same, *children])
    for place, row in enumerate(children):
        assert twice.index((place, row)) < twice.index((place + len(children) + 1, row))


@given(children=st.lists(rows, max_size=12))
def test_the_rollouts_own_order_is_the_one_that_is_not_asked_for(children: list[Entity]):
    assert SortOrder("") is SortOrder.ROLLOUT
    assert SortOrder.ROLLOUT.sort(children) == list(enumerate(children))


def test_the_worst_is_what_is_broken_then_what_runs_waits_and_is_done():
    apps = [entity(f"app:{phase}", "x", phase=phase) for phase in reversed(Phase)]
    assert names(SortOrder.WORST, *apps) == [
        "timed_out",
        "failed",
        "unknown",
        "running",
        "paused",
        "pending",
        "terminated",
        "cancelled",
        "succeeded",
    ]


def test_what_has_something_broken_or_tried_again_in_it_stands_right_after_what_is_broken_itself():
    calm = cluster("calm", entity("app:a", "deploying"))
    within = cluster("within", entity("app:b", "deployed"), entity("app:c", "failed"))
    tried = cluster("tried", entity("app:d", "deploying", attempt=retrying("app:d")))
    broken = entity("cluster:broken", "failed")
    assert names(SortOrder.WORST, calm, within, tried, broken) == ["broken", "within", "tried", "calm"]


def test_numbers_in_names_count_as_numbers_and_capital_letters_as_small_ones():
    apps = [entity(f"app:{name}") for name in ("eu-10", "EU-9", "b", "A", "2", "eu-", "9" * 5_000)]
    assert names(SortOrder.NAME, *apps)[:1] == ["2"]
    assert names(SortOrder.NAME, *apps)[2:] == ["A", "b", "eu-", "EU-9", "eu-10"]


def test_what_changed_last_itself_or_in_it_stands_first_and_what_tells_no_time_last():
    late = cluster("late", entity("app:a", updated_at=STARTED + timedelta(hours=1)))
    early = cluster("early", entity("app:b", updated_at=STARTED))
    silent = cluster("silent", entity("app:c"))
    assert names(SortOrder.CHANGED, silent, early, late) == ["late", "early", "silent"]
