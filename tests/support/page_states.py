"""Releases in every state that a page can show."""

from typing import Any

from tests.integration.test_levels import answers
from tests.support.harness import Stage
from tests.support.rollout_makers import hierarchy
from tests.support.waiting import eventually

WORDS = (
    "pending",
    "deploying",
    "deployed",
    "failed",
    "cancelled",
    "terminated",
    "timed_out",
    "awaiting_approval",
    "bake time nobody knows of",
)
LONG = "Readiness probe failed: GET /healthz on port 8080 of every instance: connection refused, for 10 minutes"


def mixed() -> dict[str, Any]:
    """A tree in which each word stands in a row of its own, one row is malformed and one has failed at length."""
    tree = hierarchy(clusters=4, apps=len(WORDS))
    clusters = tree["waves"][0]["clusters"]
    for bundle in (cluster["bundle"] for cluster in clusters[1:]):
        # The words are in the first cluster; of what is alike, two are enough.
        bundle |= {"app_ids": bundle["app_ids"][:2], "apps": bundle["apps"][:2]}
    for app, word in zip(clusters[0]["bundle"]["apps"], WORDS, strict=True):
        app["state"] = word
    clusters[0]["bundle"]["apps"][3]["error_message"] = LONG
    clusters[1]["bundle"]["apps"][0] = {"state": 17}
    for app in clusters[2]["bundle"]["apps"]:
        app["state"] = "deployed"
    for app in clusters[3]["bundle"]["apps"]:
        app |= {"state": "pending", "version": "2.0.0"}
    later = {"id": "wave:two", "release_id": "release:r", "sequence": 2, "state": "awaiting_approval"}
    tree["waves"].append(later | {"cluster_ids": [], "clusters": []})
    return tree


def told(tree: dict[str, Any]) -> dict[str, Any]:
    """What a release answers whose tree this is."""
    by_id = {"app:a0-0": {"id": "app:a0-0", "state": "deploying"}}
    release = {key: value for key, value in tree.items() if key != "waves"}
    return {"get_hierarchy": tree, "get_release_state": release, "get_app_state": {"by_id": by_id}}


def start_all(stage: Stage) -> dict[str, str]:
    """Start one release of each kind; the ids by name, once all stand where they belong and the list has them."""
    ids = {
        "mixed": stage.start("mixed", told(mixed())),
        "large": stage.start("large", answers(["wave:a", "wave:b"])),
        "mute": stage.start("mute", {"get_hierarchy": {"raise": "no such query"}}),
        "paused": stage.start("paused", told(hierarchy() | {"state": "awaiting_approval"})),
        "odd": stage.start("odd", told(hierarchy(state="soaking") | {"state": "soaking"})),
        **{name: stage.start(name, told(hierarchy())) for name in ("done", "failed", "cancelled", "terminated")},
    }
    stage.on(ids["mixed"], lambda handle: handle.signal("retry", "app:a0-1"))
    stage.end(ids["done"], "well")
    stage.end(ids["failed"], LONG)
    stage.on(ids["cancelled"], lambda handle: handle.cancel())
    stage.on(ids["terminated"], lambda handle: handle.terminate("rolled back by hand"))
    ended = {"done": "succeeded", "failed": "failed", "cancelled": "cancelled", "terminated": "terminated"}
    eventually(lambda: ended.items() <= {name: item["phase"] for name, item in stage.listed(*ids).items()}.items())
    eventually(lambda: stage.json(f"/releases/{ids['mixed']}/entities/app:a0-1")["entity"]["attempt"])
    return ids
