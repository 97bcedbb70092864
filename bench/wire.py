"""HTTP/1.1 as cheaply as Python can ask it: the load shares its cores with what it measures."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import httptools

END_OF_HEAD = b"\r\n\r\n"
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
TAG = re.compile(rb"\r\nhx-ptag: *([^\r]+)", re.IGNORECASE)
UNCHANGED = 304
LONGEST_HEAD = 16 * 1024
# Where all connections read into, one after the other.
ARRIVED = memoryview(bytearray(256 * 1024))


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked for, and where."""

    host: str
    port: int
    path: str

    @classmethod
    def of(cls, url: str) -> "Target":
        """Take an address apart."""
        parts = urlsplit(url)
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        return cls(parts.hostname or "127.0.0.1", parts.port or 80, path)

    def request(self, cookie: str, headers: Mapping[str, str], prefix: str = "") -> bytes:
        """A whole request, ready to be sent."""
        lines = [f"GET {prefix}{self.path} HTTP/1.1", f"Host: {self.host}:{self.port}", f"Cookie: {cookie}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode()


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that has come as a whole: how long its body is, and the body in pieces, if it was to be kept."""

    status: int
    head: bytes
    pieces: list[bytes]
    length: int

    @property
    def body(self) -> bytes:
        """The body in one piece."""
        return b"".join(self.pieces)

    @property
    def tag(self) -> str:
        """The tag of the fragment that this is, if it is one."""
        found = TAG.search(self.head)
        return found[1].decode() if found else ""


class Connection(asyncio.BufferedProtocol):
    """One kept-alive connection; `answered` is called with each answer, `lost` when the connection has ended.

    Bodies are counted, and not copied unless they are to be kept: that would be most of the work.
    """

    def __init__(self, answered: Callable[[Answer], None], lost: Callable[[], None], *, keep: bool = False) -> None:
        self._answered = answered
        self._lost = lost
        self._keep = keep
        self._head = b""
        self._pieces: list[bytes] = []
        # Bytes of this answer: that have come, and all of them, once its head has told.
        self._came = 0
        self._whole: int | None = 0
        self._status = self._length = 0
        self.open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be ready to ask."""
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        self.open = True

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell so."""
        self.open = False
        self._lost()

    def ask(self, request: bytes) -> None:
        """Send a request; the one before it must have been answered."""
        self._head, self._pieces, self._came, self._whole = b"", [], 0, None
        self._transport.write(request)

    def close(self) -> None:
        """Let the connection go."""
        self._transport.abort()

    def get_buffer(self, sizehint: int) -> memoryview:
        """All connections read into the same place: what has come is taken at once."""
        return ARRIVED

    def buffer_updated(self, count: int) -> None:
        """Count what has come of the answer."""
        self._came += count
        if self._whole is None:
            self._head += ARRIVED[: count if self._keep else min(count, LONGEST_HEAD)]
            self._begin()
        elif self._keep:
            self._pieces.append(bytes(ARRIVED[:count]))
        if self._came == self._whole:
            self._answered(Answer(self._status, self._head, self._pieces, self._length))
        elif self._whole is not None and self._came > self._whole:
            # More than was asked for.
            self.close()

    def _begin(self) -> None:
        """Read the head, once it is there."""
        head, end, rest = self._head.partition(END_OF_HEAD)
        if not end:
            return
        self._status = int(head[9:12])
        length = LENGTH.search(head)
        if length is None and self._status != UNCHANGED:
            # Nobody can count a body that does not say how long it is.
            self.close()
            return
        self._length = int(length[1]) if length and self._status != UNCHANGED else 0
        self._whole = len(head) + len(end) + self._length
        self._head, self._pieces = head, [rest]


class Page:
    """What a viewer asks, one question after the other, connecting anew where the connection has been closed."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._connection: Connection | None = None
        self._coming: asyncio.Future[Answer] | None = None

    async def ask(self, request: bytes) -> Answer:
        """The whole answer. Raises OSError if the connection breaks."""
        loop = asyncio.get_running_loop()
        if self._connection is None or not self._connection.open:
            _, self._connection = await loop.create_connection(
                lambda: Connection(self._come, self._break, keep=True), self._target.host, self._target.port
            )
        self._coming = loop.create_future()
        self._connection.ask(request)
        return await self._coming

    def close(self) -> None:
        """Let the connection go."""
        if self._connection and self._connection.open:
            self._connection.close()

    def _come(self, answer: Answer) -> None:
        if self._coming and not self._coming.done():
            self._coming.set_result(answer)

    def _break(self) -> None:
        if self._coming and not self._coming.done():
            self._coming.set_exception(ConnectionResetError("The answer broke off"))


@dataclass(frozen=True, slots=True)
class Event:
    """A server-sent event: when it came (by the wall clock), in how many bytes, its name, its id, and its data."""

    at: float
    length: int
    name: str
    id: str
    data: list[bytes]

    @classmethod
    def of(cls, text: bytes) -> "Event":
        """Take an event apart that has just come."""
        fields: dict[bytes, list[bytes]] = {}
        for name, _, value in (line.partition(b": ") for line in text.split(b"\n")):
            fields.setdefault(name, []).append(value)
        name, version = (fields.get(field, [b""])[-1].decode() for field in (b"event", b"id"))
        return cls(time.time(), len(text), name, version, fields.get(b"data", []))


class Events(asyncio.Protocol):
    """A stream of server-sent events."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._parser = httptools.HttpResponseParser(self)
        self._text = b""
        self._heard: asyncio.Queue[Event | None] = asyncio.Queue()
        self.status: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def __aiter__(self) -> AsyncIterator[Event]:
        """All that comes, until the stream ends."""
        while event := await self._heard.get():
            yield event

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the stream."""
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._transport.write(self._request)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more comes."""
        if not self.status.done():
            self.status.set_result(0)
        self._heard.put_nowait(None)

    def close(self) -> None:
        """Let the connection go."""
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Take the chunks apart."""
        self._parser.feed_data(data)

    def on_headers_complete(self) -> None:
        """Tell whether there is a stream."""
        self.status.set_result(self._parser.get_status_code())

    def on_body(self, body: bytes) -> None:
        """Tell of each event that has come as a whole; a comment, which keeps the connection alive, is none."""
        *events, self._text = (self._text + body).split(b"\n\n")
        for text in events:
            if not text.startswith(b":"):
                self._heard.put_nowait(Event.of(text))

    def on_message_complete(self) -> None:
        """The server has said all."""
        self._heard.put_nowait(None)
