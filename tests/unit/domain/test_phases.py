import pytest

from dashboard.domain.ids import EntityType
from dashboard.domain.phases import Phase, phase_of


@pytest.mark.parametrize(
    ("word", "phase"),
    [
        ("pending", Phase.PENDING),
        ("queued", Phase.PENDING),
        ("in_progress", Phase.RUNNING),
        ("In-Progress", Phase.RUNNING),
        (" rolling back ", Phase.RUNNING),
        ("completed", Phase.SUCCEEDED),
        ("healthy", Phase.SUCCEEDED),
        ("degraded", Phase.FAILED),
        ("awaiting_approval", Phase.PAUSED),
        ("blocked", Phase.PAUSED),
        ("canceled", Phase.CANCELLED),
        ("cancelled", Phase.CANCELLED),
        ("terminated", Phase.TERMINATED),
        ("timed_out", Phase.TIMED_OUT),
        ("frobnicating", Phase.UNKNOWN),
        ("", Phase.UNKNOWN),
    ],
)
def test_known_words_have_a_phase_and_others_are_unknown(word: str, phase: Phase):
    assert phase_of(EntityType.CLUSTER, word) is phase


def test_an_app_that_runs_has_been_deployed_while_a_wave_that_runs_has_not_ended():
    assert phase_of(EntityType.APP, "running") is Phase.SUCCEEDED
    assert phase_of(EntityType.WAVE, "running") is Phase.RUNNING


def test_only_what_still_expects_to_move_is_unfinished():
    assert {phase for phase in Phase if phase.unfinished} == {Phase.PENDING, Phase.RUNNING, Phase.PAUSED}
    assert {phase for phase in Phase if phase.broken} == {Phase.FAILED, Phase.TIMED_OUT}
