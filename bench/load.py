"""Puts load on a dashboard over HTTP, from a process of its own, and prints what came of it as JSON.

python -m bench.load rate URL --cookies FILE [--clients 100] [--seconds 3] [--header "Name: value"]
python -m bench.load viewers URL... --cookies FILE [--clients 1000]

FILE has one session's cookie a line; the clients take them in turn, and the viewers the addresses. Viewers open a page
and its stream, as a browser does, print "ready", and follow the news until a line comes on the standard input.
"""

import argparse
import asyncio
import json
import resource
import statistics
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

import uvloop

from bench.viewers import viewers
from bench.wire import Answer, Connection, Target

SECONDS_TO_END = 30


@dataclass
class Tally:
    """What came of many requests."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    lengths: Counter[int] = field(default_factory=Counter)
    errors: int = 0

    def told(self, taken: float) -> dict[str, object]:
        """Rates in answers a second, times in milliseconds, the shortest and the longest body in bytes."""
        times = sorted(self.seconds) or [0.0]
        return {
            "rate": len(self.seconds) / taken,
            "p50": 1000 * statistics.median(times),
            "p95": 1000 * times[int(len(times) * 0.95)],
            "lengths": [min(self.lengths, default=0), max(self.lengths, default=0)],
            "statuses": dict(self.statuses),
            "errors": self.errors,
        }


class Client:
    """Asks again as soon as it has its answer, until the time is over."""

    def __init__(self, request: bytes, until: float, tally: Tally) -> None:
        self._request = request
        self._until = until
        self._tally = tally
        self._asked_at = 0.0

    async def run(self, target: Target) -> None:
        """Ask, on another connection where one breaks."""
        loop = asyncio.get_running_loop()
        while time.perf_counter() < self._until:
            self._ended = asyncio.Event()
            try:
                _, self._connection = await loop.create_connection(
                    lambda: Connection(self._answered, self._ended.set), target.host, target.port
                )
            except OSError:
                self._tally.errors += 1
                continue
            self._ask()
            await self._ended.wait()
            self._tally.errors += self._asked_at > 0

    def _ask(self) -> None:
        self._asked_at = time.perf_counter()
        self._connection.ask(self._request)

    def _answered(self, answer: Answer) -> None:
        now = time.perf_counter()
        self._tally.seconds.append(now - self._asked_at)
        self._tally.statuses[answer.status] += 1
        self._tally.lengths[answer.length] += 1
        if now < self._until:
            self._ask()
        else:
            self._asked_at = 0.0
            self._connection.close()


async def rate(
    url: str, cookies: list[str], headers: dict[str, str], clients: int, seconds: float
) -> dict[str, object]:
    """Ask with so many clients at once."""
    tally, target = Tally(), Target.of(url)
    started = time.perf_counter()
    until = started + seconds
    asking = (
        Client(target.request(cookie, headers), until, tally).run(target)
        for cookie, _ in zip(cycle(cookies), range(clients), strict=False)
    )
    async with asyncio.timeout(seconds + SECONDS_TO_END):
        await asyncio.gather(*asking)
    return tally.told(time.perf_counter() - started)


def main() -> None:
    """Read the command line, put the load on, print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["rate", "viewers"])
    parser.add_argument("url", nargs="+")
    parser.add_argument("--cookies", type=Path, required=True)
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--header", action="append", default=[])
    asked = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4 * asked.clients + 100)), hard))
    headers = {name.strip(): value.strip() for name, _, value in (given.partition(":") for given in asked.header)}
    cookies = asked.cookies.read_text().split()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        if asked.what == "rate":
            found = runner.run(rate(asked.url[0], cookies, headers, asked.clients, asked.seconds))
        else:
            found = runner.run(viewers(asked.url, cookies, asked.clients))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
