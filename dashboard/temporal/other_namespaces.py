"""Detect child workflows in other namespaces, which cannot be listed, described or linked here."""

from collections.abc import Iterable
from dataclasses import replace

from cachetools import LRUCache

from dashboard.domain.child_runs import ChildListing
from dashboard.domain.entities import ChildRun, Execution
from dashboard.temporal.client import NamespaceClient
from dashboard.temporal.deadline import Deadline
from dashboard.temporal.decode import clean_text
from dashboard.temporal.errors import CALL_ERRORS, is_not_found

# How many child workflows are located per read, and how many locations are cached.
MAX_NAMESPACE_LOOKUPS = 5
MAX_KNOWN_CHILD_NAMESPACES = 10_000
# How many of the parent's first events are searched for the start of a child workflow.
MAX_START_EVENT_ID = 1_000


class OtherNamespaceChildren:
    """Finds the namespaces of child workflows that are missing in the list. Cached, as they never change."""

    def __init__(self) -> None:
        self._known: LRUCache[str, str | None] = LRUCache(MAX_KNOWN_CHILD_NAMESPACES)

    async def placed(
        self, client: NamespaceClient, execution: Execution, children: ChildListing | None, budget: Deadline
    ) -> Execution:
        """Mark pending child workflows of an execution that are in other namespaces."""
        listed = {child.execution.run_id for child in children.listed} if children else set()
        unlisted = [run for run in execution.child_runs if run.run_id and run.run_id not in listed]
        if not unlisted:
            return execution
        await self._learn(client, execution, unlisted, budget)
        return replace(execution, child_runs=tuple(map(self._placed, execution.child_runs)))

    async def _learn(
        self, client: NamespaceClient, execution: Execution, runs: Iterable[ChildRun], budget: Deadline
    ) -> None:
        unknown = [run for run in runs if run.run_id not in self._known]
        for run in unknown[:MAX_NAMESPACE_LOOKUPS]:
            handle = client.get_workflow_handle(run.workflow_id, run_id=run.run_id)
            try:
                async with budget.bounds():
                    await handle.describe(budget)
                    self._known[run.run_id] = None
            except CALL_ERRORS as exc:
                if not is_not_found(exc):
                    return
                self._known[run.run_id] = await self._namespace_of(client, execution, run, budget)

    async def _namespace_of(
        self, client: NamespaceClient, execution: Execution, run: ChildRun, budget: Deadline
    ) -> str:
        """Return the namespace of a child workflow from its parent's first events, or an empty string."""
        if not 0 < run.initiated_id <= MAX_START_EVENT_ID:
            return ""
        handle = client.get_workflow_handle(execution.workflow_id, run_id=execution.run_id)
        try:
            async with budget.bounds():
                events = await handle.first_events(budget, limit=run.initiated_id)
        except CALL_ERRORS:
            return ""
        started = next((event for event in events if event.event_id == run.initiated_id), None)
        return (
            clean_text(started.start_child_workflow_execution_initiated_event_attributes.namespace) if started else ""
        )

    def _placed(self, run: ChildRun) -> ChildRun:
        namespace = self._known.get(run.run_id)
        return run if namespace is None else replace(run, elsewhere=True, namespace=namespace)
