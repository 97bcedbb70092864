"""The state of a sample rollout: a tree of entities with an index by ID and incremental roll-ups."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from dashboard.demo.plans import PlannedWave, ReleasePlan, cluster_app_id

# How an entity names its parent, and how it names its children: their ids, and themselves.
PARENT_ID_FIELD = {"wave": "release_id", "cluster": "wave_id", "bundle": "cluster_id", "app": "bundle_id"}
CHILD_FIELDS = {
    "release": ("wave_ids", "waves"),
    "wave": ("cluster_ids", "clusters"),
    "bundle": ("app_ids", "apps"),
}


class RolloutNode:
    """An entity. `apps` and `done` count the apps below it and the deployed ones."""

    __slots__ = ("apps", "children", "created", "done", "error", "facts", "id", "kind", "parent", "state", "updated")

    def __init__(self, kind: str, id: str, parent: "RolloutNode | None", now: str, **facts: str | int) -> None:
        self.kind = kind
        self.id = id
        self.parent = parent
        self.children: list[RolloutNode] = []
        self.facts = facts
        self.state = "pending"
        self.error: str | None = None
        self.created = self.updated = now
        self.apps = 0
        self.done = 0
        if parent:
            parent.children.append(self)

    def alone(self) -> dict[str, Any]:
        """Return the entity as JSON, with the ids of its children."""
        said: dict[str, Any] = {"id": self.id}
        if self.parent:
            said[PARENT_ID_FIELD[self.kind]] = self.parent.id
        said |= self.facts
        said |= {"state": self.state, "created_at": self.created, "updated_at": self.updated}
        if self.kind in CHILD_FIELDS:
            said[CHILD_FIELDS[self.kind][0]] = [child.id for child in self.children]
        elif self.kind == "cluster":
            said["bundle_id"] = self.children[0].id
        if self.error:
            said["error_message"] = self.error
        return said

    def whole(self) -> dict[str, Any]:
        """Return the entity as JSON, with everything below it."""
        said = self.alone()
        if self.kind in CHILD_FIELDS:
            said[CHILD_FIELDS[self.kind][1]] = [child.whole() for child in self.children]
        elif self.kind == "cluster":
            said["bundle"] = self.children[0].whole()
        return said

    def ancestors(self) -> Iterable["RolloutNode"]:
        """Return the entities above this one, nearest first."""
        node = self.parent
        while node:
            yield node
            node = node.parent


class Rollout:
    """All entities of one release. Changes take their time as argument."""

    def __init__(self, release_id: str, plan: ReleasePlan, now: datetime) -> None:
        self.index: dict[str, RolloutNode] = {}
        self.release = self._add("release", release_id, None, now.isoformat(), workflow_id=release_id)
        for sequence, wave in enumerate(plan.waves, start=1):
            self._add_wave(plan, wave, sequence)

    def _add_wave(self, plan: ReleasePlan, planned: PlannedWave, sequence: int) -> None:
        now = self.release.created
        wave = self._add("wave", f"wave:{planned.name}", self.release, now, sequence=sequence, name=planned.name)
        for name in planned.clusters:
            cluster = self._add("cluster", f"cluster:{name}", wave, now, name=name)
            bundle = self._add("bundle", f"bundle:{plan.bundle}-{name}", cluster, now, name=plan.bundle)
            for app in plan.apps:
                entity_id = cluster_app_id(app.name, name)
                version = plan.versions.get(entity_id, app.version)
                self._add("app", entity_id, bundle, now, name=app.name, version=version)

    def _add(self, kind: str, id: str, parent: RolloutNode | None, now: str, **facts: str | int) -> RolloutNode:
        if id in self.index:
            raise ValueError(f"{id} occurs twice in this release")
        node = self.index[id] = RolloutNode(kind, id, parent, now, **facts)
        if kind == "app":
            for above in node.ancestors():
                above.apps += 1
        return node

    def say(self, node: RolloutNode, word: str, now: datetime) -> None:
        """Set the state of an entity, updating its ancestors."""
        node.state = word
        node.updated = now.isoformat()
        for above in node.ancestors():
            above.updated = node.updated

    def begin(self, app: RolloutNode, now: datetime) -> None:
        """Start an app, and with it its ancestors."""
        self.say(app, "deploying", now)
        for above in app.ancestors():
            if above.state == "pending":
                above.state = "in_progress"

    def finish(self, app: RolloutNode, now: datetime) -> None:
        """Complete an app, and ancestors whose apps are all deployed."""
        self.say(app, "deployed", now)
        for above in app.ancestors():
            above.done += 1
            if above.done == above.apps:
                above.state = "completed"

    def fail(self, app: RolloutNode, message: str, now: datetime) -> None:
        """Fail an app, and with it its bundle, cluster and wave."""
        self.say(app, "failed", now)
        app.error = message
        for above in app.ancestors():
            if above is not self.release and above.state != "failed":
                above.state = "failed"
                above.error = f"{app.facts['name']}: {message}"

    def cancel(self, now: datetime) -> None:
        """Cancel everything in progress. Apps keep their state, as their progress is unknown."""
        for node in self.index.values():
            if node.kind != "app" and node.state in {"in_progress", "awaiting_approval"}:
                self.say(node, "cancelled", now)

    def give_up(self, message: str, now: datetime) -> None:
        """Fail the release."""
        self.say(self.release, "failed", now)
        self.release.error = message
