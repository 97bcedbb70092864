"""Activities of the sample rollouts. Nothing is deployed: an activity waits, then succeeds or fails."""

import asyncio

from temporalio import activity
from temporalio.exceptions import ApplicationError

from dashboard.demo.plans import PlannedDeployment

# Well below the heartbeat timeout that the workflow sets.
HEARTBEAT_SECONDS = 3.0


@activity.defn
async def deploy_app(order: PlannedDeployment) -> None:
    """Simulate the deployment of an app."""
    await _take(order.seconds)
    fault = order.fault
    if fault and activity.info().attempt <= fault.failures:
        raise ApplicationError(fault.message, type=fault.error)


async def _take(seconds: float) -> None:
    """Wait, but no longer than the worker runs.

    An activity interrupted by the end of its worker would count as a failed attempt, which plans do not have; so it
    ends early instead.
    """
    if seconds <= 0:
        return
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    stopping = asyncio.create_task(activity.wait_for_worker_shutdown())
    try:
        while (left := end - loop.time()) > 0 and not stopping.done():
            activity.heartbeat()
            await asyncio.wait({stopping}, timeout=min(left, HEARTBEAT_SECONDS))
    finally:
        stopping.cancel()
