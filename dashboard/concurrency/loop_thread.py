"""The only access from threads to the event loop: one loop thread per process."""

import asyncio
import concurrent.futures
import os
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class DeadlineExceeded(TimeoutError):
    """A call exceeded its deadline and was cancelled."""


class LoopThread:
    """Runs coroutines for waiting threads. Starts on first use, so that nothing runs before a fork."""

    def __init__(self, name: str = "temporal-loop") -> None:
        self._name = name
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._pid = 0

    def call(self, make: Callable[[], Coroutine[Any, Any, T]], deadline: float) -> T:
        """Run `make()` on the loop and wait for its result, at most `deadline` seconds.

        Raises what the coroutine raises, or DeadlineExceeded immediately at the deadline, after requesting its
        cancellation.
        """
        loop = self._running_loop()
        if threading.current_thread() is self._thread:
            raise RuntimeError("called from the loop's own thread, where waiting would never end")
        future = asyncio.run_coroutine_threadsafe(_run(make), loop)
        try:
            return future.result(deadline)
        except concurrent.futures.TimeoutError:
            if future.done():
                raise  # the coroutine's own TimeoutError, not ours
            future.cancel()
            raise DeadlineExceeded(f"no result within {deadline:g} s") from None

    def stop(self) -> None:
        """Cancel running calls and stop the thread. The next call starts a new one."""
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is None or thread is None or self._pid != os.getpid():
            return
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=5)

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            # A loop does not survive a fork: its thread stayed behind in the parent.
            if self._loop is None or self._pid != os.getpid():
                self._loop = asyncio.new_event_loop()
                self._pid = os.getpid()
                self._thread = threading.Thread(target=_serve, args=(self._loop,), name=self._name, daemon=True)
                self._thread.start()
            return self._loop


async def _run(make: Callable[[], Coroutine[Any, Any, T]]) -> T:
    # Create the coroutine on the loop: one that is never started would cause a warning.
    return await make()


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
