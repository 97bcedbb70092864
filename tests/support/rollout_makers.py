"""Small makers for what the tests read: entities, executions and hierarchies as a rollout answers them."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from dashboard.domain.entities import Attempt, Entity, Execution, Failure, Status
from dashboard.domain.ids import EntityType
from dashboard.domain.phases import phase_of

NONE: Mapping[str, str] = {}
STARTED = datetime(2026, 11, 22, 14, 2, tzinfo=UTC)


def entity(entity_id: str, state: str = "pending", *children: Entity, **fields: Any) -> Entity:
    """An entity with these children."""
    entity_type = EntityType(entity_id.partition(":")[0])
    return Entity(
        id=entity_id,
        type=entity_type,
        state=state,
        phase=fields.pop("phase", phase_of(entity_type, state)),
        name=entity_id.partition(":")[2],
        children=children,
        child_ids=tuple(child.id for child in children),
        **fields,
    )


def release(release_id: str, state: str, *children: Entity) -> Entity:
    """A release with these children, whatever its id."""
    return replace(entity("release:r", state, *children), id=release_id, name=release_id.removeprefix("release:"))


def execution(status: Status = Status.RUNNING, **fields: Any) -> Execution:
    """An execution of release:r."""
    defaults: dict[str, Any] = {
        "workflow_id": "release:r",
        "run_id": "run-1",
        "workflow_type": "ReleaseWorkflow",
        "status": status,
        "started_at": STARTED,
        "history_length": 10,
    }
    return Execution(**defaults | fields)


def retrying(activity_id: str, number: int = 4) -> Attempt:
    """A pending activity whose attempts have failed."""
    failure = Failure("ImagePullError", "image pull back-off")
    return Attempt(activity_id, number, 10, failure, None, "worker-1")


def hierarchy(clusters: int = 2, apps: int = 2, state: str = "deploying") -> dict[str, Any]:
    """What `get_hierarchy` answers for a release of one wave."""
    return {
        "id": "release:r",
        "state": "in_progress",
        "workflow_id": "release:r",
        "created_at": "2026-11-22T14:02:00Z",
        "updated_at": "2026-11-22T14:05:00Z",
        "wave_ids": ["wave:one"],
        "waves": [
            {
                "id": "wave:one",
                "release_id": "release:r",
                "sequence": 1,
                "state": "in_progress",
                "cluster_ids": [f"cluster:c{c}" for c in range(clusters)],
                "clusters": [_cluster(c, apps, state) for c in range(clusters)],
            }
        ],
    }


def wave(
    wave_id: str,
    clusters: int,
    apps: int,
    state: str = "deploying",
    but: Mapping[str, str] = NONE,
    since: str | None = None,
) -> dict[str, Any]:
    """What `get_wave_hierarchy` answers for one wave; ids are unique within the release.

    `but` are states by app, `since` is when the apps began.
    """
    name = wave_id.partition(":")[2]
    found = [_cluster(f"{name}-{cluster}", apps, state) | {"wave_id": wave_id} for cluster in range(clusters)]
    for app in (app for cluster in found for app in cluster["bundle"]["apps"]):
        app |= {"state": but.get(app["id"], state), "created_at": since}
    return {
        "id": wave_id,
        "state": "in_progress",
        "cluster_ids": [cluster["id"] for cluster in found],
        "clusters": found,
    }


def state(entity_id: str, clusters: int, apps: int, state: str = "deploying") -> dict[str, Any] | None:
    """What the state queries answer of the entities that `wave` makes, each without its children; None for others."""
    kind, _, name = entity_id.partition(":")
    if kind == "wave":
        return {key: value for key, value in wave(entity_id, clusters, 0).items() if key != "clusters"}
    parts = name[1:].split("-")
    numbers = [int(part) for part in parts[1:] if part.isdigit()]
    if not numbers or numbers[0] >= clusters or (numbers[1:] and numbers[1] >= apps):
        return None
    cluster = _cluster(f"{parts[0]}-{numbers[0]}", apps, state) | {"wave_id": f"wave:{parts[0]}"}
    bundle = cluster.pop("bundle")
    found = {"cluster": cluster, "bundle": bundle} | {app["id"]: app for app in bundle.pop("apps")}
    return found.get(kind) or found.get(entity_id)


def _cluster(number: int | str, apps: int, state: str) -> dict[str, Any]:
    names = [f"app:a{number}-{app}" for app in range(apps)]
    return {
        "id": f"cluster:c{number}",
        "wave_id": "wave:one",
        "name": f"c{number}",
        "state": "in_progress",
        "bundle_id": f"bundle:b{number}",
        "bundle": {
            "id": f"bundle:b{number}",
            "cluster_id": f"cluster:c{number}",
            "name": "web",
            "state": "in_progress",
            "app_ids": names,
            "apps": [
                {"id": name, "bundle_id": f"bundle:b{number}", "name": name[4:], "version": "1.0.0", "state": state}
                for name in names
            ],
        },
    }
