"""Waiting for a condition instead of for the clock."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any


def eventually(condition: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait until the condition holds; the bound is there to end a test that has gone wrong, not to measure."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"did not come true within {seconds:g} s"
        time.sleep(0.05)


def in_a_loop(make: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a coroutine to its end, in a thread of its own: the browser of other tests keeps a loop in the main one."""

    def run() -> None:
        with asyncio.Runner() as runner:
            runner.run(make())

    with ThreadPoolExecutor(1) as pool:
        pool.submit(run).result()
