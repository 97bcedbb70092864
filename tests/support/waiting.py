"""Waiting for a condition instead of for the clock."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

T = TypeVar("T")


def eventually(condition: Callable[[], T | None], seconds: float = 60.0) -> T:
    """Wait until the condition holds and return what it gave.

    The bound is there to end a test that has gone wrong, not to measure. What takes long is asked for less often: each
    question takes time from the very thing that is waited for.
    """
    end, pause = time.monotonic() + seconds, 0.02
    while not (found := condition()):
        assert time.monotonic() < end, f"did not come true within {seconds:g} s"
        time.sleep(pause)
        pause = min(1.5 * pause, 0.25)
    return found


def settled(viewer: FlaskClient, address: str) -> tuple[TestResponse, TestResponse]:
    """Ask until nothing is new: return an answer, and the 304 to who knows it. Other rollouts move meanwhile."""

    def twice() -> tuple[TestResponse, TestResponse] | None:
        first = viewer.get(address)
        again = viewer.get(address, headers={"If-None-Match": first.headers.get("ETag", "")})
        return (first, again) if again.status_code == 304 else None

    return eventually(twice)


def in_a_loop(make: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a coroutine to its end, in a thread of its own: the browser of other tests keeps a loop in the main one."""

    def run() -> None:
        with asyncio.Runner() as runner:
            runner.run(make())

    with ThreadPoolExecutor(1) as pool:
        pool.submit(run).result()
