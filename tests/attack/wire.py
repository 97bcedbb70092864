"""What an attacker does on a connection, and what comes of it."""

import asyncio
import socket
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

# Those who attack have other addresses than those who look on.
SOURCE = "127.0.0.2"
HELD, CLOSED, REFUSED = "held", "closed", "no connection"
FORM = "application/x-www-form-urlencoded"
# A small window, so that a client that reads nothing holds up the server soon.
WINDOW = 4_096
DRIP_SECONDS = 0.2


@dataclass
class Outcome:
    """How often what came: a status, or that the connection was closed without one, refused, or held to the end."""

    counts: Counter[str] = field(default_factory=Counter)
    last: float = 0.0

    def add(self, what: str, seconds: float) -> None:
        """Note one more."""
        self.counts[what] += 1
        self.last = max(self.last, seconds)

    def join(self, other: "Outcome") -> None:
        """Count another's as well."""
        self.counts += other.counts
        self.last += other.last

    def __str__(self) -> str:
        return ", ".join(f"{count:,} {what}" for what, count in self.counts.most_common()) + f" in {self.last:.1f} s"

    @property
    def faults(self) -> int:
        """How many answers say that the dashboard made a mistake."""
        return sum(count for what, count in self.counts.items() if what.startswith("5") and what != "503")


def request(method: str, target: str, body: str = "", /, length: int | None = None, **headers: str) -> bytes:
    """A whole request; with another `length`, one whose body is to come still."""
    size = len(body) if length is None else length
    given = {"Host": "127.0.0.1", **({"Content-Length": str(size)} if size else {})}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items()), "", body]
    return "\r\n".join(lines).encode("latin-1")


async def ask(
    port: int,
    sent: bytes,
    *,
    source: str = SOURCE,
    drip: bytes = b"",
    read: bool = True,
    stay: float = 0.0,
    seconds: float = 5.0,
) -> str:
    """Send this, and then a byte of `drip` again and again; what came of it. Without `read`, nothing is taken.

    An answer of status 200 is left open for so long as `stay` says.
    """
    try:
        reader, writer = await asyncio.open_connection(
            sock=await _connected(port, source, small=not read), limit=WINDOW
        )
    except OSError:
        return REFUSED
    dripping = asyncio.create_task(_drip(writer, drip))
    try:
        async with asyncio.timeout(seconds):
            writer.write(sent)
            if not read:
                await _until_closed(writer)
                return CLOSED
            status = _status(await reader.readline())
            await asyncio.sleep(stay if status == "200" else 0)
            return status
    except TimeoutError:
        return HELD
    except (OSError, ValueError):
        return CLOSED
    finally:
        dripping.cancel()
        writer.transport.abort()


async def all_of(asks: Iterable[Callable[[], Awaitable[str]]], at_once: int = 10_000) -> Outcome:
    """What came of all these, so many at a time."""
    outcome, turns, began = Outcome(), asyncio.Semaphore(at_once), time.monotonic()

    async def one(act: Callable[[], Awaitable[str]]) -> None:
        async with turns:
            what = await act()
        outcome.add(what, time.monotonic() - began)

    await asyncio.gather(*map(one, asks))
    return outcome


async def _connected(port: int, source: str, *, small: bool) -> socket.socket:
    made = socket.socket()
    made.setblocking(False)
    if small:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WINDOW)
    try:
        made.bind((source, 0))
        await asyncio.get_running_loop().sock_connect(made, ("127.0.0.1", port))
    except OSError:
        made.close()
        raise
    return made


async def _drip(writer: asyncio.StreamWriter, drip: bytes) -> None:
    while drip:
        await asyncio.sleep(DRIP_SECONDS)
        writer.write(drip[:1])
        drip = drip[1:] + drip[:1]


async def _until_closed(writer: asyncio.StreamWriter) -> None:
    """Wait until the server lets go; what it has sent is left lying."""
    transport = writer.transport
    transport.pause_reading()  # type: ignore[attr-defined]
    made = transport.get_extra_info("socket")
    # Nothing tells of it to one who does not read.
    while not made.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) and _established(made):  # noqa: ASYNC110
        await asyncio.sleep(0.1)


def _established(made: socket.socket) -> bool:
    # The first byte of `tcp_info` is the connection's state: 1 is established.
    return made.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) == b"\x01"


def _status(line: bytes) -> str:
    return line[9:12].decode("ascii", "replace") if line.startswith(b"HTTP/1.1 ") else CLOSED
