"""Made-up releases for the style guide: every phase, gap and trouble there is, at one moment."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from dashboard.domain.causes import Problems, broken_in, group, waiting_in
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
from dashboard.domain.finding import Found, Name
from dashboard.domain.history import Change, Difference, Gap, History, Standing
from dashboard.domain.ids import EntityType
from dashboard.domain.phases import Phase, phase_of
from dashboard.domain.problems import Problem, ProblemCode
from dashboard.domain.truth import judge
from dashboard.live.snapshots import Snapshot, outdated

NOW = datetime(2026, 11, 22, 14, 31, 7, tzinfo=UTC)
DOWN = Problem(ProblemCode.UNAVAILABLE, "Temporal cannot be reached.", "connection refused (os error 111)")
GAP = Problem(ProblemCode.MISSING, "The wave lists it, and it is not there.", "cluster_ids: cluster:sa-east-1")
NOT_OPENED = Problem(ProblemCode.NOT_OPENED, "Not read: open it to see what is in it.")
LONG = (
    "HealthCheckFailed: p99 latency 2140 ms is over the limit of 800 ms for 5 minutes\nprobe 1: 2140 ms\nprobe 2: 2 s"
)
FAILURE = Failure(
    "ImagePullError",
    "rpc error: code = NotFound desc = registry.example.com/search:7.11.4: manifest unknown",
    (Failure("HTTPError", "404 from registry.example.com"),),
)

# A word of each phase, as a rollout says it.
WORDS = {
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


def ago(minutes: float) -> datetime:
    """So long before the moment of the samples."""
    return NOW - timedelta(minutes=minutes)


def retrying(activity_id: str) -> Attempt:
    """An activity that has failed before and is tried again."""
    next_at = NOW + timedelta(seconds=20)
    return Attempt(activity_id, 4, 10, FAILURE, next_at, "worker-7", "deploy_app", '{"step": "pull", "of": 3}')


def entity(entity_id: str, state: str, *children: Entity, **fields: object) -> Entity:
    """A row of the rollout with these below it."""
    kind = EntityType(entity_id.partition(":")[0])
    made = Entity(
        id=entity_id,
        type=kind,
        state=state,
        phase=phase_of(kind, state),
        name=entity_id.partition(":")[2],
        created_at=ago(25),
        updated_at=ago(3),
        children=children,
        child_ids=tuple(child.id for child in children),
    )
    return replace(made, **fields)  # type: ignore[arg-type]  # the fields of an entity, whichever


def of_each_phase(place: str) -> tuple[Entity, ...]:
    """An app in each phase, one that is tried again and one of which something is not known."""
    apps = [
        entity(f"app:{phase.replace('_', '-')}-{place}", word, version="4.18.2", error=LONG if phase.broken else None)
        for phase, word in WORDS.items()
    ]
    again = entity(f"app:again-{place}", "deploying", version="7.11.4", attempt=retrying(f"app:again-{place}"))
    gap = entity(f"app:missing-{place}", "", phase=Phase.UNKNOWN, problem=GAP)
    return *apps, again, gap


def cluster(name: str, state: str, *apps: Entity) -> Entity:
    """A cluster with one bundle of these apps."""
    return entity(f"cluster:{name}", state, entity(f"bundle:web-{name}", state, *apps))


def tree(release_id: str = "release:checkout-2026-47") -> Entity:
    """A rollout with every kind of row in every phase."""
    done = [entity("app:payments", "deployed", version="4.18.2"), entity("app:basket", "deployed", version="9.3.1")]
    other = [replace(done[0], version="4.17.0"), done[1]]
    waves = (
        entity("wave:canary", "completed", cluster("eu-west-1", "completed", *done), sequence=1, updated_at=ago(20)),
        entity(
            "wave:early",
            "in_progress",
            cluster("us-east-1", "in_progress", *of_each_phase("us")),
            cluster("ap-south-1", "completed", *other),
            entity("cluster:sa-east-1", "", phase=Phase.UNKNOWN, problem=GAP),
            entity("cluster:eu-north-1", "pending", problem=NOT_OPENED, child_ids=("bundle:web",)),
            *(entity(f"cluster:{phase.replace('_', '-')}", word) for phase, word in WORDS.items()),
            sequence=2,
        ),
        entity("wave:americas", "awaiting_approval", cluster("us-west-2", "pending", *done[:0]), sequence=3),
        entity("wave:empty", "pending", sequence=4),
    )
    details = {"ticket": "REL-4711", "owner": "payments"}
    return entity(release_id, "in_progress", *waves, details=details)


def execution(status: Status = Status.RUNNING, **fields: object) -> Execution:
    """The execution of a release."""
    closed_at = ago(2) if status.closed else None
    made = Execution(
        "release:checkout-2026-47",
        "01a20774-83ed-738f-aa6e-9c2531e70a04",
        "ReleaseWorkflow",
        status,
        ago(26),
        closed_at,
        task_queue="releases",
    )
    return replace(made, **fields)  # type: ignore[arg-type]  # the fields of an execution, whichever


def release(status: Status = Status.RUNNING, root: Entity | None = None, **fields: object) -> Release:
    """A release with this tree, after the truth rules, and its runs."""
    run = execution(status, **fields)
    earlier = replace(run, run_id="00000000-0000-4000-8000-000000000001", status=Status.FAILED, closed_at=ago(60))
    judged = judge(run, root or tree(run.workflow_id))
    return replace(judged, runs=Runs((run, replace(earlier, started_at=ago(90))), listed_at=NOW))


def troubled() -> Release:
    """A release whose own code fails, with activities and child workflows that belong to no row."""
    failing = FailingTask(7, Failure("RuntimeError", "no such wave: 'emea'"))
    made = release(failing_task=failing, waiting_since=ago(4))
    loose = ChildRun("notify-customers", "00000000-0000-4000-8000-000000000002", "NotifyWorkflow")
    return replace(made, also_pending=(retrying("send-report"),), other_runs=(loose,))


def seen(value: Release | None = None, *, stale: bool = False) -> Snapshot[Release]:
    """A release as it is known now, or was before Temporal was away."""
    snapshot = Snapshot(value or release(), NOW, "styleguide")
    return outdated(snapshot, DOWN) if stale else snapshot


def of_the_list() -> Iterator[Release]:
    """A release in each phase, one whose words are older, and one that does not answer."""
    ended = {
        Phase.SUCCEEDED: Status.COMPLETED,
        Phase.FAILED: Status.FAILED,
        Phase.TIMED_OUT: Status.TIMED_OUT,
        Phase.CANCELLED: Status.CANCELED,
        Phase.TERMINATED: Status.TERMINATED,
    }
    for phase, word in WORDS.items():
        name = f"release:{phase.replace('_', '-')}-2026-47"
        status = ended.get(phase, Status.RUNNING)
        said = "in_progress" if phase is Phase.TERMINATED else word
        root = entity(name, said, child_ids=("wave:a", "wave:b"), error=LONG if phase.broken else None)
        yield release(status, root, workflow_id=name, run_id=f"run-{phase}")
    silent = Problem(ProblemCode.NO_WORKER, "No worker is polling the task queue releases.")
    name = "release:silent-2026-47"
    root = entity(name, "in_progress", problem=silent)
    yield replace(release(root=root, workflow_id=name, run_id="run-silent"), said_at=ago(9))


def listing(*releases: Release, total: int | None = None) -> Snapshot[ReleaseList]:
    """A list of these."""
    count = len(releases) if total is None else total
    counts = {status: sum(each.execution.status is status for each in releases) for status in Status}
    found = ReleaseList(releases, 0, 20, count, {k: v for k, v in counts.items() if v}, NOW, None)
    return Snapshot(found, NOW, "styleguide")


def problems(*releases: Release) -> Snapshot[Problems]:
    """What is broken and what waits in these, of which not all was read."""
    broken = group(item for each in releases for item in broken_in(each))
    waiting = tuple(item for each in releases for item in waiting_in(each))
    read = len(releases)
    found = Problems(broken, read + 60, max(read, 50), read + 3, read, int(bool(read)), int(bool(read)), waiting)
    return Snapshot(found, NOW, "styleguide")


def nothing_broken() -> Snapshot[Problems]:
    """All that matters was read, and is well."""
    return Snapshot(Problems((), 12, 12, 4, 4, 0), NOW, "styleguide")


def starred(*, stale: bool = False) -> Snapshot[ReleaseList]:
    """What somebody has starred: one that runs, one that failed, and two of which nothing is known now."""
    listed = listing(*(each for each in of_the_list() if each.root.phase in {Phase.RUNNING, Phase.FAILED}))
    gone = Problem(ProblemCode.GONE, "Temporal has no release with this ID.")
    absent = (("release:search-2025-11", gone), ("release:media-2026-40", DOWN))
    snapshot = replace(listed, value=replace(listed.value, absent=absent))
    return outdated(snapshot, DOWN) if stale else snapshot


def watched(entity_id: str) -> Release:
    """A release in which somebody has seen this entity come to its state, with a time when nobody looked."""
    steps = [
        (24, 24.1, Standing("pending", Phase.PENDING), Standing("deploying", Phase.RUNNING)),
        (5, 14, Standing("deploying", Phase.RUNNING), Standing("deploying", Phase.RUNNING, attempt=2)),
        (3, 3.1, Standing("deploying", Phase.RUNNING, attempt=2), Standing("deploying", Phase.RUNNING, attempt=4)),
    ]
    changes = tuple(Change(ago(after), ago(at), Difference(was, now)) for at, after, was, now in steps)
    history = History(ago(25), {entity_id: changes}, len(changes), (Gap(ago(14), ago(5)),))
    return replace(release(), history=history)


def found(*, away: bool = False) -> Snapshot[Found]:
    """What is known by a name: a listed release, one that is known from before, and entities."""
    name = "release:checkout-2026-47"
    place = ("checkout-2026-47", "early", "us-east-1", "web-us-east-1")
    entities = (
        Name("app:payments", EntityType.APP, "payments", "4.18.2", name, place),
        Name("cluster:payments-eu", EntityType.CLUSTER, "payments-eu", None, name, place[:2]),
    )
    known = Name(
        "release:payments-2026-46", EntityType.RELEASE, "payments-2026-46", None, "release:payments-2026-46", ()
    )
    listed = () if away else (release(workflow_id="release:payments-2026-47", run_id="run-payments"),)
    value = Found(listed, 0 if away else 12, (known,), entities, 31, 5, DOWN if away else None)
    snapshot = Snapshot(value, NOW, "styleguide")
    return outdated(snapshot, DOWN) if away else snapshot


def nothing_found() -> Snapshot[Found]:
    """Nothing by that name in what was looked in."""
    return Snapshot(Found((), 0, (), (), 0, 5), NOW, "styleguide")
