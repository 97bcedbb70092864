"""The work of the sample rollouts. Nothing is deployed: an activity takes its time, then succeeds or fails."""

import asyncio

from temporalio import activity
from temporalio.exceptions import ApplicationError

from dashboard.demo.plans import PlannedDeployment

# Well below the heartbeat timeout that the workflow sets.
HEARTBEAT_SECONDS = 3.0


@activity.defn
async def deploy_app(order: PlannedDeployment) -> None:
    """Deploy one app, or fail as its plan says."""
    await _take(order.seconds)
    fault = order.fault
    if fault and activity.info().attempt <= fault.failures:
        raise ApplicationError(fault.message, type=fault.error)


async def _take(seconds: float) -> None:
    """Wait, but no longer than the worker lives.

    An activity that the end of its worker interrupts would count as a failed attempt: the samples would show
    failures that their plans do not have, each time the demo is restarted. So it comes to its end early instead.
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
