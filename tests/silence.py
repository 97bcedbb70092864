"""A relay before a server, whose connections can go silent as they do where a network drops them without a word."""

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Self

from dashboard import ports
from dashboard.bridge import LoopThread


class Relay:
    """Passes bytes on. After `swallow`, the connections that are open stay open and carry nothing; new ones work."""

    def __init__(self, port: int) -> None:
        self._behind = port
        self._port = ports.find_free()
        self._loop = LoopThread()
        self._passing: list[asyncio.Task[None]] = []
        self._open: list[asyncio.StreamWriter] = []

    @property
    def address(self) -> str:
        """Where the relay listens."""
        return f"127.0.0.1:{self._port}"

    def swallow(self) -> None:
        """Let the open connections carry nothing from now on."""
        self._loop.call(self._stop_passing, 5)

    def __enter__(self) -> Self:
        self._loop.call(self._listen, 5)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call(self._close, 5)
        self._loop.stop()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._join, "127.0.0.1", self._port)

    async def _join(self, here: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        there, onward = await asyncio.open_connection("127.0.0.1", self._behind)
        self._open += [back, onward]
        self._passing += [asyncio.ensure_future(_pass(here, onward)), asyncio.ensure_future(_pass(there, back))]

    async def _stop_passing(self) -> None:
        for task in self._passing:
            task.cancel()
        await asyncio.wait(self._passing)
        self._passing.clear()

    async def _close(self) -> None:
        self._server.close()
        for writer in self._open:
            writer.transport.abort()
        if self._passing:
            await self._stop_passing()


async def _pass(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while chunk := await source.read(65_536):
            sink.write(chunk)
            await sink.drain()
