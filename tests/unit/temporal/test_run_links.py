"""Which runs another stands for since they were reset: described now and then, and never again once that is known."""

from collections import Counter
from datetime import timedelta
from typing import Any

from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse

from dashboard.domain.entities import Execution, Status
from dashboard.temporal.deadline import Deadline
from dashboard.temporal.earlier_runs import MAX_RESET_RECHECKS, SupersededRuns
from dashboard.temporal.history import RunEndingReader
from dashboard.temporal.run_links import RESET_CHECK_INTERVAL_SECONDS, RunLinkReader
from tests.support.rollout_makers import STARTED, execution
from tests.support.waiting import in_a_loop

ENDED = [
    execution(Status.COMPLETED, workflow_id=f"release:{n}", run_id=f"run-{n}") for n in range(MAX_RESET_RECHECKS + 4)
]


class Door:
    """Temporal, as far as it describes runs that have ended: each began its chain."""

    def __init__(self) -> None:
        self.described: Counter[str] = Counter()
        self.reset: dict[str, str] = {}

    def get_workflow_handle(self, workflow_id: str, *, run_id: str) -> Any:
        return Run(self, workflow_id, run_id)


class Run:
    def __init__(self, door: Door, workflow_id: str, run_id: str) -> None:
        self.door, self.workflow_id, self.run_id = door, workflow_id, run_id

    async def describe(self, budget: Deadline) -> DescribeWorkflowExecutionResponse:
        self.door.described[self.run_id] += 1
        told = DescribeWorkflowExecutionResponse()
        info = told.workflow_execution_info
        info.execution.workflow_id, info.execution.run_id = self.workflow_id, self.run_id
        info.first_run_id, info.status = self.run_id, 2  # type: ignore[assignment]
        info.start_time.FromDatetime(STARTED)
        info.close_time.FromDatetime(STARTED + timedelta(hours=1))
        told.workflow_extended_info.reset_run_id = self.door.reset.get(self.run_id, "")
        return told


def test_a_run_that_has_ended_is_described_now_and_then_until_it_was_reset():
    door, clock = Door(), [0.0]
    earlier = SupersededRuns(RunEndingReader(), RunLinkReader(lambda: clock[0]))

    async def look(runs: list[Execution]) -> set[str]:
        client: Any = door
        return set(await earlier.among(client, runs, Deadline.of(5)))

    async def looks() -> None:
        assert await look(ENDED) == set()
        assert await look(ENDED) == set()
        assert set(door.described.values()) == {1}
        door.reset["run-0"] = "run-x"
        clock[0] = RESET_CHECK_INTERVAL_SECONDS + 1
        assert await look(ENDED) == {"run-0"}
        assert sum(door.described.values()) == len(ENDED) + MAX_RESET_RECHECKS, "no look describes all of them"
        assert await look(ENDED) == {"run-0"}
        assert set(door.described.values()) == {2}
        clock[0] = 3 * RESET_CHECK_INTERVAL_SECONDS
        assert await look(ENDED[:2]) == {"run-0"}
        assert (door.described["run-0"], door.described["run-1"]) == (2, 3)

    in_a_loop(looks)
