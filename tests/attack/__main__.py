"""Attacks `serve` on both databases for two minutes, and prints what came of it: python -m tests.attack.

20 viewers look on, each with a page a second. The attackers have another address, 127.0.0.2.
"""

import asyncio
import os
import resource
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from temporalio.client import Client as Temporal

from bench.release import BenchRelease
from dashboard.concurrency.loop_thread import LoopThread
from dashboard.demo.children import spawn_process, stop_processes
from dashboard.demo.server import EmbeddedTemporal
from tests.attack.attacks import ATTACKS
from tests.attack.costs import LENGTHS, costs
from tests.attack.stand import VIEWERS, Stand, standing
from tests.support.postgres import running
from tests.support.waiting import eventually

# What /health may take beside the viewers, in milliseconds, for 95 of 100.
HEALTH_MS = 100
LEAST_SECONDS = 1.5
MOST_WAITS = 30
WIDTHS = (8, 16, 62, 14, 14)


def main() -> int:
    """Attack, print, stop everything; how many answers were mistakes of the dashboard's."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 16_384), most))
    faults = 0
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        temporal = _temporal(stack, folder)
        postgres = stack.enter_context(running())
        urls = {"SQLite": f"sqlite:///{folder / 'accounts.db'}", "PostgreSQL": stack.enter_context(postgres.database())}
        for name, url in urls.items():
            (own := folder / name).mkdir()
            with standing(own, temporal, url) as stand, asyncio.Runner() as runner:
                faults += runner.run(_attack(stand, name))
                if name == "SQLite":
                    runner.run(_print_costs(stand))
    return faults


def _temporal(stack: ExitStack, folder: Path) -> str:
    """A Temporal with one release of 1,000 rows."""
    temporal = stack.enter_context(EmbeddedTemporal(log=folder / "temporal.log"))
    log = folder / "worker.log"
    worker = spawn_process(
        "worker", [sys.executable, "-m", "bench.release", temporal.address, "attack"], env=os.environ, log=log
    )
    stack.callback(stop_processes, [worker], 10)
    eventually(lambda: "ready" in log.read_text() or worker.check())

    async def start() -> None:
        client = await Temporal.connect(temporal.address)
        await client.start_workflow(
            BenchRelease.run, args=[1_000, "deploying"], id="release:attacked", task_queue="attack"
        )

    loop = LoopThread()
    loop.call(start, 60)
    loop.stop()
    return temporal.address


async def _attack(stand: Stand, database: str) -> int:
    faults = 0
    _print(f"\n{database}", "attack", "what came of it", "/health p95", f"{VIEWERS} viewers p95")
    await asyncio.sleep(2)
    _print("", "none", "", *_looked_on(stand))
    for kind, attacks in ATTACKS.items():
        for attack in attacks:
            stand.measured()
            outcome = await attack(stand)
            # Those who look on see little of what is over in a moment.
            while outcome.last < LEAST_SECONDS:
                outcome.join(await attack(stand))
            seen = _looked_on(stand)
            _print(kind, attack.__name__.replace("_", " "), str(outcome), *seen)
            faults += outcome.faults
            await _settled(stand)
            if stand.served.process.poll() is not None:
                raise SystemExit(f"The dashboard has ended: {stand.served.log.read_text()}")
    return faults


async def _settled(stand: Stand) -> None:
    """Wait until the dashboard is done with what it was asked, so that the next attack finds it as the first did."""
    for _ in range(MOST_WAITS):
        before = stand.processor_seconds()
        await asyncio.sleep(0.2)
        if stand.processor_seconds() - before < 0.1:
            return


def _looked_on(stand: Stand) -> tuple[str, str]:
    seen = stand.measured()
    health, viewers = seen["health"], seen["viewers"]
    fine = "" if health["p95"] <= HEALTH_MS and not health["failed"] else " NO"
    lost = f", {viewers['failed']} lost" if viewers["failed"] else ""
    return f"{health['p95']:.0f} ms{fine}", f"{viewers['p95']:.0f} ms{lost}"


async def _print_costs(stand: Stand) -> None:
    _say("\nProcessor time of one request in ms, by the length of what is sent\n")
    _say("".join(text.ljust(16) for text in ("", *(f"{length:,} bytes" for length in LENGTHS))))
    for name, figures in await costs(stand):
        _say("".join(text.ljust(16) for text in (name, *figures)))


def _print(*row: str) -> None:
    _say("  ".join(text.ljust(width) for text, width in zip(row, WIDTHS, strict=True)))


def _say(line: str) -> None:
    sys.stdout.write(f"{line.rstrip(' ')}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    failed = main()
    # A process that has used Temporal's client may crash in the interpreter's own shutdown, after all is done.
    sys.stdout.flush()
    os._exit(1 if failed else 0)
