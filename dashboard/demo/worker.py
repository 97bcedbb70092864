"""The worker of the sample rollouts: `python -m dashboard.demo.worker [--pace N]`.

It finds Temporal by the standard settings, starts the samples, brings each to where it is worth a look, and then
works until it is stopped. It prints `started` and `settled` on standard output.
"""

import asyncio
import logging
import os
import signal
import sys
from concurrent.futures import Future
from contextlib import suppress
from datetime import timedelta
from typing import NoReturn

import click
from asgiref.sync import async_to_sync
from temporalio.client import Client
from temporalio.envconfig import ClientConfig
from temporalio.runtime import LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from dashboard.demo.activities import deploy_app
from dashboard.demo.seed import DEMO_TASK_QUEUE, seed_samples
from dashboard.demo.tree import TREE_WORKFLOWS
from dashboard.demo.workflows import ReleaseWorkflow

CONNECT_SECONDS = 60.0
WORKER_STOP_SECONDS = 3
ACTIVITY_GRACE = timedelta(seconds=1)
STICKY_QUEUE_TIMEOUT = timedelta(seconds=2)


async def run_worker(asked_to_stop: Future[None], pace: float) -> None:
    """Run the worker and the seeding until asked to stop."""
    stop = asyncio.wrap_future(asked_to_stop)
    client = await _connect(stop)
    worker = Worker(
        client,
        task_queue=DEMO_TASK_QUEUE,
        workflows=[ReleaseWorkflow, *TREE_WORKFLOWS],
        activities=[deploy_app],
        graceful_shutdown_timeout=ACTIVITY_GRACE,
        # The sandbox makes a replay, and so the first page after a restart, three times as slow.
        workflow_runner=UnsandboxedWorkflowRunner(),
        # How long a task waits for the worker of an earlier run of the demo before this one gets it.
        sticky_queue_schedule_to_start_timeout=STICKY_QUEUE_TIMEOUT,
    )
    async with worker:
        seeding = asyncio.create_task(seed_samples(client, pace, _say))
        await asyncio.wait({stop, seeding}, return_when=asyncio.FIRST_COMPLETED)
        seeding.cancel()
        with suppress(asyncio.CancelledError):
            await seeding


async def _connect(stop: asyncio.Future[None]) -> Client:
    """Connect to Temporal, which may still be starting."""
    connection = ClientConfig.load_client_connect_config()
    # Below errors, it logs every activity that ended after its release.
    errors = LoggingConfig(filter=TelemetryFilter(core_level="ERROR", other_level="ERROR"))
    runtime = Runtime(telemetry=TelemetryConfig(logging=errors))
    end = asyncio.get_running_loop().time() + CONNECT_SECONDS
    while True:
        try:
            return await Client.connect(**connection, runtime=runtime)
        except RuntimeError:
            # The SDK's message if the address does not respond.
            if asyncio.get_running_loop().time() > end or stop.done():
                raise
        await asyncio.wait({stop}, timeout=0.2)


def _say(word: str) -> None:
    click.echo(word)
    sys.stdout.flush()


@click.command()
@click.option("--pace", type=click.FloatRange(min=0, min_open=True), default=1.0, help="Multiplies durations.")
def main(pace: float) -> None:
    """Run until SIGTERM or SIGINT."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # The samples' plans have activities fail; their tracebacks would bury what matters.
    logging.getLogger("temporalio.activity").setLevel(logging.ERROR)
    asked_to_stop: Future[None] = Future()

    def ask(*_: object) -> None:
        # Temporal may have gone first; it would take long to find that it cannot be told the last results.
        signal.alarm(WORKER_STOP_SECONDS)
        if not asked_to_stop.done():
            asked_to_stop.set_result(None)

    # The loop runs in another thread than this one, the only one that may receive signals.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ask)
    try:
        async_to_sync(run_worker)(asked_to_stop, pace)
    except Exception:
        logging.exception("The worker of the sample rollouts has failed")
        _exit(1)
    _exit(0)


def _exit(code: int) -> NoReturn:
    """Exit immediately. A process that used a Temporal client may crash during interpreter shutdown."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
