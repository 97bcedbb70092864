"""What the panel of an app tells as the app is deployed, retried and done, on the real server."""

from typing import Any

from dashboard.domain.history import MAX_CHANGES_PER_ENTITY
from tests.support.harness import Stage
from tests.support.rollout_makers import hierarchy
from tests.support.waiting import eventually

APP = "app:a0-0"


def said(state: str) -> dict[str, Any]:
    """What the release answers while its first app is in this state."""
    tree = hierarchy()
    tree["waves"][0]["clusters"][0]["bundle"]["apps"][0]["state"] = state
    return {"get_hierarchy": tree, "get_release_state": {key: tree[key] for key in tree if key != "waves"}}


class Panel:
    """The panel of the app, asked for again and again, so that the release is watched."""

    def __init__(self, stage: Stage, release_id: str) -> None:
        self._stage = stage
        self._path = f"/releases/{release_id}/entities/{APP}/panel"

    @property
    def selected(self) -> dict[str, Any]:
        found: dict[str, Any] = self._stage.json(self._path)["selected"]
        return found

    def shows(self, state: str, *, retrying: bool = False) -> bool:
        entity = self.selected["entity"]
        return entity["state"] == state and bool(entity["attempt"] and entity["attempt"]["retrying"]) == retrying

    @property
    def history(self) -> list[str]:
        """Its states, oldest first, each once however many attempts it took."""
        told = [f"{line['state']}{' again' if line['attempt'] else ''}" for line in self.selected["history"]["states"]]
        return [line for line, before in zip(told, [None, *told], strict=False) if line != before]


def test_an_app_that_is_deployed_retried_and_done_has_exactly_that_history(stage: Stage):
    release_id = stage.start("r", said("pending"))
    panel = Panel(stage, release_id)
    eventually(lambda: panel.shows("pending"))
    stage.tell(release_id, said("deploying"))
    eventually(lambda: panel.shows("deploying"))
    stage.on(release_id, lambda handle: handle.signal("retry", APP))
    eventually(lambda: panel.shows("deploying", retrying=True))
    attempt = panel.selected["entity"]["attempt"]
    assert attempt["last_failure"]["type"] == "ImagePullError"
    assert [cause["type"] for cause in attempt["last_failure"]["causes"]] == ["ConnectionError"]
    stage.on(release_id, lambda handle: handle.signal("rest"))
    eventually(lambda: panel.shows("deploying"))
    stage.tell(release_id, said("deployed"))
    eventually(lambda: panel.shows("deployed"))
    assert panel.history == ["pending", "deploying", "deploying again", "deploying", "deployed"]
    states = panel.selected["history"]["states"]
    assert [state["seen_at"] for state in states] == sorted(state["seen_at"] for state in states)
    assert len(states) <= MAX_CHANGES_PER_ENTITY + 1
    assert [state["first"] for state in states] == [True] + [False] * (len(states) - 1)


def test_a_panel_of_the_same_state_as_before_still_tells_what_was_in_between(stage: Stage):
    release_id = stage.start("r", said("deploying"))
    panel = Panel(stage, release_id)
    eventually(lambda: panel.shows("deploying"))
    for state in ("failed", "deploying"):
        stage.tell(release_id, said(state))
        eventually(lambda state=state: panel.shows(state))
    assert panel.history == ["deploying", "failed", "deploying"]


def test_an_entity_of_a_large_release_is_read_to_be_selected_and_told_since_then(stage: Stage):
    tree = {key: value for key, value in hierarchy().items() if key != "waves"}
    answers = {
        "get_hierarchy": {"repeat": 2_200_000},
        "get_release_state": tree | {"wave_ids": ["wave:w"]},
        **{
            f"get_{kind}_state": {"state_of": {"clusters": 2, "apps": 2}}
            for kind in ("wave", "cluster", "bundle", "app")
        },
    }
    release_id = stage.start("large", answers)
    app = "app:aw-1-1"

    def found() -> bool:
        selected = stage.json(f"/releases/{release_id}?selected={app}")["selected"]
        return bool(selected["entity"])

    eventually(found)
    selected = stage.json(f"/releases/{release_id}/entities/{app}/panel")["selected"]
    assert [step["id"] for step in selected["path"]] == [release_id, "wave:w", "cluster:cw-1", "bundle:bw-1"]
    assert [state["state"] for state in selected["history"]["states"]] == ["deploying"]
