"""Data model of a rollout: entities, executions and activities."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from pydantic import JsonValue

from dashboard.domain.history import History
from dashboard.domain.ids import EntityType
from dashboard.domain.phases import Phase
from dashboard.domain.problems import Problem, ProblemCode
from dashboard.domain.records import frozen
from dashboard.domain.truncation import truncate, truncate_details

if TYPE_CHECKING:
    # A summary of entities: it is made from what is declared here.
    from dashboard.domain.parts import PartsSummary


# Placeholders for unreadable failures. They are not causes: different failures share them.
ENCRYPTED_FAILURE = "This failure is encrypted and can be read only with its owner's codec."
UNREADABLE_FAILURE = "This failure could not be decoded."
PLACEHOLDER_MESSAGES = frozenset({ENCRYPTED_FAILURE, UNREADABLE_FAILURE})

# Activity ids that an SDK makes where the workflow names none: a number, or a UUID.
_MADE = re.compile(r"[0-9]+|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Failure:
    """A failure as stored by Temporal: the error's type and message, and its causes, outermost first.

    `kind` is Temporal's: `application` for errors raised by workflows and activities, otherwise for example `timeout`,
    `activity` or `child_workflow_execution`. `type` is the name for people. `by` is who cancelled or terminated.
    """

    type: str
    message: str
    causes: tuple["Failure", ...] = ()
    kind: str = "application"
    by: str = ""

    @property
    def line(self) -> str:
        """Type and message, without the causes."""
        if self.message in PLACEHOLDER_MESSAGES:
            return self.message
        return f"{self.type}: {self.message}" if self.type and self.message else self.type or self.message

    @property
    def brief(self) -> "Failure":
        """Return the failure with truncated messages."""
        causes = tuple(cause.brief for cause in self.causes)
        return Failure(self.type, truncate(self.message), causes, self.kind, self.by)

    @property
    def root_cause(self) -> "Failure":
        """Return the innermost application failure or, without any, the innermost informative failure."""
        outwards = (self, *self.causes)[::-1]
        found = (each for each in outwards if each.kind == "application")
        return next(found, next((each for each in outwards if each.message), outwards[0]))


class AttemptKind(StrEnum):
    """What is attempted: an activity, a workflow task, a Nexus operation, or a workflow with a retry policy."""

    ACTIVITY = "activity"
    NEXUS_OPERATION = "nexus_operation"
    WORKFLOW_TASK = "workflow_task"
    WORKFLOW = "workflow"


@dataclass(frozen=True, slots=True)
class Attempt:
    """A pending activity, from `describe`. `maximum` is None for unlimited attempts.

    `heartbeat` is the last heartbeat as truncated text. `paused` activities wait to be unpaused. If `over`, it was
    pending when its workflow ended. `problem` tells what could not be read, or that no worker polls its `task_queue`,
    on which it has been waiting since `untaken_since` (UTC). `kind` distinguishes Nexus operations and workflow tasks.
    """

    activity_id: str
    number: int
    maximum: int | None
    last_failure: Failure | None
    next_at: datetime | None
    worker: str | None
    activity_type: str = ""
    heartbeat: str | None = None
    paused: bool = False
    over: bool = False
    problem: Problem | None = None
    kind: AttemptKind = AttemptKind.ACTIVITY
    task_queue: str = ""
    untaken_since: datetime | None = None

    @property
    def unpolled(self) -> bool:
        """Return whether no worker polls its task queue."""
        return self.problem is not None and self.problem.code is ProblemCode.NO_WORKER

    @property
    def label(self) -> str:
        """Return a label for an activity without a row, adding the type to a numeric ID."""
        named = self.activity_type and _MADE.fullmatch(self.activity_id)
        return f"{self.activity_id} ({self.activity_type})" if named else self.activity_id

    @property
    def retrying(self) -> bool:
        """Return whether an attempt has failed and will be retried automatically."""
        return self.number > 1 and self.last_failure is not None and not self.over and not self.paused

    @property
    def cause(self) -> str | None:
        """Return the root cause of the last failure, truncated."""
        if self.last_failure is None:
            return None
        line = truncate(self.last_failure.root_cause.line)
        return f"Workflow code is failing: {line}" if self.kind is AttemptKind.WORKFLOW_TASK else line

    @property
    def brief(self) -> "Attempt":
        """Return a copy with truncated texts."""
        failure = self.last_failure and self.last_failure.brief
        return replace(self, last_failure=failure, heartbeat=truncate(self.heartbeat) if self.heartbeat else None)

    @property
    def severity(self) -> tuple[bool, bool, bool, bool, bool, int]:
        """Return a sort key for pending work: the greatest is the most severe."""
        # What is inside a workflow that was retried says more than that it was.
        inside = self.kind is not AttemptKind.WORKFLOW
        task = self.kind is AttemptKind.WORKFLOW_TASK
        return task, self.retrying, inside, self.paused, self.last_failure is not None, self.number


@dataclass(frozen=True, slots=True)
class Pause:
    """Who paused an execution in Temporal, when (UTC) and why, if known."""

    by: str = ""
    reason: str = ""
    since: datetime | None = None


class Initiator(StrEnum):
    """What started a run. Only continue-as-new runs share a tree with the preceding run."""

    START = "start"
    CONTINUED_AS_NEW = "continued_as_new"
    RETRY = "retry"
    CRON = "cron"
    RESET = "reset"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Origin:
    """How a run started, from its first event, which never changes.

    `attempt` counts from 1; `before` is the preceding run and `failure` its failure; `cron` is the schedule.
    `continues` is the run that continued as this one. For a reset, `reason` is why, and `kept` are run IDs of child
    workflows started before the reset point, which belong to its tree. `began_at` is the start of the continue-as-new
    chain, if known.
    """

    initiator: Initiator = Initiator.START
    attempt: int = 1
    before: str = ""
    failure: Failure | None = None
    cron: str = ""
    continues: str = ""
    reason: str = ""
    kept: frozenset[str] = frozenset()
    began_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ChildRun:
    """A child workflow that has not ended, from its parent's `describe`.

    `run_id` is empty while its start is only requested. `namespace` is another one than the dashboard's, where the
    child is known to run there. `elsewhere` says that the dashboard's own namespace does not have it. `initiated_id`
    is the event of its parent that asked for its start.
    """

    workflow_id: str
    run_id: str
    workflow_type: str
    namespace: str = ""
    elsewhere: bool = False
    initiated_id: int = 0


@dataclass(frozen=True, slots=True)
class FailingTask:
    """A workflow task that fails repeatedly: the workflow code raises an error and the workflow is stuck."""

    attempt: int
    failure: Failure | None = None


# Shared by all rows that have none.
NO_DETAILS: Mapping[str, JsonValue] = {}


@frozen
class Entity:
    """A row of a rollout with everything below it.

    `state` is the full state as reported; `phase` is ours. `name` is never empty. `problem` describes unknown data;
    `overruled` tells that Temporal's data replaced the reported state. `details` are unknown fields, unchanged.
    `parent_id` is the reported parent of a row that was queried individually. `attempt` is the most severe pending
    work, `others` are the rest. `execution` is its child workflow as last listed or described.
    """

    id: str
    type: EntityType
    state: str
    phase: Phase
    name: str
    version: str | None = None
    sequence: int | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    error: str | None = None
    problem: Problem | None = None
    overruled: bool = False
    attempt: Attempt | None = None
    child_run: ChildRun | None = None
    details: Mapping[str, JsonValue] = field(default_factory=lambda: NO_DETAILS)
    parent_id: str = ""
    child_ids: tuple[str, ...] = ()
    children: tuple["Entity", ...] = ()
    others: tuple[Attempt, ...] = ()
    execution: "Execution | None" = None

    @property
    def pending(self) -> tuple[Attempt, ...]:
        """Return all pending work, most severe first."""
        return (self.attempt, *self.others) if self.attempt else self.others

    @property
    def left_running(self) -> bool:
        """Return whether its child workflow is still running although its release has ended."""
        return self.problem is not None and self.problem.code is ProblemCode.LEFT_RUNNING

    @property
    def version_runs(self) -> bool:
        """Return whether its version is confirmed as running: its deployment succeeded."""
        return self.version is not None and self.phase is Phase.SUCCEEDED

    @property
    def unopened(self) -> bool:
        """Return whether it has rows that are loaded only when it is expanded."""
        return bool(self.child_ids) and not self.children

    def walk(self) -> Iterator["Entity"]:
        """Yield this entity and everything below it, parents first."""
        waiting = [self]
        while waiting:
            entity = waiting.pop()
            yield entity
            if entity.children:
                waiting += entity.children[::-1]

    def flattened(self) -> list["Entity"]:
        """Return this entity and everything below it level by level, which takes a third of the time."""
        found = [self]
        for entity in found:
            if entity.children:
                found += entity.children
        return found


def truncate_entity(entity: Entity) -> Entity:
    """Return an entity with truncated texts, or the same object if none is long."""
    error, details = entity.error and truncate(entity.error), truncate_details(entity.details)
    if error == entity.error and details == entity.details:
        return entity
    return replace(entity, error=error, details=details)


class Status(StrEnum):
    """The status of a workflow execution, in the SDK's spelling."""

    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"
    TERMINATED = "TERMINATED"
    CONTINUED_AS_NEW = "CONTINUED_AS_NEW"
    TIMED_OUT = "TIMED_OUT"
    PAUSED = "PAUSED"
    UNKNOWN = "UNKNOWN"

    @property
    def closed(self) -> bool:
        """Return whether the run has ended. Unknown statuses do not count as ended."""
        return self not in {Status.RUNNING, Status.PAUSED, Status.UNKNOWN}


@dataclass(frozen=True, slots=True)
class WorkerPollers:
    """Workers that recently polled a task queue: their versions (empty for unversioned) and the latest poll.

    `current` is the version for workflows without a pinned version; empty for unversioned workers.
    """

    versions: tuple[str, ...] = ()
    last_at: datetime | None = None
    current: str = ""


@dataclass(frozen=True, slots=True)
class Execution:
    """A workflow run as described or listed by Temporal.

    `history_length` counts events; lists know it for closed runs only. `attempts` maps activity IDs to pending work,
    `child_runs` are active child workflows, `failing_task` is set while the workflow code fails, and `waiting_since`
    (UTC) if its next step has been waiting for a worker for too long; `closing` is the failure or reason with which it
    ended; `first_run_id` is the first run of its chain, possibly itself. Lists have none of these.

    `execution_time` is when its first task is or was due: later than its start for delays, schedules and retries;
    `original_started_at` is the start of the run that it was reset from, or of its chain. `began_unread` tells that
    what came before could not be read, so that work may have started earlier. `status_code` is the number of an
    unsupported status. `origin` is None if not read, and `next_run_id` is the run that follows a closed one. `gaps` are
    fields that could not be decoded.

    `task_since` is when a worker started its current workflow task. `pollers` are None if not read. `described_at`
    (UTC) is set for described child workflows. `version` is the worker deployment version that it is pinned to.
    `root_run_id` is the root run of its tree if that is another workflow.
    """

    workflow_id: str
    run_id: str
    workflow_type: str
    status: Status
    started_at: datetime
    closed_at: datetime | None = None
    history_length: int | None = None
    task_queue: str = ""
    attempts: Mapping[str, Attempt] = field(default_factory=dict)
    child_runs: tuple[ChildRun, ...] = ()
    failing_task: FailingTask | None = None
    waiting_since: datetime | None = None
    closing: Failure | None = None
    first_run_id: str = ""
    children_pending: bool = False
    execution_time: datetime | None = None
    original_started_at: datetime | None = None
    began_unread: bool = False
    cancel_requested: bool = False
    pause: Pause | None = None
    status_code: int | None = None
    origin: Origin | None = None
    next_run_id: str = ""
    gaps: tuple[Problem, ...] = ()
    # Comes and goes with each task: it makes no other execution.
    task_since: datetime | None = field(default=None, compare=False, repr=False)
    pollers: WorkerPollers | None = None
    described_at: datetime | None = field(default=None, compare=False)
    version: str = ""
    root_run_id: str = ""

    @property
    def began_at(self) -> datetime:
        """Return when its work started or will start, considering delays, resets and continue-as-new."""
        if self.original_started_at:
            return min(self.original_started_at, self.started_at)
        due = max(self.execution_time or self.started_at, self.started_at)
        # One that ended before its time never began.
        return min(due, self.closed_at) if self.closed_at else due

    @property
    def cancelling(self) -> bool:
        """Return whether cancellation was requested and it has not ended yet."""
        return self.cancel_requested and not self.status.closed

    def scheduled_for(self, now: datetime) -> datetime | None:
        """Return the scheduled start if it is in the future."""
        due = self.execution_time
        return due if due is not None and due > now and not self.status.closed else None


def continued_runs(execution: Execution, older: Iterable[Execution]) -> tuple[Execution, ...]:
    """Return the `older` runs in its continue-as-new chain, newest first."""
    found: list[Execution] = []
    latest = execution
    for run in older:
        origin = latest.origin
        if origin and origin.initiator is Initiator.RESET and origin.continues not in {"", run.run_id}:
            continue  # The run that it was reset from, which went on with the same.
        if run.run_id != origin.continues if origin else run.status is not Status.CONTINUED_AS_NEW:
            break
        found.append(run)
        latest = run
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Runs:
    """The known runs of a workflow ID, newest first, and whether there are `more`.

    `listed_at` is the time of the list (UTC), None if it failed: then there may be others.
    """

    executions: tuple[Execution, ...] = ()
    more: bool = False
    listed_at: datetime | None = None

    @property
    def latest(self) -> Execution:
        """Return the newest run. There must be one."""
        return self.executions[0]

    def follows(self, run_id: str) -> bool:
        """Return whether this run continues the preceding one (continue-as-new)."""
        runs = iter(self.executions)
        run = next((run for run in runs if run.run_id == run_id), None)
        return run is not None and self.chain(run)[1:2] == (next(runs, None),)

    def chain(self, execution: Execution) -> tuple[Execution, ...]:
        """Return the continue-as-new chain up to this run, newest first.

        Runs from retries, schedules or resets continue none.
        """
        older = [run for run in self.executions if run.started_at < execution.started_at]
        return (execution, *continued_runs(execution, older))

    def first_of(self, execution: Execution) -> Execution:
        """Return the first run of the continue-as-new chain."""
        return self.chain(execution)[-1]


@dataclass(frozen=True, slots=True)
class LevelCoverage:
    """How far a release was read that is too large for one response and is read entity by entity.

    `opened` are the IDs whose contents were requested, with their ancestors and descendants. `unplaced` are those that
    are not in the tree, with the reason; None if the release reports that it does not exist.
    """

    opened: frozenset[str]
    unplaced: Mapping[str, Problem | None]


@dataclass(frozen=True, slots=True)
class Stuck:
    """Since when nothing has changed in a release, and why nothing will change on its own."""

    since: datetime
    why: str


@dataclass(frozen=True, slots=True)
class Release:
    """A release: its execution, and its entity after reconciliation.

    `root.problem` is set if the rollout's reports are unknown; then the entity reflects the execution only. `said_at`
    is set if the reports are older than the rest. `also_pending` and `other_runs` belong to no entity in the tree.
    `runs` are those of its workflow ID, if the tree was read. `levels` is set for a release that is read level by
    level. `history` is the recorded history. `parts` summarizes the tree for lists, see
    `dashboard.domain.parts.parts_of`. `left_running` is the number of its child workflows still running after its end.
    `stuck` is set if nothing has changed for long.
    """

    execution: Execution
    root: Entity
    said_at: datetime | None = None
    also_pending: tuple[Attempt, ...] = ()
    other_runs: tuple[ChildRun, ...] = ()
    runs: Runs = field(default_factory=Runs)
    levels: LevelCoverage | None = None
    history: History | None = None
    parts: "PartsSummary | None" = None
    stuck: Stuck | None = None
    left_running: int = 0
    scheduled_for: datetime | None = None

    @property
    def id(self) -> str:
        """Return the release id, which is the workflow id."""
        return self.execution.workflow_id

    @property
    def chain_began_at(self) -> datetime:
        """Return the start of the continue-as-new chain, as far as known."""
        return min(self.execution.began_at, self.runs.first_of(self.execution).began_at)

    @property
    def began_at(self) -> datetime | None:
        """Return when its work started; None if it has not, or if earlier runs are unknown."""
        unread = self.execution.began_unread and self.runs.listed_at is None
        return None if self.scheduled_for or unread else self.chain_began_at


@dataclass(frozen=True, slots=True)
class ReleaseList:
    """A page of releases after `offset` others. `total` counts the filtered list.

    `counts` (by Temporal status) ignore the phase filter and were taken at `counted_at`, a few seconds earlier. `next`
    is the source's token for the next page, if any. `absent` are requested IDs that are not in the list, with the
    reason. `also` are further recently ended releases, complete if `also_whole`. `earlier` runs were excluded from the
    page; if counts may include such runs, they are not `exact`.
    """

    releases: tuple[Release, ...]
    offset: int
    page_size: int
    total: int
    counts: Mapping[Status, int]
    counted_at: datetime
    next: bytes | None
    absent: tuple[tuple[str, Problem], ...] = ()
    also: tuple[Release, ...] = ()
    also_whole: bool = False
    earlier: int = 0
    exact: bool = True


@dataclass(frozen=True, slots=True)
class Occurrence:
    """An occurrence of an entity in a release. `entity.problem` marks a gap."""

    release: Execution
    entity: Entity


@dataclass(frozen=True, slots=True)
class Occurrences:
    """All occurrences found, newest release first, in `searched` of `total` releases."""

    entity_id: str
    found: tuple[Occurrence, ...]
    unanswered: tuple[Occurrence, ...]
    searched: int
    total: int
