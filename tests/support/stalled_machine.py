"""How soon a dashboard that has seen nothing answers."""

from collections.abc import Callable
from time import monotonic
from typing import TypeVar

import pytest

from tests.support.harness import Stage

T = TypeVar("T")
TRIES = 3


def within(seconds: float, stage: Stage, ask: Callable[[], T]) -> T:
    """The answer that came in time. Where a machine stalls, another dashboard that has seen nothing is asked."""
    late = []
    while len(late) < TRIES:
        started = monotonic()
        answer = ask()
        took = monotonic() - started
        if took < seconds:
            return answer
        late.append(took)
        stage.show(f"WorkflowId STARTS_WITH '{stage.prefix}'")
    pytest.fail(f"later than {seconds:g} s each time: {late}")
