"""Rows of lists: what is kept of a release without its tree."""

from datetime import timedelta

import pytest

from dashboard.domain.entities import Entity, Status
from dashboard.domain.reconcile import reconcile
from dashboard.domain.source import ReleaseReading
from dashboard.live.list_rows import tree_row, with_current_execution
from tests.support.rollout_makers import STARTED, entity, execution


@pytest.mark.parametrize(
    ("said", "waves"),
    [
        (entity("release:r", "running", entity("wave:a"), entity("wave:b")), ("wave:a", "wave:b")),
        (entity("release:r", "running", entity("wave:a"), entity("app:a")), ("wave:a",)),
        (entity("release:r", "running", entity("app:a"), entity("cluster:b")), ()),
    ],
)
def test_a_row_lists_as_waves_only_what_is_one_also_once_its_release_has_ended(said: Entity, waves: tuple[str, ...]):
    run = execution()
    row = tree_row(None, reconcile(run, said), ReleaseReading(run, said, digest="1"), STARTED).value
    assert row.release.root.child_ids == waves
    ended = execution(Status.COMPLETED, closed_at=STARTED + timedelta(minutes=1))
    assert with_current_execution(row, ended).root.child_ids == waves
