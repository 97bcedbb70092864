"""A sample rollout as a tree of child workflows without queries."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy

from dashboard.demo.activities import deploy_app
from dashboard.demo.plans import PlannedApp, PlannedDeployment, ReleasePlan, cluster_app_id

TREE_RELEASE_TYPE = "TreeRelease"


@dataclass(frozen=True)
class ChildRolloutInput:
    """The input of a child workflow: the plan, and its part of it."""

    plan: ReleasePlan
    wave: str
    cluster: str = ""
    app: str = ""


@workflow.defn(name=TREE_RELEASE_TYPE)
class TreeRelease:
    """A release that only starts its waves, one after another."""

    @workflow.run
    async def run(self, plan: ReleasePlan) -> str:
        """Roll the release out."""
        for wave in plan.waves:
            await _run_child(RolloutWave.run, f"wave:{wave.name}", ChildRolloutInput(plan, wave.name))
        return f"{len(plan.waves)} waves are done."


@workflow.defn
class RolloutWave:
    """Roll out the clusters of a wave concurrently."""

    @workflow.run
    async def run(self, part: ChildRolloutInput) -> None:
        """Roll this wave out."""
        clusters = next(wave.clusters for wave in part.plan.waves if wave.name == part.wave)
        await asyncio.gather(
            *(_run_child(RolloutCluster.run, f"cluster:{name}", replace(part, cluster=name)) for name in clusters)
        )


@workflow.defn
class RolloutCluster:
    """Roll out the bundle of a cluster."""

    @workflow.run
    async def run(self, part: ChildRolloutInput) -> None:
        """Roll this cluster out."""
        await _run_child(RolloutBundle.run, f"bundle:{part.plan.bundle}-{part.cluster}", part)


@workflow.defn
class RolloutBundle:
    """Roll out the apps of a bundle concurrently."""

    @workflow.run
    async def run(self, part: ChildRolloutInput) -> None:
        """Roll this bundle out."""
        await asyncio.gather(
            *(
                _run_child(RolloutApp.run, cluster_app_id(app.name, part.cluster), replace(part, app=app.name))
                for app in part.plan.apps
            )
        )


@workflow.defn
class RolloutApp:
    """Deploy an app by an activity."""

    @workflow.run
    async def run(self, part: ChildRolloutInput) -> None:
        """Deploy this app."""
        app: PlannedApp = next(app for app in part.plan.apps if app.name == part.app)
        fault = part.plan.faults.get(cluster_app_id(app.name, part.cluster))
        seconds = part.plan.tempo.deploy
        await workflow.execute_activity(
            deploy_app,
            PlannedDeployment(app.name, app.version, part.cluster, seconds, fault),
            activity_id=cluster_app_id(app.name, part.cluster),
            start_to_close_timeout=timedelta(seconds=seconds + 300),
            heartbeat_timeout=timedelta(seconds=15),
            retry_policy=RetryPolicy(
                initial_interval=timedelta(seconds=fault.retry_seconds if fault else 1),
                maximum_interval=timedelta(minutes=1),
                maximum_attempts=fault.maximum if fault else 5,
            ),
        )


TREE_WORKFLOWS = (TreeRelease, RolloutWave, RolloutCluster, RolloutBundle, RolloutApp)


async def _run_child(
    run: Callable[[Any, ChildRolloutInput], Awaitable[None]], entity_id: str, part: ChildRolloutInput
) -> None:
    """Run the child workflow of an entity, with the entity's ID."""
    await workflow.execute_child_workflow(run, part, id=entity_id)
