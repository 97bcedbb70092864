"""Waiting for a condition instead of for the clock."""

import time
from collections.abc import Callable


def eventually(condition: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait until the condition holds; the bound is there to end a test that has gone wrong, not to measure."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"did not come true within {seconds:g} s"
        time.sleep(0.05)
