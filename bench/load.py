"""Puts load on a dashboard over HTTP, from a process of its own, and prints what came of it as JSON.

python -m bench.load requests URL --cookie C [--clients 100] [--seconds 5] [--header "Name: value"]
python -m bench.load viewers URL --cookie C [--clients 1000] [--mark TEXT]

`viewers` opens the page's stream for each viewer, prints "ready", and asks for the page's news as a browser does until
a line comes on its standard input; `mark` is a text that only the changed page has.
"""

import argparse
import asyncio
import json
import resource
import statistics
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from urllib.parse import urlsplit

SECONDS_TO_CONNECT = 30


@dataclass
class Answer:
    """The status, the headers with small names, and the body of an answer."""

    status: int
    headers: dict[str, str]
    body: bytes


class Connection:
    """One kept-alive connection, as a browser holds it."""

    def __init__(self, url: str, cookie: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self.path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        self._cookie = cookie
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def get(self, path: str, headers: dict[str, str]) -> Answer:
        """Ask and wait for the whole answer."""
        reader = await self.send(path, headers)
        status, answered = await head(reader)
        return Answer(status, answered, await body(reader, answered))

    async def send(self, path: str, headers: dict[str, str]) -> asyncio.StreamReader:
        """Ask, and return where the answer comes from."""
        if self._writer is None or self._writer.is_closing() or self._reader is None:
            self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        lines = [f"GET {path} HTTP/1.1", f"Host: {self._host}:{self._port}", f"Cookie: {self._cookie}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self._writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        await self._writer.drain()
        return self._reader

    def close(self) -> None:
        """Let the connection go."""
        if self._writer:
            self._writer.close()


async def head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    """The status and the headers of an answer."""
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:] if line)}
    return int(lines[0].split()[1]), headers


async def body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    """What follows the headers: of a length that they name, or in chunks."""
    if headers.get("transfer-encoding") != "chunked":
        return await reader.readexactly(int(headers.get("content-length", 0)))
    parts = []
    while size := int((await reader.readline()).split(b";")[0], 16):
        parts.append((await reader.readexactly(size + 2))[:-2])
    await reader.readline()
    return b"".join(parts)


@dataclass
class Tally:
    """What came of many requests."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    received: int = 0
    errors: int = 0


async def ask_on(url: str, cookie: str, headers: dict[str, str], until: float, tally: Tally) -> None:
    """One client that asks again as soon as it has its answer."""
    connection = Connection(url, cookie)
    while time.monotonic() < until:
        started = time.monotonic()
        try:
            answer = await connection.get(connection.path, headers)
        except (OSError, asyncio.IncompleteReadError):
            tally.errors += 1
            connection.close()
            connection = Connection(url, cookie)
            continue
        tally.seconds.append(time.monotonic() - started)
        tally.statuses[answer.status] += 1
        tally.received += len(answer.body)
    connection.close()


async def requests(url: str, cookie: str, headers: dict[str, str], clients: int, seconds: float) -> dict[str, object]:
    """Ask with so many clients at once; rates are in answers a second, times in milliseconds."""
    tally = Tally()
    started = time.monotonic()
    await asyncio.gather(*(ask_on(url, cookie, headers, started + seconds, tally) for _ in range(clients)))
    taken = time.monotonic() - started
    times = sorted(tally.seconds)
    return {
        "rate": len(times) / taken,
        "p50": 1000 * statistics.median(times),
        "p95": 1000 * times[int(len(times) * 0.95)],
        "bytes": tally.received // max(len(times), 1),
        "statuses": dict(tally.statuses),
        "errors": tally.errors,
    }


@dataclass
class Seen:
    """When viewers had the changed page (by the wall clock), how many bytes that took, and who lost the stream."""

    at: list[float] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    lost: int = 0
    connected: int = 0


async def view(url: str, cookie: str, mark: bytes, seen: Seen, there: asyncio.Event) -> None:
    """One viewer: a page, its stream, and the page's news whenever the stream says that there are some."""
    page = Connection(url, cookie)
    fragment = {"HX-Request": "true"}
    first = await page.get(page.path, fragment)
    tag = first.headers.get("hx-ptag", "")
    stream = Connection(url, cookie)
    reader = await stream.send(f"/live{stream.path}", {"Accept": "text/event-stream"})
    status, _ = await head(reader)
    there.set()
    if status != 200:
        seen.lost += 1
        return
    seen.connected += 1
    try:
        while line := await reader.readline():
            if line.strip() != b"event: changed":
                continue
            news = await page.get(page.path, fragment | {"HX-PTag": tag})
            tag = news.headers.get("hx-ptag", tag)
            if mark in news.body:
                seen.at.append(time.time())
                seen.sizes.append(len(news.body))
        seen.lost += 1
    except (OSError, asyncio.IncompleteReadError):
        seen.lost += 1
    finally:
        stream.close()
        page.close()


async def viewers(url: str, cookie: str, mark: str, clients: int) -> dict[str, object]:
    """Look with so many viewers until a line comes on the standard input."""
    seen = Seen()
    gate = asyncio.Semaphore(50)

    async def arrive() -> None:
        async with gate:
            there = asyncio.Event()
            looking.append(asyncio.create_task(view(url, cookie, mark.encode(), seen, there)))
            async with asyncio.timeout(SECONDS_TO_CONNECT):
                await there.wait()

    looking: list[asyncio.Task[None]] = []
    await asyncio.gather(*(arrive() for _ in range(clients)))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.readline)
    lost = seen.lost
    for task in looking:
        task.cancel()
    await asyncio.gather(*looking, return_exceptions=True)
    return {"at": sorted(seen.at), "bytes": max(seen.sizes, default=0), "connected": seen.connected, "lost": lost}


def main() -> None:
    """Read the command line, put the load on, print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["requests", "viewers"])
    parser.add_argument("url")
    parser.add_argument("--cookie", default="")
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--header", action="append", default=[])
    parser.add_argument("--mark", default="")
    asked = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4 * asked.clients + 100)), hard))
    headers = {name.strip(): value.strip() for name, _, value in (given.partition(":") for given in asked.header)}
    with asyncio.Runner() as runner:
        if asked.what == "requests":
            found = runner.run(requests(asked.url, asked.cookie, headers, asked.clients, asked.seconds))
        else:
            found = runner.run(viewers(asked.url, asked.cookie, asked.mark, asked.clients))
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
