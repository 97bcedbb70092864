"""The sample releases of the demo."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import islice

from dashboard.demo.plans import (
    PlannedApp,
    PlannedFault,
    PlannedWave,
    ReleasePlan,
    RolloutTempo,
    cluster_app_id,
)

# The visibility query that finds them all.
SAMPLES_QUERY = "WorkflowType IN ('ReleaseWorkflow', 'TreeRelease')"
APP_VERSIONS = {
    "payments": "4.18.2",
    "ledger": "2.7.0",
    "basket": "9.3.1",
    "api-gateway": "3.42.0",
    "search": "7.11.4",
    "catalogue": "5.0.9",
    "pricing": "1.26.3",
    "checkout": "12.4.0",
    "identity": "6.8.5",
    "notifications": "2.19.1",
    "orders": "8.2.7",
    "shipping": "3.5.0",
    "inventory": "4.0.12",
    "recommendations": "1.9.8",
    "reviews": "2.2.6",
    "invoices": "5.13.0",
    "fraud-check": "0.31.2",
    "gift-cards": "1.4.4",
    "loyalty": "3.0.1",
    "media": "10.6.3",
}
FIRST_REGIONS = ("eu-west-1", "us-east-1", "us-west-2", "eu-central-1", "ap-southeast-2")
CANARY_WAVE = PlannedWave("canary", ["eu-west-1"])
EARLY_WAVE = PlannedWave("early", ["us-east-1", "ap-southeast-2"])
BROAD_WAVE = PlannedWave("broad", ["eu-central-1", "us-west-2", "ap-northeast-1"])
WORLDWIDE_WAVES = [
    CANARY_WAVE,
    PlannedWave("early", ["us-east-1", "eu-central-1", "ap-southeast-2"]),
    PlannedWave("americas", ["us-west-2", "us-east-2", "us-west-1", "ca-central-1", "sa-east-1", "mx-central-1"]),
    PlannedWave("emea", ["eu-west-2", "eu-west-3", "eu-north-1", "eu-south-1", "me-central-1", "il-central-1"]),
    PlannedWave(
        "apac", ["ap-northeast-1", "ap-northeast-2", "ap-southeast-1", "ap-south-1", "ap-south-2", "ap-east-1"]
    ),
]
EVERYWHERE_WAVES = [
    PlannedWave("canary", [f"{region}-canary" for region in FIRST_REGIONS]),
    PlannedWave("staff", [f"{region}-staff" for region in FIRST_REGIONS]),
    PlannedWave("early", [f"{region}-early" for region in FIRST_REGIONS]),
    PlannedWave("emea-1", ["eu-west-1", "eu-west-2", "eu-west-3", "eu-central-1", "eu-north-1"]),
    PlannedWave("emea-2", ["eu-central-2", "eu-south-1", "eu-south-2", "me-central-1", "il-central-1"]),
    PlannedWave("americas-1", ["us-east-1", "us-east-2", "us-west-1", "us-west-2", "ca-central-1"]),
    PlannedWave("americas-2", ["ca-west-1", "sa-east-1", "mx-central-1", "us-gov-west-1", "us-gov-east-1"]),
    PlannedWave("apac-1", ["ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-south-2"]),
    PlannedWave("apac-2", ["ap-southeast-1", "ap-southeast-2", "ap-southeast-3", "ap-southeast-4", "ap-east-1"]),
]


class SampleEnding(StrEnum):
    """How a sample ends: by its plan, by cancellation or termination, or not during the demo."""

    ITSELF = "itself"
    CANCEL = "cancel"
    TERMINATE = "terminate"
    OPEN = "open"


@dataclass(frozen=True)
class Sample:
    """A release of the demo; `role` is what it demonstrates.

    A sample that does not end by itself is settled, or ready to be ended, when the entity in `landmark` is no longer
    pending. `series` is the number of its first release: the ID lacks it, and when the latest one has ended, the next
    number follows. A `tree` runs each entity as a workflow; its landmark is one of them.
    """

    role: str
    release_id: str
    plan: ReleasePlan
    ending: SampleEnding = SampleEnding.ITSELF
    landmark: str = ""
    series: int | None = None
    tree: bool = False


def samples(pace: float = 1.0) -> Iterator[Sample]:
    """Yield all samples in start order; `pace` multiplies their durations.

    Samples shown in progress keep at least a quarter of their time.
    """
    steady = max(pace, 0.25)
    tempo = RolloutTempo(deploy=1.5, verify=0.5).at(pace)
    yield _everywhere(RolloutTempo(deploy=240, lanes=8, head_start=450).at(steady))
    yield Sample("hotfix", "release:hotfix-4711", replace(_plan(tempo, "payments"), waves=[CANARY_WAVE, EARLY_WAVE]))
    yield Sample("completed", "release:payments-2026-46", _plan(tempo, "payments", "ledger", "invoices"))
    yield _failed(_plan(tempo, "pricing", "checkout", "basket", "gift-cards"))
    yield _stopped(
        "cancelled", "release:recommendations-2026-22", SampleEnding.CANCEL, "recommendations", "reviews", "media"
    )
    yield _stopped(
        "terminated", "release:catalogue-2026-19", SampleEnding.TERMINATE, "catalogue", "inventory", "search"
    )
    yield _paused(_plan(tempo, "identity", "api-gateway", "fraud-check"))
    yield _retrying(_plan(tempo, "search", "catalogue", "recommendations", "reviews"))
    yield _children(_plan(tempo, "orders", "shipping", "notifications"))
    yield _moving(RolloutTempo(deploy=8, verify=8, rest=8, lanes=2).at(steady))


def _plan(tempo: RolloutTempo, *apps: str) -> ReleasePlan:
    return ReleasePlan(
        "web-services",
        [PlannedApp(name, APP_VERSIONS[name]) for name in apps],
        [CANARY_WAVE, EARLY_WAVE, BROAD_WAVE],
        tempo,
    )


def _past_head_start(plan: ReleasePlan) -> str:
    """Return the landmark at which every lane is past the head start."""
    position = plan.tempo.head_start + plan.tempo.lanes - 1
    return next(islice(plan.app_ids(), position, None))


def _everywhere(tempo: RolloutTempo) -> Sample:
    """1,000 entities: 1 release, 9 waves, 45 clusters with a bundle each, 900 apps, of which a few are held back."""
    held = {
        ("ledger", "eu-west-3"): "2.6.4",
        ("ledger", "me-central-1"): "2.6.4",
        ("media", "us-east-1-staff"): "10.5.9",
    }
    versions = {cluster_app_id(*place): version for place, version in held.items()}
    plan = replace(_plan(tempo, *APP_VERSIONS), waves=EVERYWHERE_WAVES, versions=versions)
    return Sample("thousand", "release:platform-2026-q4", plan, SampleEnding.OPEN, _past_head_start(plan))


def _failed(plan: ReleasePlan) -> Sample:
    fault = PlannedFault(
        "HealthCheckFailed",
        "p99 latency 2140 ms is over the limit of 800 ms for 5 minutes",
        failures=2,
        maximum=2,
        retry_seconds=plan.tempo.deploy,
    )
    plan = replace(plan, faults={cluster_app_id("pricing", "ap-southeast-2"): fault})
    return Sample("failed", "release:pricing-2026-45", plan)


def _stopped(role: str, release_id: str, ending: SampleEnding, *apps: str) -> Sample:
    """Return a sample that runs for hours after its first wave, so that it can be ended."""
    tempo = RolloutTempo(deploy=3600, lanes=2, head_start=len(apps) + 1)
    plan = _plan(tempo, *apps)
    return Sample(role, release_id, plan, ending, _past_head_start(plan))


def _paused(plan: ReleasePlan) -> Sample:
    plan = replace(plan, waves=[CANARY_WAVE, replace(EARLY_WAVE, approval=True), BROAD_WAVE])
    return Sample("paused", "release:identity-2026-12", plan, SampleEnding.OPEN, "wave:early")


def _retrying(plan: ReleasePlan) -> Sample:
    """Two apps whose image cannot be pulled for about an hour: 2, 4, 8, 16 and 32 s, then once a minute."""
    message = "rpc error: code = NotFound desc = registry.example.com/{app}: manifest unknown"
    faults = {
        cluster_app_id(app, cluster): PlannedFault(
            "ImagePullError", message.format(app=f"{app}:{APP_VERSIONS[app]}"), failures=64, maximum=70, retry_seconds=2
        )
        for app, cluster in (("search", "us-east-1"), ("reviews", "ap-southeast-2"))
    }
    plan = replace(plan, faults=faults)
    return Sample("retrying", "release:search-2026-", plan, SampleEnding.OPEN, "app:reviews-ap-southeast-2", series=31)


def _children(plan: ReleasePlan) -> Sample:
    """Return one whose waves, clusters, bundles and apps are workflows themselves, and answer no query."""
    message = "Readiness probe failed: GET /healthz: connection refused"
    fault = PlannedFault("ReadinessTimeout", message, failures=64, maximum=70, retry_seconds=2)
    landmark = cluster_app_id("shipping", "us-east-1")
    plan = replace(plan, faults={landmark: fault})
    return Sample("children", "release:orders-2026-17", plan, SampleEnding.OPEN, landmark, tree=True)


def _moving(tempo: RolloutTempo) -> Sample:
    """330 apps, two at a time: a change every four seconds on average, for more than an hour."""
    plan = replace(_plan(tempo, *list(APP_VERSIONS)[:15]), waves=WORLDWIDE_WAVES)
    return Sample("moving", "release:checkout-2026-", plan, SampleEnding.OPEN, "wave:canary", series=47)
