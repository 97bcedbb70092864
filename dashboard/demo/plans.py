"""Plans of sample rollouts: waves, clusters, apps, pace, and failures."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class PlannedApp:
    """An app with its new version."""

    name: str
    version: str


@dataclass(frozen=True)
class PlannedWave:
    """Clusters rolled out together, with `approval` only after an approval signal."""

    name: str
    clusters: list[str]
    approval: bool = False


@dataclass(frozen=True)
class RolloutTempo:
    """The average seconds per app, and the number of concurrent apps.

    `rest` is the pause of a lane between two apps. The first `head_start` apps take no time.
    """

    deploy: float
    verify: float = 0.0
    rest: float = 0.0
    lanes: int = 3
    head_start: int = 0

    def at(self, pace: float) -> "RolloutTempo":
        """Return the tempo with durations multiplied by `pace`, dropping those too short for a timer."""
        deploy, verify, rest = (seconds * pace for seconds in (self.deploy, self.verify, self.rest))
        return replace(self, deploy=deploy, verify=_timer(verify), rest=_timer(rest))


@dataclass(frozen=True)
class PlannedFault:
    """A failure of an app: its first `failures` attempts, of at most `maximum`, fail with this error."""

    error: str
    message: str
    failures: int
    maximum: int
    retry_seconds: float = 1.0


@dataclass(frozen=True)
class ReleasePlan:
    """The input of `ReleaseWorkflow`: every cluster gets the same bundle of apps.

    `faults` are by app id, and so are `versions`, of apps that a cluster gets in another version than the others.
    """

    bundle: str
    apps: list[PlannedApp]
    waves: list[PlannedWave]
    tempo: RolloutTempo
    faults: dict[str, PlannedFault] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    def app_ids(self) -> Iterator[str]:
        """Yield the IDs of all apps in deployment order."""
        for wave in self.waves:
            for cluster in wave.clusters:
                for app in self.apps:
                    yield cluster_app_id(app.name, cluster)


@dataclass(frozen=True)
class PlannedDeployment:
    """The input of the activity that deploys one app."""

    app: str
    version: str
    cluster: str
    seconds: float
    fault: PlannedFault | None = None


def _timer(seconds: float) -> float:
    # However short, a timer takes Temporal about a second.
    return seconds if seconds >= 0.1 else 0.0


def cluster_app_id(app: str, cluster: str) -> str:
    """Return the id of an app in a cluster; unique within a release."""
    return f"app:{app}-{cluster}"
