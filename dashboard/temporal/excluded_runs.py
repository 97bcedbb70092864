"""Superseded runs to exclude from lists: they would displace everything else."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from dashboard.domain.entities import Execution

# How many runs, and of how many releases the earlier ones, are left out: each is a condition more.
MAX_EXCLUDED_RUNS = 20


@dataclass(frozen=True, slots=True)
class RunSpan:
    """The runs of a release that started from `since` to `until`."""

    workflow_id: str
    first_run_id: str
    since: datetime | None
    until: datetime

    def has(self, run: Execution) -> bool:
        """Return whether a run of this workflow ID is in the span."""
        return run.started_at <= self.until and (self.since is None or run.started_at >= self.since)


@dataclass(frozen=True, slots=True)
class ExcludedRuns:
    """Excluded spans by first run ID, and single runs by run ID."""

    spans: Mapping[str, RunSpan] = field(default_factory=dict)
    runs: Mapping[str, str] = field(default_factory=dict)

    def has(self, run: Execution) -> bool:
        """Return whether a run is excluded."""
        if run.run_id in self.runs:
            return True
        return any(span.workflow_id == run.workflow_id and span.has(run) for span in self.spans.values())

    def with_these(self, spans: Iterable[RunSpan], singly: Iterable[Execution]) -> "ExcludedRuns":
        """Add exclusions, dropping the oldest ones above the limit."""
        known, single = dict(self.spans), dict(self.runs)
        for span in spans:
            before = known.pop(span.first_run_id, span)
            known[span.first_run_id] = span if span.until >= before.until else before
        for run in singly:
            single.pop(run.run_id, None)
            single[run.run_id] = run.workflow_id
        return ExcludedRuns(
            dict(list(known.items())[-MAX_EXCLUDED_RUNS:]), dict(list(single.items())[-MAX_EXCLUDED_RUNS:])
        )
