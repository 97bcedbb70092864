"""What looks at a release have shown: every change between two of them, no other, and when nobody looked."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.domain.diff import diff_trees, entity_state
from dashboard.domain.entities import Entity, Execution, Initiator, Origin, Release, Status
from dashboard.domain.history import MAX_CHANGES_PER_ENTITY, History
from dashboard.domain.phases import Phase, phase_of
from dashboard.domain.problems import Problem, ProblemCode
from dashboard.live.change_log import (
    MAX_CHANGES_PER_RELEASE,
    MAX_GAPS_PER_RELEASE,
    MIN_OBSERVATION_GAP,
    history_weight,
    record_changes,
)
from dashboard.views.entity.history import HistoryView
from tests.support.rollout_makers import STARTED, entity, execution, retrying

STATES = ("pending", "deploying", "deployed", "failed", "odd")
states = st.lists(st.sampled_from(STATES), min_size=6, max_size=6)
rows = st.lists(st.integers(0, 5), unique=True, max_size=6)
PATH = ("release:r", "wave:w", "cluster:c", "bundle:b", "app:0")


def after(seconds: float) -> datetime:
    return STARTED + timedelta(seconds=seconds)


def tree(*apps: Entity) -> Entity:
    cluster = entity("cluster:c", "in_progress", entity("bundle:b", "in_progress", *apps))
    return entity("release:r", "in_progress", entity("wave:w", "in_progress", cluster))


def apps(chosen: list[int], states: list[str]) -> list[Entity]:
    return [entity(f"app:{number}", states[number]) for number in chosen]


def by_id(root: Entity) -> dict[str, Entity]:
    return {row.id: row for row in root.walk()}


def looked(*looks: tuple[float, Entity], run: str = "run-1") -> Release:
    """The release after looks at these seconds, with what they have shown."""
    release, last = None, STARTED
    for seconds, root in looks:
        now = Release(execution(run_id=run), root)
        release, last = replace(now, history=record_changes(release, last, now, after(seconds))), after(seconds)
    assert release
    return release


def view(release: Release, path: tuple[str, ...] = PATH) -> HistoryView:
    assert release.history
    return HistoryView.of(release.history, path, by_id(release.root)[path[-1]])


def told(release: Release) -> list[str]:
    """The lines of app:0, oldest first: the second, or between which it was, and the state."""
    lines = []
    for line in view(release).lines[::-1]:
        seconds = [f"{(at - STARTED).total_seconds():g}" for at in vars(line).values() if isinstance(at, datetime)]
        lines.append(" ".join([*sorted(seconds, key=float), getattr(line, "label", "gap")]))
    return lines


@given(states, states, rows, rows)
def test_two_trees_differ_in_what_an_index_of_both_shows(
    one: list[str], two: list[str], ours: list[int], theirs: list[int]
):
    before, now = tree(*apps(ours, one)), tree(*apps(theirs, two))
    old, new = by_id(before), by_id(now)
    expected = {}
    for entity_id in old.keys() | new.keys():
        was, is_now = (entity_state(rows[entity_id]) if entity_id in rows else None for rows in (old, new))
        if was != is_now:
            expected[entity_id] = was, is_now
    found = diff_trees(before, now)
    assert {entity_id: (row.was, row.now) for entity_id, row in found.rows.items()} == expected
    assert found.opened == frozenset()


def test_what_both_trees_share_is_not_looked_at():
    shared = tree(entity("app:0", "deploying"))
    assert diff_trees(shared, shared).rows == {}
    assert record_changes(looked((0, shared)), STARTED, Release(execution(), shared), after(1)) == History(STARTED)


def test_a_row_that_moved_to_another_parent_has_neither_come_nor_left():
    app = entity("app:0", "deploying")
    one, two = entity("wave:1", "in_progress", app), entity("wave:2", "in_progress", app)
    bare = [replace(wave, children=(), child_ids=()) for wave in (one, two)]
    before, now = entity("release:r", "", one, bare[1]), entity("release:r", "", bare[0], two)
    assert diff_trees(before, now).rows == {}


def test_an_app_that_deploys_is_retried_and_done_is_told_so_look_by_look():
    app = entity("app:0", "deploying")
    release = looked(
        (0, tree(entity("app:0"))),
        (1, tree(app)),
        (2, tree(replace(app, attempt=retrying("app:0", 2)))),
        (3, tree(replace(app, attempt=retrying("app:0", 2)))),
        (4, tree(entity("app:0", "deployed"))),
    )
    assert told(release) == ["0 pending", "1 deploying", "2 deploying", "4 deployed"]
    shown = view(release)
    assert [state.attempt for state in shown.states] == [None, None, 2, None]
    assert [state.first for state in shown.states] == [True, False, False, False]
    assert (shown.since, shown.stands_since) == (STARTED, after(4))


def test_since_when_it_stands_so_is_not_said_where_no_look_saw_it_come():
    assert view(looked((0, tree(entity("app:0", "deploying"))))).stands_since is None
    away = MIN_OBSERVATION_GAP.total_seconds() + 10
    late = looked((0, tree(entity("app:0"))), (away, tree(entity("app:0", "deploying"))))
    assert view(late).stands_since is None
    again = replace(entity("app:0", "deploying"), attempt=retrying("app:0", 2))
    tried = looked((0, tree(entity("app:0"))), (1, tree(entity("app:0", "deploying"))), (2, tree(again)))
    assert view(tried).stands_since == after(1), "another attempt is no other state"


def test_what_changed_while_nobody_looked_is_told_as_between():
    away = MIN_OBSERVATION_GAP.total_seconds() + 55
    release = looked((0, tree(entity("app:0"))), (1, tree(entity("app:0"))), (away, tree(entity("app:0", "deployed"))))
    assert told(release) == ["0 pending", "1 60 gap", "1 60 deployed"]


def test_a_gap_in_which_nothing_changed_is_told_too_and_single_looks_part_none():
    still = tree(entity("app:0"))
    assert told(looked((0, still), (20, still), (40, still), (41, still))) == ["0 pending", "0 40 gap"]


def test_a_run_that_had_ended_was_not_to_be_looked_at():
    done = tree(entity("app:0", "deployed"))
    ended = Release(execution(Status.COMPLETED), done)
    before = replace(ended, history=History(STARTED))
    assert record_changes(before, STARTED, ended, after(3600)) == History(STARTED)
    goes_on = Release(next_run(Initiator.CONTINUED_AS_NEW, continues="run-1"), done)
    assert len(record_changes(before, STARTED, goes_on, after(3600)).gaps) == 1


def test_what_was_not_read_before_is_told_from_when_it_was():
    root = tree(entity("app:0", "deploying"))
    closed = replace(root.children[0].children[0], children=())
    unread = entity("release:r", "in_progress", entity("wave:w", "in_progress", closed))
    release = looked(
        (0, root), (1, unread), (3, tree(entity("app:0", "deployed"))), (4, tree(entity("app:0", "failed")))
    )
    assert told(release) == ["3 deployed", "4 failed"]


def test_a_row_that_left_and_came_again_is_told_so():
    gone = tree(entity("app:1"))
    both = tree(entity("app:0", "deploying"), entity("app:1"))
    assert told(looked((0, gone), (1, both), (2, gone), (3, both))) == [
        "1 deploying",
        "2 removed",
        "3 deploying",
    ]


def next_run(initiator: Initiator, **origin: Any) -> Execution:
    """The second run of a chain, begun like this after the first."""
    return execution(run_id="run-2", first_run_id="run-1", origin=Origin(initiator, before="run-1", **origin))


@pytest.mark.parametrize("initiator", [Initiator.RETRY, Initiator.CRON, Initiator.RESET])
def test_a_run_that_was_begun_anew_has_a_history_of_its_own(initiator: Initiator):
    first = looked((0, tree(entity("app:0", "deploying"))))
    again = Release(next_run(initiator), tree(entity("app:0")))
    assert record_changes(first, STARTED, again, after(1)) == History(after(1))


def test_another_release_of_the_same_id_begins_anew_and_a_run_that_goes_on_does_not():
    root, done = tree(entity("app:0")), tree(entity("app:0", "deployed"))
    first = looked((0, root))
    goes_on = Release(next_run(Initiator.CONTINUED_AS_NEW, continues="run-1"), done)
    history = record_changes(first, STARTED, goes_on, after(1))
    assert history.count == 1
    other = Release(execution(run_id="run-3", first_run_id="run-3"), done)
    assert record_changes(replace(goes_on, history=history), after(1), other, after(2)) == History(after(2))


def test_a_row_whose_id_stands_twice_is_not_taken_for_another():
    twice = entity("app:0", "failed", problem=Problem(ProblemCode.MALFORMED, "Another row has the same id."))
    before = tree(entity("app:0"), twice)
    now = tree(entity("app:0"), replace(twice, state="deployed", phase=Phase.SUCCEEDED))
    assert diff_trees(before, now).rows == {}


def test_of_an_app_that_changes_without_end_the_latest_changes_are_told_and_since_when():
    looks = [(n, tree(entity("app:0", STATES[n % 2]), entity("app:1"))) for n in range(3 * MAX_CHANGES_PER_ENTITY)]
    shown = view(looked(*looks))
    assert len(shown.states) == MAX_CHANGES_PER_ENTITY + 1
    assert shown.since == after(2 * MAX_CHANGES_PER_ENTITY - 1) == shown.states[0].seen_at
    assert shown.states[0].state == STATES[(2 * MAX_CHANGES_PER_ENTITY - 1) % 2]


def test_attempts_without_end_push_out_no_state():
    app = entity("app:0", "deploying")
    tries = [(n, tree(replace(app, attempt=retrying("app:0", n)))) for n in range(2, 3 * MAX_CHANGES_PER_ENTITY)]
    shown = view(looked((0, tree(entity("app:0"))), (1, tree(app)), *tries))
    assert [state.state for state in shown.states][:2] == ["pending", "deploying"]
    assert [state.attempt for state in shown.states][-3:] == [3 * MAX_CHANGES_PER_ENTITY - n for n in (3, 2, 1)]
    assert len(shown.states) == MAX_CHANGES_PER_ENTITY + 1


def test_more_than_is_remembered_of_a_release_leaves_a_history_since_a_later_moment():
    def all_in(state: str) -> Entity:
        return tree(*(entity(f"app:{n}", state) for n in range(MAX_CHANGES_PER_RELEASE // 2)))

    release = looked(*((n, all_in(state)) for n, state in enumerate(("pending", "deploying", "deployed", "failed"))))
    history = release.history
    assert history
    assert history.count == MAX_CHANGES_PER_RELEASE // 2
    assert history.since == after(2)
    assert told(release) == ["2 deployed", "3 failed"]
    assert history_weight(history) > MAX_CHANGES_PER_RELEASE // 2 * 100


def test_gaps_are_bounded_and_those_that_are_left_out_are_not_taken_for_none():
    still = tree(entity("app:0"))
    looks = [(moment, still) for n in range(MAX_GAPS_PER_RELEASE + 2) for moment in (100 * n, 100 * n + 1)]
    history = looked(*looks).history
    assert history
    assert len(history.gaps) < MAX_GAPS_PER_RELEASE
    assert history.since > STARTED
    assert all(gap.to_at > history.since for gap in history.gaps)


def test_another_edition_comes_with_each_change_and_with_none_else():
    one, two = tree(entity("app:0")), tree(entity("app:0", "deployed"))
    editions = [
        history.edition
        for n in range(1, 6)
        if (history := looked(*list(enumerate([one, tree(entity("app:0")), two, two, one]))[:n]).history)
    ]
    assert editions == [0, 0, 1, 1, 2]
    assert phase_of(one.type, "deployed") is Phase.SUCCEEDED
