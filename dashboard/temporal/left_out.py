"""Runs that are not asked for, as another stands for each: they would push everything else off a page."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from dashboard.domain.entities import Execution

# How many runs, and of how many workflow ids the earlier ones, are left out: each is a condition more.
MOST = 20


@dataclass(frozen=True, slots=True)
class LeftOut:
    """By workflow id, the start up to which no run is asked for; and by run id, the workflow ids of single runs."""

    until: Mapping[str, datetime] = field(default_factory=dict)
    runs: Mapping[str, str] = field(default_factory=dict)

    def has(self, run: Execution) -> bool:
        """Whether a run is not asked for."""
        until = self.until.get(run.workflow_id)
        return run.run_id in self.runs or (until is not None and run.started_at <= until)

    def with_these(self, runs: Iterable[Execution], singly: Iterable[Execution]) -> "LeftOut":
        """The same and these `runs` with all before them, of which a schedule makes many; the others `singly`."""
        until, single = dict(self.until), dict(self.runs)
        for run in runs:
            before = until.pop(run.workflow_id, run.started_at)
            until[run.workflow_id] = max(before, run.started_at)
        for run in singly:
            single.pop(run.run_id, None)
            single[run.run_id] = run.workflow_id
        return LeftOut(dict(list(until.items())[-MOST:]), dict(list(single.items())[-MOST:]))
