"""A release of any size that changes when it is told to, and its worker: python -m bench.release ADDRESS QUEUE."""

import asyncio
import sys
from typing import Any

from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

APPS = 23


def hierarchy(release_id: str, entities: int, state: str) -> dict[str, Any]:
    """What `get_hierarchy` answers: one wave of clusters with a bundle of 23 apps each, about so many entities."""
    clusters = [_cluster(number, state) for number in range(max(entities // (APPS + 2), 1))]
    wave = {"id": "wave:all", "sequence": 1, "state": state, "clusters": clusters}
    return {"id": release_id, "state": state, "wave_ids": ["wave:all"], "waves": [wave]}


def _cluster(number: int, state: str) -> dict[str, Any]:
    apps = [
        {"id": f"app:a{number}-{app}", "name": f"service-{app}", "version": "1.0.0", "state": state}
        for app in range(APPS)
    ]
    bundle = {"id": f"bundle:b{number}", "name": "web", "state": state, "apps": apps}
    return {"id": f"cluster:c{number}", "name": f"eu-west-{number}", "state": state, "bundle": bundle}


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
    def change(self, word: str) -> None:
        """Give the first app this state."""
        self.tree["waves"][0]["clusters"][0]["bundle"]["apps"][0]["state"] = word

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
