"""What the dashboard knows of a rollout: its entities, its execution, and what Temporal knows of its activities."""

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


# Stand for the words of a failure that cannot be read. They are no causes: different failures share them.
ENCRYPTED_FAILURE = "This failure is encrypted and can be read only with its owner's codec."
UNREADABLE_FAILURE = "This failure could not be decoded."
PLACEHOLDER_MESSAGES = frozenset({ENCRYPTED_FAILURE, UNREADABLE_FAILURE})

# Activity ids that an SDK makes where the workflow names none: a number, or a UUID.
_MADE = re.compile(r"[0-9]+|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Failure:
    """A failure as Temporal keeps it: the error's type and message, and what caused it, outermost first.

    `kind` is Temporal's own: `application` for what a workflow or an activity raised, otherwise for example `timeout`,
    `activity` or `child_workflow_execution`; then `type` names it for people. `by` is who cancelled or terminated.
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
        """The same with no message longer than a row has room for."""
        causes = tuple(cause.brief for cause in self.causes)
        return Failure(self.type, truncate(self.message), causes, self.kind, self.by)

    @property
    def root_cause(self) -> "Failure":
        """The innermost application failure; without any, the innermost that says something, such as a timeout."""
        outwards = (self, *self.causes)[::-1]
        found = (each for each in outwards if each.kind == "application")
        return next(found, next((each for each in outwards if each.message), outwards[0]))


class AttemptKind(StrEnum):
    """What is attempted. A workflow task is attempted again when the workflow code fails, a workflow as a whole
    by its retry policy.
    """

    ACTIVITY = "activity"
    NEXUS_OPERATION = "nexus_operation"
    WORKFLOW_TASK = "workflow_task"
    WORKFLOW = "workflow"


@dataclass(frozen=True, slots=True)
class Attempt:
    """A pending activity, from `describe`. `maximum` is None where attempts are not limited.

    `heartbeat` is what the activity last told of itself, as bounded text. `paused` activities try nothing until
    somebody unpauses them. One that is `over` was pending when its workflow ended, and is not tried again. `problem`
    says what of it could not be read, or that no worker polls its `task_queue`, where it has waited for one since
    `untaken_since` (UTC). `kind` tells a pending Nexus operation or a failing workflow task from an activity.
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
        """Return whether no worker polls the task queue on which it waits."""
        return self.problem is not None and self.problem.code is ProblemCode.NO_WORKER

    @property
    def label(self) -> str:
        """What to call the activity where it belongs to no row: an id that is a mere number says nothing alone."""
        named = self.activity_type and _MADE.fullmatch(self.activity_id)
        return f"{self.activity_id} ({self.activity_type})" if named else self.activity_id

    @property
    def retrying(self) -> bool:
        """Return whether an attempt has failed already and another comes by itself."""
        return self.number > 1 and self.last_failure is not None and not self.over and not self.paused

    @property
    def cause(self) -> str | None:
        """Return what is at the bottom of the last failure, as far as a row has room for it."""
        if self.last_failure is None:
            return None
        line = truncate(self.last_failure.root_cause.line)
        return f"Workflow code is failing: {line}" if self.kind is AttemptKind.WORKFLOW_TASK else line

    @property
    def brief(self) -> "Attempt":
        """The same with no text longer than a row has room for."""
        failure = self.last_failure and self.last_failure.brief
        return replace(self, last_failure=failure, heartbeat=truncate(self.heartbeat) if self.heartbeat else None)

    @property
    def severity(self) -> tuple[bool, bool, bool, bool, bool, int]:
        """Orders what is pending for one workflow: the greatest is the one to look at first."""
        # What is inside a workflow that was retried says more than that it was.
        inside = self.kind is not AttemptKind.WORKFLOW
        task = self.kind is AttemptKind.WORKFLOW_TASK
        return task, self.retrying, inside, self.paused, self.last_failure is not None, self.number


@dataclass(frozen=True, slots=True)
class Pause:
    """Who paused an execution in Temporal, since when (UTC) and why, as far as `describe` tells."""

    by: str = ""
    reason: str = ""
    since: datetime | None = None


class Initiator(StrEnum):
    """What began a run. Only a run that continues as new is part of the tree of the one before it."""

    START = "start"
    CONTINUED_AS_NEW = "continued_as_new"
    RETRY = "retry"
    CRON = "cron"
    RESET = "reset"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Origin:
    """How a run began, from its first event, which never changes.

    `attempt` counts from 1; `before` is the run that it follows and `failure` how that one failed, as for a retry;
    `cron` is its schedule. `continues` is the run that ended by continuing as this one, which makes both one tree.
    Of a reset, `reason` is why, and `kept` are the run ids of the child workflows that were started before the point
    to which the run was reset: they are part of its tree. `began_at` is when the first of the runs that continue one
    another up to this one began, as far as is known.
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
    """A workflow task that fails repeatedly: the workflow's own code raises, and nothing in it moves on."""

    attempt: int
    failure: Failure | None = None


# Shared by all rows that have none.
NO_DETAILS: Mapping[str, JsonValue] = {}


@frozen
class Entity:
    """One row of a rollout with everything below it.

    `state` is the rollout's own word, whole; `phase` is ours. `name` is never empty. `problem` says what is not
    known about this row; `overruled`, that Temporal knows better than its last word.
    `details` are the fields that the contract does not name, kept unchanged. `parent_id` is what a row that was
    asked for alone says that it is part of.
    `attempt` is the first to look at of what is pending for it, and `others` are the rest. `execution` is the child
    workflow that works on it, as it was listed or described last.
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
        """Return all that is pending for it, the first to look at first."""
        return (self.attempt, *self.others) if self.attempt else self.others

    @property
    def left_running(self) -> bool:
        """Return whether its own child workflow runs on though its release has ended."""
        return self.problem is not None and self.problem.code is ProblemCode.LEFT_RUNNING

    @property
    def version_runs(self) -> bool:
        """Return whether its version is known to run: its deployment succeeded. Elsewhere it is planned, or failed."""
        return self.version is not None and self.phase is Phase.SUCCEEDED

    @property
    def unopened(self) -> bool:
        """Return whether it lists rows below it and none of them was read, as that is done when it is opened."""
        return bool(self.child_ids) and not self.children

    def walk(self) -> Iterator["Entity"]:
        """Yield every entity from this one down, parents first, in order."""
        waiting = [self]
        while waiting:
            entity = waiting.pop()
            yield entity
            if entity.children:
                waiting += entity.children[::-1]

    def flattened(self) -> list["Entity"]:
        """The same, level by level: a third of the time, where the order does not matter."""
        found = [self]
        for entity in found:
            if entity.children:
                found += entity.children
        return found


def truncate_entity(entity: Entity) -> Entity:
    """Return an entity with no text of its own longer than a row has room for; the same where none is."""
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
        """Return whether the run has ended. A status that we do not know is not taken for an end."""
        return self not in {Status.RUNNING, Status.PAUSED, Status.UNKNOWN}


@dataclass(frozen=True, slots=True)
class WorkerPollers:
    """The workers that polled a task queue lately: their versions, empty for one that has none, and the latest poll.

    `current` is the version that takes the tasks of workflows that are bound to none; empty for workers without one.
    """

    versions: tuple[str, ...] = ()
    last_at: datetime | None = None
    current: str = ""


@dataclass(frozen=True, slots=True)
class Execution:
    """A run of a workflow as Temporal describes or lists it.

    `history_length` counts events; a list knows it for closed runs only. `attempts` maps an activity's id to what
    is pending for it, `child_runs` are the child workflows that have not ended, `failing_task` is set if the workflow's
    own code fails, and `waiting_since` (UTC) if its next step has waited for a worker for too long; `closing` is the
    failure or the reason with which the run ended; `first_run_id` is the run that this one continues, itself if none.
    A list knows nothing of these, nor whether children are pending.

    `execution_time` is when its first task is or was due, after its start for one that is delayed, waits for its
    schedule or is to be retried; `original_started_at` is the start of the run that this one was reset from, or of
    the first of those that it continues. `began_unread` says that what came before it could not be read, so that its
    work may have begun earlier.
    `status_code` is the number of a status that this dashboard does not know. `origin` is None where it was not read,
    and `next_run_id` is the run that follows one that has closed. `gaps` say what of this execution could not be read.

    `task_since` is when a worker took the workflow task that it still holds. `pollers` are those of the task queue,
    None where they were not read. `described_at` (UTC) is set for a child workflow that was described, or whose last
    event was read. `version` is the worker deployment version to which the workflow is bound. `root_run_id` is the run
    at the top of its tree where that is another workflow's.
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
        """When its work began or is to begin: after its delay, or in a run that it was reset from or continues."""
        if self.original_started_at:
            return min(self.original_started_at, self.started_at)
        due = max(self.execution_time or self.started_at, self.started_at)
        # One that ended before its time never began.
        return min(due, self.closed_at) if self.closed_at else due

    @property
    def cancelling(self) -> bool:
        """Return whether its cancellation was requested and it has not ended yet: it may be rolling back."""
        return self.cancel_requested and not self.status.closed

    def scheduled_for(self, now: datetime) -> datetime | None:
        """Return when its work is to begin, if it has not begun yet."""
        due = self.execution_time
        return due if due is not None and due > now and not self.status.closed else None


def continued_runs(execution: Execution, older: Iterable[Execution]) -> tuple[Execution, ...]:
    """Return those of the `older` runs of its id, newest first, that ended by continuing as this one, step by step."""
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
    """The runs of a workflow id that are known, newest first, and whether there are `more`.

    `listed_at` is when Temporal's list was asked (UTC), None where it could not be: then there may be others.
    """

    executions: tuple[Execution, ...] = ()
    more: bool = False
    listed_at: datetime | None = None

    @property
    def latest(self) -> Execution:
        """Return the newest run. Only once any is known."""
        return self.executions[0]

    def follows(self, run_id: str) -> bool:
        """Return whether this run continues the one before it, which ended by continuing as new."""
        runs = iter(self.executions)
        run = next((run for run in runs if run.run_id == run_id), None)
        return run is not None and self.chain(run)[1:2] == (next(runs, None),)

    def chain(self, execution: Execution) -> tuple[Execution, ...]:
        """Return the runs that continue one another up to this one, newest first: itself alone where none is known.

        A run that was retried, that its schedule began, or that was reset, continues none.
        """
        older = [run for run in self.executions if run.started_at < execution.started_at]
        return (execution, *continued_runs(execution, older))

    def first_of(self, execution: Execution) -> Execution:
        """Return the first of the runs that continue one another up to this one."""
        return self.chain(execution)[-1]


@dataclass(frozen=True, slots=True)
class LevelCoverage:
    """How far a release was read that is too large for one answer and tells its entities one at a time.

    `opened` are the ids whose rows were to be read, with those above and below them. `unplaced` are those of them that
    are not in the tree all the same, and why; None where the release says that it has no such entity.
    """

    opened: frozenset[str]
    unplaced: Mapping[str, Problem | None]


@dataclass(frozen=True, slots=True)
class Stuck:
    """That nothing has changed in a release since a moment, and why nothing will by itself."""

    since: datetime
    why: str


@dataclass(frozen=True, slots=True)
class Release:
    """A release: its execution, and its entity after the truth rules.

    `root.problem` is set where the rollout's own words are unknown; then the entity says what the execution says.
    `said_at` is set where the words are older than the rest: the release was asked and did not answer since.
    `also_pending` and `other_runs` are activities and child workflows that belong to no entity of the tree.
    `runs` are those of its workflow id, as far as a tree was read; a list does not know them.
    `levels` is set for a release that is read level by level, as it is opened.
    `history` is what has been seen of it, where its tree was looked at. `parts` summarises its tree where that was
    read for a list, which does not keep the tree; see `dashboard.domain.parts.parts_of`. `left_running` is how many
    of its child workflows run on after its end. `stuck` is set where nothing has moved for long when it was read.
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
        """When the first of the runs that continue one another up to this one began, as far as they are known."""
        return min(self.execution.began_at, self.runs.first_of(self.execution).began_at)

    @property
    def began_at(self) -> datetime | None:
        """Return when its work began; None if it has not, or where it is unknown which runs came before this one."""
        unread = self.execution.began_unread and self.runs.listed_at is None
        return None if self.scheduled_for or unread else self.chain_began_at


@dataclass(frozen=True, slots=True)
class ReleaseList:
    """One page of releases, after `offset` others. `total` is of the filtered list.

    `counts` (by execution status) are without the filter's phases and were taken at `counted_at`, which may be a few
    seconds before the rest. `next` is the source's token for the page after this one, if there may be one. `absent` are
    ids that were asked for and why they are not among the releases. `also` are further ones that ended lately, which is
    `also_whole` if there are no others. `earlier` runs of the page are left out, as another run stands for each of
    them; where the counts may have others, they are not `exact`.
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
    """Where an entity id occurs: in which release, and what it is there. `entity.problem` marks a gap."""

    release: Execution
    entity: Entity


@dataclass(frozen=True, slots=True)
class Occurrences:
    """Every occurrence found, newest release first, and how far the search went: `searched` of `total` releases."""

    entity_id: str
    found: tuple[Occurrence, ...]
    unanswered: tuple[Occurrence, ...]
    searched: int
    total: int
