"""A relay before a server: its connections can go silent as they do where a network drops them without a word."""

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Self

from dashboard.concurrency.loop_thread import LoopThread
from dashboard.server import ports


class Relay:
    """Passes bytes on. After `swallow`, the connections that are open stay open and carry nothing; new ones work.

    After `hush`, none carries anything, until `speak`.
    """

    def __init__(self, port: int) -> None:
        self._behind = port
        self.port = ports.find_free_port()
        self._loop = LoopThread()
        self._passing: list[asyncio.Task[None]] = []
        self._open: list[asyncio.StreamWriter] = []
        self._speaking = asyncio.Event()

    @property
    def address(self) -> str:
        """Where the relay listens."""
        return f"127.0.0.1:{self.port}"

    def hush(self) -> None:
        """Let no connection carry anything, the new ones neither."""
        self._loop.call(lambda: self._set_speaking(speaking=False), 60)

    def speak(self) -> None:
        """Let all connections carry what they are given, and were given meanwhile."""
        self._loop.call(lambda: self._set_speaking(speaking=True), 60)

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

    async def _set_speaking(self, *, speaking: bool) -> None:
        (self._speaking.set if speaking else self._speaking.clear)()

    async def _listen(self) -> None:
        self._speaking.set()
        self._server = await asyncio.start_server(self._join, "127.0.0.1", self.port)

    async def _join(self, here: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        try:
            there, onward = await asyncio.open_connection("127.0.0.1", self._behind)
        except ConnectionError:
            back.transport.abort()
            return
        self._open += [back, onward]
        self._passing += [asyncio.ensure_future(self._pass(*both)) for both in ((here, onward), (there, back))]

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

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while chunk := await source.read(65_536):
                await self._speaking.wait()
                sink.write(chunk)
                await sink.drain()
        sink.close()
