"""Releases that a workflow of somebody else's starts: each is a tree of its own, and of no other release."""

from typing import Any
from uuid import uuid4

from tests.integration.test_child_workflows import part, phases, tree
from tests.support.harness import Stage
from tests.support.waiting import eventually


def named(page: Any) -> dict[str, str]:
    """The phase of each row by its name without what makes it unique."""
    return {row.removeprefix("app:"): phase for row, phase in phases(page).items()}


def there(stage: Stage, release_id: str) -> bool:
    """Whether the workflow of somebody else's has started the release."""
    return stage.ask(f"/api/releases/{release_id}").status_code == 200


def test_a_release_that_another_workflow_started_shows_its_own_parts_and_no_others(stage: Stage):
    tag = uuid4().hex[:8]
    ids = [f"{stage.prefix}-{name}" for name in ("first", "second", "empty")]
    first = part(ids[0], part(f"eu/{tag}", part(f"api/{tag}", end="pod evicted")))
    second = part(ids[1], part(f"us/{tag}", part(f"web/{tag}")))
    stage.start_tree("orchestrator", first, second, part(ids[2]))
    eventually(lambda: all(there(stage, each) for each in ids))
    eventually(lambda: named(tree(stage, ids[0])) == {"eu": "running", "api": "failed"})
    eventually(lambda: named(tree(stage, ids[1])) == {"us": "running", "web": "running"})
    assert named(tree(stage, ids[2])) == {}
    stage.end(f"eu/{tag}", "well")
    stage.end(ids[0], "well")
    eventually(lambda: stage.listed("first")["first"]["summary"].startswith("succeeded with 1 of 2 failed"))
    eventually(lambda: stage.json(f"/releases/{ids[0]}")["progress"]["failed"] == 1)
    whole = {"eu": "succeeded", "api": "failed", "us": "running", "web": "running"}
    eventually(lambda: whole.items() <= named(tree(stage, f"{stage.prefix}-orchestrator")).items())


def test_one_that_continued_as_new_below_another_workflow_keeps_what_it_began(stage: Stage):
    tag = uuid4().hex[:8]
    release_id, other = f"{stage.prefix}-anew", f"{stage.prefix}-beside"
    later = {"children": [part(f"two/{tag}")]}
    again = part(release_id, part(f"one/{tag}", abandoned=True, end="well"), end="again", next=later)
    stage.start_tree("owner", again, part(other, part(f"three/{tag}")))
    eventually(lambda: there(stage, release_id) and there(stage, other))
    eventually(lambda: named(tree(stage, release_id)) == {"one": "succeeded", "two": "running"})
    eventually(lambda: named(tree(stage, other)) == {"three": "running"})
    stage.on(f"two/{tag}", lambda handle: handle.signal("finish", "well"))
    eventually(lambda: named(tree(stage, release_id)) == {"one": "succeeded", "two": "succeeded"})
