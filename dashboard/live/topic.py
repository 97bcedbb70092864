"""Topics: what pages show and the poller polls, one class per kind."""

from dataclasses import dataclass

from dashboard.domain.filters import PageRequest


@dataclass(frozen=True, slots=True)
class ReleaseTopic:
    """A release with its tree: its latest run, or the run with this ID."""

    release_id: str
    run_id: str | None = None


@dataclass(frozen=True, slots=True)
class RowTopic:
    """One run of a release, as in a row of a list."""

    workflow_id: str
    run_id: str


@dataclass(frozen=True, slots=True)
class ListTopic:
    """A page of the list."""

    page_request: PageRequest


@dataclass(frozen=True, slots=True)
class ProblemsTopic:
    """Current problems across releases."""


@dataclass(frozen=True, slots=True)
class OccurrencesTopic:
    """The releases in which an entity occurs."""

    entity_id: str


PolledTopic = ReleaseTopic | RowTopic | ListTopic | ProblemsTopic | OccurrencesTopic
"""Topics that are read and polled themselves. The others are made of these."""


@dataclass(frozen=True, slots=True)
class HistoryTopic:
    """A release with its recorded changes."""

    release: ReleaseTopic


@dataclass(frozen=True, slots=True)
class PairTopic:
    """Two releases to compare."""

    left: ReleaseTopic
    right: ReleaseTopic


@dataclass(frozen=True, slots=True)
class WallTopic:
    """A wall screen: a page of the list, and one of its releases."""

    listing: ListTopic
    release: ReleaseTopic


Topic = PolledTopic | HistoryTopic | PairTopic | WallTopic
