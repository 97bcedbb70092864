"""The workflow of the sample rollouts in the classic shape: one workflow per release with queries."""

import asyncio
import zlib
from collections import deque
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

from dashboard.demo.activities import deploy_app
from dashboard.demo.plans import PlannedDeployment, PlannedFault, PlannedWave, ReleasePlan, RolloutTempo
from dashboard.demo.rollout import Rollout, RolloutNode

EntityJson = dict[str, Any]
RELEASE_TYPE = "ReleaseWorkflow"


@workflow.defn(name=RELEASE_TYPE)
class ReleaseWorkflow:
    """Deploys a release wave by wave. Its workflow id is the release's id."""

    @workflow.init
    def __init__(self, plan: ReleasePlan) -> None:
        # Before `run`, so that a query finds the whole tree from the first moment on.
        self._plan = plan
        self._rollout = Rollout(workflow.info().workflow_id, plan, workflow.now())
        self._taken = 0
        self._failure = ""
        self._approved = False

    @workflow.run
    async def run(self, plan: ReleasePlan) -> str:
        """Roll the release out; fail with a message that names the app and its cause."""
        try:
            for planned, wave in zip(plan.waves, self._rollout.release.children, strict=True):
                await self._approval(planned, wave)
                await self._deploy_wave(wave)
        except (asyncio.CancelledError, ActivityError):
            # An activity's error comes this far only where the release itself was cancelled.
            self._rollout.cancel(workflow.now())
            workflow.set_current_details("Cancelled.")
            raise
        done = f"{self._rollout.release.done} apps deployed in {len(plan.waves)} waves."
        workflow.set_current_details(f"Done: {done}")
        return done

    @workflow.signal
    def approve(self) -> None:
        """Approve the waiting wave."""
        self._approved = True

    @workflow.query
    def get_release_state(self) -> EntityJson:
        """Return the release, without its waves."""
        return self._rollout.release.alone()

    @workflow.query
    def get_hierarchy(self) -> EntityJson:
        """Return the release with everything below it."""
        return self._rollout.release.whole()

    @workflow.query
    def get_wave_hierarchy(self, wave_id: str) -> EntityJson | None:
        """Return one wave with everything below it."""
        wave = self._find("wave", wave_id)
        return wave.whole() if wave else None

    @workflow.query
    def get_wave_state(self, wave_id: str) -> EntityJson | None:
        """Return one wave, without its clusters."""
        return self._alone("wave", wave_id)

    @workflow.query
    def get_cluster_state(self, cluster_id: str) -> EntityJson | None:
        """Return one cluster, without its bundle."""
        return self._alone("cluster", cluster_id)

    @workflow.query
    def get_bundle_state(self, bundle_id: str) -> EntityJson | None:
        """Return one bundle, without its apps."""
        return self._alone("bundle", bundle_id)

    @workflow.query
    def get_app_state(self, app_id: str) -> EntityJson | None:
        """Return one app."""
        return self._alone("app", app_id)

    def _find(self, kind: str, entity_id: str) -> RolloutNode | None:
        node = self._rollout.index.get(entity_id)
        return node if node and node.kind == kind else None

    def _alone(self, kind: str, entity_id: str) -> EntityJson | None:
        node = self._find(kind, entity_id)
        return node.alone() if node else None

    async def _approval(self, planned: PlannedWave, wave: RolloutNode) -> None:
        if not planned.approval or self._approved:
            return
        for node in (wave, self._rollout.release):
            self._rollout.say(node, "awaiting_approval", workflow.now())
        workflow.set_current_details(f"**{planned.name}** is waiting for approval (signal `approve`).")
        await workflow.wait_condition(lambda: self._approved)
        for node in (wave, self._rollout.release):
            self._rollout.say(node, "in_progress", workflow.now())

    async def _deploy_wave(self, wave: RolloutNode) -> None:
        """Deploy the apps of a wave, a few at a time; after a failure, only complete those in progress."""
        queue = deque((cluster, app) for cluster in wave.children for app in cluster.children[0].children)
        await asyncio.gather(*(self._lane(wave, queue) for _ in range(self._plan.tempo.lanes)))
        if self._failure:
            message = f"Wave {wave.facts['name']} failed: {self._failure}"
            self._rollout.give_up(message, workflow.now())
            workflow.set_current_details(message)
            raise ApplicationError(message, type="RolloutFailed", non_retryable=True)

    async def _lane(self, wave: RolloutNode, queue: deque[tuple[RolloutNode, RolloutNode]]) -> None:
        while queue and not self._failure:
            cluster, app = queue.popleft()
            self._taken += 1
            hurried = self._taken <= self._plan.tempo.head_start
            self._rollout.begin(app, workflow.now())
            self._tell(wave, cluster, app)
            await self._deploy(cluster, app, RolloutTempo(0) if hurried else self._plan.tempo)
            if queue and not hurried:
                await _wait(self._plan.tempo.rest, app)

    def _tell(self, wave: RolloutNode, cluster: RolloutNode, app: RolloutNode) -> None:
        workflow.set_current_details(
            f"**{wave.facts['name']}**: {wave.done} of {wave.apps} apps deployed, "
            f"`{app.facts['name']} {app.facts['version']}` is going to {cluster.facts['name']}."
        )

    async def _deploy(self, cluster: RolloutNode, app: RolloutNode, tempo: RolloutTempo) -> None:
        try:
            await self._activity(cluster, app, _jittered(tempo.deploy, app))
        except ActivityError as exc:
            if is_cancelled_exception(exc):
                raise
            self._failed(app, exc)
            return
        if tempo.verify:
            self._rollout.say(app, "verifying", workflow.now())
            await _wait(tempo.verify, app)
        self._rollout.finish(app, workflow.now())

    async def _activity(self, cluster: RolloutNode, app: RolloutNode, seconds: float) -> None:
        fault = self._plan.faults.get(app.id)
        order = PlannedDeployment(
            str(app.facts["name"]), str(app.facts["version"]), str(cluster.facts["name"]), seconds, fault
        )
        await workflow.execute_activity(
            deploy_app,
            order,
            activity_id=app.id,
            start_to_close_timeout=timedelta(seconds=seconds + 300),
            heartbeat_timeout=timedelta(seconds=15),
            retry_policy=_retry_policy(fault),
        )

    def _failed(self, app: RolloutNode, exc: ActivityError) -> None:
        cause = exc.cause
        message = f"{cause.type}: {cause.message}" if isinstance(cause, ApplicationError) else str(cause)
        self._rollout.fail(app, message, workflow.now())
        self._failure = self._failure or f"{app.id.removeprefix('app:')}: {message}"


def _retry_policy(fault: PlannedFault | None) -> RetryPolicy:
    if not fault:
        return RetryPolicy(maximum_attempts=5)
    return RetryPolicy(
        initial_interval=timedelta(seconds=fault.retry_seconds),
        maximum_interval=timedelta(minutes=1),
        maximum_attempts=fault.maximum,
    )


async def _wait(seconds: float, app: RolloutNode) -> None:
    if seconds:
        await workflow.sleep(_jittered(seconds, app))


def _jittered(seconds: float, app: RolloutNode) -> float:
    """Vary a duration by up to 40 % by the app's ID, deterministically for replays."""
    return round(seconds * (0.6 + 0.8 * (zlib.crc32(app.id.encode()) % 1000) / 1000), 3)
