from dashboard.domain.phases import Phase
from dashboard.domain.problems import Problem, ProblemCode
from dashboard.domain.reconcile import reconcile
from dashboard.domain.rollup import blockages, count_app_phases, trouble_cause
from tests.support.rollout_makers import entity, execution, retrying


def cluster(name: str, *apps, state: str = "in_progress", **fields):
    return entity(f"cluster:{name}", state, entity(f"bundle:{name}", "in_progress", *apps), **fields)


def release_of(*waves):
    return reconcile(execution(), entity("release:r", "in_progress", *waves))


def test_apps_are_counted_by_phase_and_retries_beside_them():
    counts = count_app_phases(
        cluster(
            "c",
            entity("app:a", "deployed"),
            entity("app:b", "deploying", attempt=retrying("app:b")),
            entity("app:c", "failed"),
        )
    )
    assert (counts.total, counts.of(Phase.SUCCEEDED), counts.of(Phase.RUNNING), counts.retrying) == (3, 1, 1, 1)
    assert counts.troubled


def test_a_gap_counts_so_that_a_rollout_never_looks_further_along_than_it_is():
    gap = entity("cluster:gap", "", problem=Problem(ProblemCode.MISSING, "not described"), phase=Phase.UNKNOWN)
    wave = entity("wave:w", "in_progress", cluster("c", entity("app:a", "deployed")), gap)
    counts = count_app_phases(wave)
    assert (counts.total, counts.of(Phase.UNKNOWN)) == (2, 1)


def test_a_release_without_waves_has_nothing_to_count():
    assert count_app_phases(entity("release:r", "in_progress")).total == 0


def test_a_wave_is_blocked_by_clusters_in_trouble_worst_first():
    quiet = cluster("quiet", entity("app:q", "deploying"))
    tired = cluster("tired", entity("app:t", "deploying", attempt=retrying("app:t")))
    broken = cluster("broken", entity("app:x", "failed", error="HealthCheckFailed: p99"), state="failed")
    waiting = cluster("waiting", state="awaiting_approval")
    (blockage,) = blockages(release_of(entity("wave:w", "in_progress", quiet, tired, waiting, broken)))
    assert [obstacle.entity.name for obstacle in blockage.obstacles] == ["broken", "tired", "waiting"]
    assert blockage.obstacles[0].cause == "HealthCheckFailed: p99"
    assert blockage.obstacles[1].cause == "ImagePullError: image pull back-off"
    assert blockage.obstacles[1].apps.retrying == 1


def test_a_wave_that_waits_for_somebody_is_blocked_by_its_own_word():
    (blockage,) = blockages(release_of(entity("wave:w", "awaiting_approval", cluster("c", entity("app:a")))))
    assert (blockage.wave.state, blockage.obstacles) == ("awaiting_approval", ())


def test_a_wave_that_has_not_begun_is_not_blocked():
    assert blockages(release_of(entity("wave:w", "pending", cluster("c", entity("app:a"), state="pending")))) == ()


def test_a_gap_holds_up_its_wave_and_says_why():
    problem = Problem(ProblemCode.MISSING, "The wave lists this cluster but does not describe it.")
    gap = entity("cluster:gap", "", problem=problem, phase=Phase.UNKNOWN)
    (blockage,) = blockages(release_of(entity("wave:w", "in_progress", gap)))
    assert blockage.obstacles[0].cause == problem.message


def test_an_entity_without_trouble_has_no_cause():
    assert trouble_cause(entity("app:a", "deploying")) is None


def test_a_tree_flattened_has_every_row_of_it_once():
    wave = entity("wave:w", "in_progress", cluster("a", entity("app:a"), entity("app:b")), cluster("b"))
    root = entity("release:r", "in_progress", wave, entity("wave:later"))
    assert sorted(row.id for row in root.flattened()) == sorted(row.id for row in root.walk())
