"""Those who only look on: 20 viewers, and a balancer that asks for /health.

python -m tests.attack.bystanders PORT FILE

FILE has one session's cookie a line. For each line on the standard input, a line of JSON tells what was since the last.
"""

import asyncio
import json
import sys
import time
from pathlib import Path

# What a page does that asks, and what a balancer does, only more often: to tell how a second was.
VIEWER_SECONDS, PROBE_SECONDS = 1.0, 0.025
PATIENCE = 10.0


class Measured:
    """How long each answer took, in seconds, and how many did not come."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.failed = 0

    def told(self) -> dict[str, float]:
        """The 95th of 100, in milliseconds, and what failed."""
        times = sorted(self.seconds) or [0.0]
        return {"p95": 1000 * times[int(len(times) * 0.95)], "count": len(self.seconds), "failed": self.failed}


async def ask(port: int, path: str, cookie: str, measured: Measured) -> None:
    """Ask once, on a connection of its own."""
    began = time.perf_counter()
    try:
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nCookie: {cookie}\r\n\r\n"
            writer.write(head.encode())
            line = await reader.readline()
            await reader.read()
            writer.close()
        measured.failed += not line.startswith(b"HTTP/1.1 200")
    except (OSError, TimeoutError):
        measured.failed += 1
    measured.seconds.append(time.perf_counter() - began)


async def main(port: int, cookies: list[str]) -> None:
    """Look on until the standard input ends."""
    health, viewers = Measured(), Measured()

    async def again(path: str, cookie: str, seconds: float, name: str) -> None:
        while True:
            await ask(port, path, cookie, {"health": health, "viewers": viewers}[name])
            await asyncio.sleep(seconds)

    tasks = [asyncio.create_task(again("/health", "", PROBE_SECONDS, "health"))]
    tasks += [asyncio.create_task(again("/releases", cookie, VIEWER_SECONDS, "viewers")) for cookie in cookies]
    while await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline):
        sys.stdout.write(json.dumps({"health": health.told(), "viewers": viewers.told()}) + "\n")
        sys.stdout.flush()
        health, viewers = Measured(), Measured()


if __name__ == "__main__":
    with asyncio.Runner() as runner:
        runner.run(main(int(sys.argv[1]), Path(sys.argv[2]).read_text().split("\n")))
