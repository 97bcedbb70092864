from dashboard.domain.problems import Problem, ProblemCode
from dashboard.domain.snapshot import Snapshot, mark_stale, utc_now, version_hash

DOWN = Problem(ProblemCode.UNAVAILABLE, "Temporal cannot be reached.")


def test_a_version_is_the_same_for_the_same_content():
    assert version_hash("a", 1, DOWN) == version_hash("a", 1, Problem(DOWN.code, DOWN.message))
    assert version_hash("a") != version_hash("b")
    seen = Snapshot("a", utc_now(), version_hash("a"))
    assert mark_stale(seen, DOWN).version == mark_stale(seen, DOWN).version != seen.version


def test_times_are_in_utc():
    assert utc_now().tzinfo is not None
