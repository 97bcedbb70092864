"""Made-up releases for the style guide: every phase, gap and trouble there is, at one moment."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from dashboard.domain.causes import ProblemSummary, affected_entities, group_by_cause, waiting_entities
from dashboard.domain.entities import (
    Attempt,
    ChildRun,
    Entity,
    Execution,
    FailingTask,
    Failure,
    Release,
    ReleaseList,
    Runs,
    Status,
)
from dashboard.domain.history import EntityState, History, ObservationGap, ObservedChange, StateChange
from dashboard.domain.ids import EntityType
from dashboard.domain.phases import Phase, phase_of
from dashboard.domain.problems import Problem, ProblemCode
from dashboard.domain.reconcile import reconcile
from dashboard.domain.search import NameMatch, SearchResults
from dashboard.domain.snapshot import Snapshot, mark_stale

SAMPLE_NOW = datetime(2026, 11, 22, 14, 31, 7, tzinfo=UTC)
UNAVAILABLE_PROBLEM = Problem(
    ProblemCode.UNAVAILABLE, "Temporal cannot be reached.", "connection refused (os error 111)"
)
MISSING_PROBLEM = Problem(
    ProblemCode.MISSING, "The wave lists it, and it is not there.", "cluster_ids: cluster:sa-east-1"
)
NOT_OPENED_PROBLEM = Problem(ProblemCode.NOT_OPENED, "Not read: open it to see what is in it.")
LONG_MESSAGE = (
    "HealthCheckFailed: p99 latency 2140 ms is over the limit of 800 ms for 5 minutes\nprobe 1: 2140 ms\nprobe 2: 2 s"
)
SAMPLE_FAILURE = Failure(
    "ImagePullError",
    "rpc error: code = NotFound desc = registry.example.com/search:7.11.4: manifest unknown",
    (Failure("HTTPError", "404 from registry.example.com"),),
)

# A word of each phase, as a rollout says it.
STATE_BY_PHASE = {
    Phase.SUCCEEDED: "deployed",
    Phase.RUNNING: "in_progress",
    Phase.PENDING: "pending",
    Phase.PAUSED: "awaiting_approval",
    Phase.FAILED: "failed",
    Phase.TIMED_OUT: "timed_out",
    Phase.CANCELLED: "cancelled",
    Phase.TERMINATED: "terminated",
    Phase.UNKNOWN: "soaking",
}


def minutes_before_sample(minutes: float) -> datetime:
    """Return a time before the moment of the samples."""
    return SAMPLE_NOW - timedelta(minutes=minutes)


def retrying_activity(activity_id: str) -> Attempt:
    """Return an activity that has failed before and is retried."""
    next_at = SAMPLE_NOW + timedelta(seconds=20)
    return Attempt(activity_id, 4, 10, SAMPLE_FAILURE, next_at, "worker-7", "deploy_app", '{"step": "pull", "of": 3}')


def sample_entity(entity_id: str, state: str, *children: Entity, **fields: object) -> Entity:
    """Return a row of the rollout with these below it."""
    kind = EntityType(entity_id.partition(":")[0])
    made = Entity(
        id=entity_id,
        type=kind,
        state=state,
        phase=phase_of(kind, state),
        name=entity_id.partition(":")[2],
        created_at=minutes_before_sample(25),
        updated_at=minutes_before_sample(3),
        children=children,
        child_ids=tuple(child.id for child in children),
    )
    return replace(made, **fields)  # type: ignore[arg-type]  # the fields of an entity, whichever


def apps_of_each_phase(place: str) -> tuple[Entity, ...]:
    """Return an app in each phase, one that is retried and one of which something is unknown."""
    apps = [
        sample_entity(
            f"app:{phase.replace('_', '-')}-{place}",
            word,
            version="4.18.2",
            error=LONG_MESSAGE if phase.broken else None,
        )
        for phase, word in STATE_BY_PHASE.items()
    ]
    again = sample_entity(
        f"app:again-{place}", "deploying", version="7.11.4", attempt=retrying_activity(f"app:again-{place}")
    )
    gap = sample_entity(f"app:missing-{place}", "", phase=Phase.UNKNOWN, problem=MISSING_PROBLEM)
    return *apps, again, gap


def sample_cluster(name: str, state: str, *apps: Entity) -> Entity:
    """Return a cluster with one bundle of these apps."""
    return sample_entity(f"cluster:{name}", state, sample_entity(f"bundle:web-{name}", state, *apps))


def sample_tree(release_id: str = "release:checkout-2026-47") -> Entity:
    """Return a rollout with every kind of row in every phase."""
    done = [
        sample_entity("app:payments", "deployed", version="4.18.2"),
        sample_entity("app:basket", "deployed", version="9.3.1"),
    ]
    other = [replace(done[0], version="4.17.0"), done[1]]
    waves = (
        sample_entity(
            "wave:canary",
            "completed",
            sample_cluster("eu-west-1", "completed", *done),
            sequence=1,
            updated_at=minutes_before_sample(20),
        ),
        sample_entity(
            "wave:early",
            "in_progress",
            sample_cluster("us-east-1", "in_progress", *apps_of_each_phase("us")),
            sample_cluster("ap-south-1", "completed", *other),
            sample_entity("cluster:sa-east-1", "", phase=Phase.UNKNOWN, problem=MISSING_PROBLEM),
            sample_entity("cluster:eu-north-1", "pending", problem=NOT_OPENED_PROBLEM, child_ids=("bundle:web",)),
            *(sample_entity(f"cluster:{phase.replace('_', '-')}", word) for phase, word in STATE_BY_PHASE.items()),
            sequence=2,
        ),
        sample_entity(
            "wave:americas", "awaiting_approval", sample_cluster("us-west-2", "pending", *done[:0]), sequence=3
        ),
        sample_entity("wave:empty", "pending", sequence=4),
    )
    details = {"ticket": "REL-4711", "owner": "payments"}
    return sample_entity(release_id, "in_progress", *waves, details=details)


def sample_execution(status: Status = Status.RUNNING, **fields: object) -> Execution:
    """Return the execution of a release."""
    closed_at = minutes_before_sample(2) if status.closed else None
    made = Execution(
        "release:checkout-2026-47",
        "01a20774-83ed-738f-aa6e-9c2531e70a04",
        "ReleaseWorkflow",
        status,
        minutes_before_sample(26),
        closed_at,
        task_queue="releases",
    )
    return replace(made, **fields)  # type: ignore[arg-type]  # the fields of an execution, whichever


def sample_release(status: Status = Status.RUNNING, root: Entity | None = None, **fields: object) -> Release:
    """Return a release with this tree, after the truth rules, and its runs."""
    run = sample_execution(status, **fields)
    earlier = replace(
        run, run_id="00000000-0000-4000-8000-000000000001", status=Status.FAILED, closed_at=minutes_before_sample(60)
    )
    judged = reconcile(run, root or sample_tree(run.workflow_id))
    return replace(
        judged, runs=Runs((run, replace(earlier, started_at=minutes_before_sample(90))), listed_at=SAMPLE_NOW)
    )


def failing_release() -> Release:
    """Return a release whose own code fails, with activities and child workflows that belong to no row."""
    failing = FailingTask(7, Failure("RuntimeError", "no such wave: 'emea'"))
    made = sample_release(failing_task=failing, waiting_since=minutes_before_sample(4))
    loose = ChildRun("notify-customers", "00000000-0000-4000-8000-000000000002", "NotifyWorkflow")
    return replace(made, also_pending=(retrying_activity("send-report"),), other_runs=(loose,))


def sample_snapshot(value: Release | None = None, *, stale: bool = False) -> Snapshot[Release]:
    """Return a release as it is known now, or was before Temporal was away."""
    snapshot = Snapshot(value or sample_release(), SAMPLE_NOW, "styleguide")
    return mark_stale(snapshot, UNAVAILABLE_PROBLEM) if stale else snapshot


def listed_releases() -> Iterator[Release]:
    """Yield a release in each phase, one whose words are older, and one that does not answer."""
    ended = {
        Phase.SUCCEEDED: Status.COMPLETED,
        Phase.FAILED: Status.FAILED,
        Phase.TIMED_OUT: Status.TIMED_OUT,
        Phase.CANCELLED: Status.CANCELED,
        Phase.TERMINATED: Status.TERMINATED,
    }
    for phase, word in STATE_BY_PHASE.items():
        name = f"release:{phase.replace('_', '-')}-2026-47"
        status = ended.get(phase, Status.RUNNING)
        said = "in_progress" if phase is Phase.TERMINATED else word
        root = sample_entity(name, said, child_ids=("wave:a", "wave:b"), error=LONG_MESSAGE if phase.broken else None)
        yield sample_release(status, root, workflow_id=name, run_id=f"run-{phase}")
    silent = Problem(ProblemCode.NO_WORKER, "No worker is polling the task queue releases.")
    name = "release:silent-2026-47"
    root = sample_entity(name, "in_progress", problem=silent)
    yield replace(sample_release(root=root, workflow_id=name, run_id="run-silent"), said_at=minutes_before_sample(9))


def sample_list(*releases: Release, total: int | None = None) -> Snapshot[ReleaseList]:
    """Return a list of these."""
    count = len(releases) if total is None else total
    counts = {status: sum(each.execution.status is status for each in releases) for status in Status}
    found = ReleaseList(releases, 0, 20, count, {k: v for k, v in counts.items() if v}, SAMPLE_NOW, None)
    return Snapshot(found, SAMPLE_NOW, "styleguide")


def sample_problems(*releases: Release) -> Snapshot[ProblemSummary]:
    """Return what is broken and what waits in these, of which not all was read."""
    broken = group_by_cause(item for each in releases for item in affected_entities(each))
    waiting = tuple(item for each in releases for item in waiting_entities(each))
    read = len(releases)
    found = ProblemSummary(broken, read + 60, max(read, 50), read + 3, read, int(bool(read)), int(bool(read)), waiting)
    return Snapshot(found, SAMPLE_NOW, "styleguide")


def no_problems() -> Snapshot[ProblemSummary]:
    """Return all that matters was read, and is well."""
    return Snapshot(ProblemSummary((), 12, 12, 4, 4, 0), SAMPLE_NOW, "styleguide")


def starred_releases(*, stale: bool = False) -> Snapshot[ReleaseList]:
    """Return starred releases: one running, one failed, and two unavailable."""
    listed = sample_list(*(each for each in listed_releases() if each.root.phase in {Phase.RUNNING, Phase.FAILED}))
    gone = Problem(ProblemCode.GONE, "Temporal has no release with this ID.")
    absent = (("release:search-2025-11", gone), ("release:media-2026-40", UNAVAILABLE_PROBLEM))
    snapshot = replace(listed, value=replace(listed.value, absent=absent))
    return mark_stale(snapshot, UNAVAILABLE_PROBLEM) if stale else snapshot


def release_with_history(entity_id: str) -> Release:
    """Return a release with a recorded history of this entity, including a gap."""
    steps = [
        (24, 24.1, EntityState("pending", Phase.PENDING), EntityState("deploying", Phase.RUNNING)),
        (5, 14, EntityState("deploying", Phase.RUNNING), EntityState("deploying", Phase.RUNNING, attempt=2)),
        (
            3,
            3.1,
            EntityState("deploying", Phase.RUNNING, attempt=2),
            EntityState("deploying", Phase.RUNNING, attempt=4),
        ),
    ]
    changes = tuple(
        ObservedChange(minutes_before_sample(after), minutes_before_sample(at), StateChange(was, now))
        for at, after, was, now in steps
    )
    history = History(
        minutes_before_sample(25),
        {entity_id: changes},
        len(changes),
        (ObservationGap(minutes_before_sample(14), minutes_before_sample(5)),),
    )
    return replace(sample_release(), history=history)


def sample_search_results(*, away: bool = False) -> Snapshot[SearchResults]:
    """Return what is known by a name: a listed release, one that is known from before, and entities."""
    name = "release:checkout-2026-47"
    place = ("checkout-2026-47", "early", "us-east-1", "web-us-east-1")
    entities = (
        NameMatch("app:payments", EntityType.APP, "payments", "4.18.2", name, place),
        NameMatch("cluster:payments-eu", EntityType.CLUSTER, "payments-eu", None, name, place[:2]),
    )
    known = NameMatch(
        "release:payments-2026-46", EntityType.RELEASE, "payments-2026-46", None, "release:payments-2026-46", ()
    )
    listed = () if away else (sample_release(workflow_id="release:payments-2026-47", run_id="run-payments"),)
    value = SearchResults(listed, 0 if away else 12, (known,), entities, 31, 5, UNAVAILABLE_PROBLEM if away else None)
    snapshot = Snapshot(value, SAMPLE_NOW, "styleguide")
    return mark_stale(snapshot, UNAVAILABLE_PROBLEM) if away else snapshot


def no_search_results() -> Snapshot[SearchResults]:
    """Nothing by that name in what was looked in."""
    return Snapshot(SearchResults((), 0, (), (), 0, 5), SAMPLE_NOW, "styleguide")
