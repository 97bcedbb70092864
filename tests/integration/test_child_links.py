"""The way to a child workflow's own execution, in its own run and its own namespace, and none to a wrong one."""

from typing import Any
from uuid import uuid4

import pytest
from bs4 import BeautifulSoup
from google.protobuf.duration_pb2 import Duration
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest

from dashboard.domain.entity_map import EntityMap
from dashboard.domain.ids import EntityType
from tests.integration.test_child_troubles import address_of, row_of
from tests.integration.test_child_workflows import part, rows, tree
from tests.support.harness import Stage
from tests.support.replaced_services import replace_deployment
from tests.support.rollout_makers import hierarchy
from tests.support.waiting import eventually

UI = "https://ui.example.com/namespaces/default/workflows"


@pytest.fixture
def tag() -> str:
    """Makes the ids of child workflows unique in the namespace."""
    return uuid4().hex[:8]


def links(stage: Stage, path: str) -> list[str]:
    """The addresses in Temporal's own pages to which this page leads."""
    replace_deployment(stage.app, temporal_ui=UI)
    page = BeautifulSoup(stage.ask(path).text, "html.parser")
    return [str(link["href"]) for link in page.select("a.out")]


@pytest.mark.parametrize("end", [None, "boom"])
def test_a_childs_page_leads_to_the_childs_own_run_and_not_to_its_parents(stage: Stage, tag: str, end: str | None):
    release_id = stage.start_tree("r", part(f"wave:w/{tag}", end=end))
    eventually(
        lambda: (row_of(stage, release_id, f"wave:w/{tag}") or {}).get("phase") == ("failed" if end else "running")
    )
    run_id = row_of(stage, release_id, f"wave:w/{tag}")["details"]["run_id"]
    address = address_of(release_id, f"wave:w/{tag}")
    assert links(stage, address) == [f"{UI}/wave%3Aw%2F{tag}/{run_id}/history"]
    child = stage.json(address)["child"]
    assert (child["workflow_id"], child["run_id"]) == (f"wave:w/{tag}", run_id)


def test_what_runs_is_not_told_again_as_also_running_where_a_map_says_what_it_is(stage: Stage, tag: str):
    children = (part(f"deploy-{tag}-eu", workflow_type="DeployCluster"), part(f"other-{tag}", workflow_type="Notify"))
    release_id = stage.start_tree("r", *children)
    entity_map = EntityMap({}, {f"deploy-{tag}-": EntityType.CLUSTER})
    stage.show(f"WorkflowId STARTS_WITH '{stage.prefix}'", entity_map=entity_map)
    eventually(lambda: row_of(stage, release_id, "cluster:eu"))
    eventually(lambda: tree(stage, release_id)["other_runs"] == [])
    assert row_of(stage, release_id, "cluster:eu")["child_run"]["workflow_id"] == f"deploy-{tag}-eu"


def test_a_release_that_tells_of_what_a_map_names_repeats_nothing_either(stage: Stage, tag: str):
    told = hierarchy(clusters=1, apps=1)
    release_id = stage.start("r", {"get_hierarchy": told})
    entity_map = EntityMap({}, {f"deploy-{tag}-": EntityType.CLUSTER})
    stage.show(f"WorkflowId STARTS_WITH '{stage.prefix}'", entity_map=entity_map)
    stage.on(release_id, lambda handle: handle.signal("bear", f"deploy-{tag}-c0"))
    eventually(lambda: (row_of(stage, release_id, "cluster:c0") or {}).get("child_run"))
    assert tree(stage, release_id)["other_runs"] == []


def test_a_child_in_another_namespace_is_linked_to_its_own(stage: Stage, tag: str):
    async def register(client: Any) -> None:
        retention = Duration(seconds=86_400)
        request = RegisterNamespaceRequest(namespace=f"other-{tag}", workflow_execution_retention_period=retention)
        await client.workflow_service.register_namespace(request)

    stage.run(register)
    release_id = stage.start("r", {"get_hierarchy": hierarchy(clusters=1, apps=1)}, task_timeout=None)
    stage.on(release_id, lambda handle: handle.signal("send", args=[f"there-{tag}", f"other-{tag}"]))

    def there() -> list[dict[str, Any]]:
        return [run for run in tree(stage, release_id)["other_runs"] if run["elsewhere"]]

    eventually(there, 90)
    (run,) = there()
    assert (run["workflow_id"], run["namespace"]) == (f"there-{tag}", f"other-{tag}")
    found = links(stage, f"/releases/{release_id}")
    assert f"https://ui.example.com/namespaces/other-{tag}/workflows/there-{tag}/{run['run_id']}/history" in found
    assert f"{UI}/there-{tag}/{run['run_id']}/history" not in found
    assert len(rows(tree(stage, release_id))) == 4
