"""A release of any size that changes when it is told to, and its worker: python -m bench.release ADDRESS QUEUE."""

import asyncio
import sys
from typing import Any

from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

APPS = 23
# What every entity has, as rollouts commonly say it: 1,000 entities take about 240 KB so.
TIMES = {"created_at": "2026-01-05T09:30:00.000000+00:00", "updated_at": "2026-01-05T09:45:12.345678+00:00"}


def hierarchy(release_id: str, entities: int, state: str) -> dict[str, Any]:
    """What `get_hierarchy` answers: one wave of clusters with a bundle of 23 apps each, about so many entities."""
    clusters = [_cluster(number, state) for number in range(max(entities // (APPS + 2), 1))]
    ids = [cluster["id"] for cluster in clusters]
    wave: dict[str, Any] = {"id": "wave:all", "release_id": release_id, "sequence": 1, "state": state, **TIMES}
    wave |= {"cluster_ids": ids, "clusters": clusters}
    alone = {"id": release_id, "state": state, "workflow_id": release_id, **TIMES}
    return {**alone, "wave_ids": ["wave:all"], "waves": [wave]}


def _cluster(number: int, state: str) -> dict[str, Any]:
    cluster_id, bundle_id = f"cluster:eu-west-{number}", f"bundle:web-eu-west-{number}"
    apps = [_app(f"app:service-{app}-eu-west-{number}", bundle_id, f"service-{app}", state) for app in range(APPS)]
    bundle: dict[str, Any] = {"id": bundle_id, "cluster_id": cluster_id, "name": "web", "state": state, **TIMES}
    bundle |= {"app_ids": [app["id"] for app in apps], "apps": apps}
    cluster = {"id": cluster_id, "wave_id": "wave:all", "name": f"eu-west-{number}", "state": state, **TIMES}
    return {**cluster, "bundle_id": bundle_id, "bundle": bundle}


def _app(app_id: str, bundle_id: str, name: str, state: str) -> dict[str, Any]:
    return {"id": app_id, "bundle_id": bundle_id, "name": name, "version": "1.0.0", "state": state, **TIMES}


@workflow.defn(name="ReleaseWorkflow")
class BenchRelease:
    """Answers as it was started, but for what it was told since."""

    @workflow.init
    def __init__(self, entities: int, state: str) -> None:
        self.tree = hierarchy(workflow.info().workflow_id, entities, state)

    @workflow.run
    async def run(self, entities: int, state: str) -> None:
        """Stay open."""
        await workflow.wait_condition(lambda: False)

    @workflow.signal
    def change(self, version: str) -> None:
        """Give the first app this version and another state: what stands above it counts it elsewhere then."""
        app = self.tree["waves"][0]["clusters"][0]["bundle"]["apps"][0]
        app |= {"version": version, "state": "deploying" if app["state"] == "deployed" else "deployed"}

    @workflow.query
    def get_hierarchy(self) -> dict[str, Any]:
        """The whole tree."""
        return self.tree

    @workflow.query
    def get_release_state(self) -> dict[str, Any]:
        """The release alone."""
        return {name: value for name, value in self.tree.items() if name != "waves"}


async def main(address: str, queue: str) -> None:
    """Work until the process is ended."""
    client = await Client.connect(address)
    worker = Worker(client, task_queue=queue, workflows=[BenchRelease], workflow_runner=UnsandboxedWorkflowRunner())
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await worker.run()


if __name__ == "__main__":
    with asyncio.Runner() as runner:
        runner.run(main(*sys.argv[1:]))
