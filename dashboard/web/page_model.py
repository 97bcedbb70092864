"""What every page says, whatever it shows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, ClassVar, Protocol, TypeVar, dataclass_transform

from pydantic import BaseModel, ConfigDict, Field

from dashboard.domain.phases import Phase
from dashboard.domain.problems import Problem
from dashboard.live.snapshot_store import Snapshot

T = TypeVar("T")


class PageModel(BaseModel):
    """Base class of pages and their parts. Frozen: a page is a snapshot."""

    # JSON has every field, whether or not it has a default.
    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_serialization_defaults_required=True)

    # Whether it is rendered once for all viewers.
    shared: ClassVar[bool] = False


VersionRuns = Annotated[
    bool,
    Field(
        description="Whether the version is confirmed as running here: its deployment succeeded. Otherwise it is "
        "planned or failed, as the phase says, and the previous version may still be running."
    ),
]


@dataclass_transform(frozen_default=True, kw_only_default=True)
def page_part(cls: type[T]) -> type[T]:
    """A part of a page of which there may be thousands: a dataclass, with the same JSON and schema as a PageModel.

    A PageModel validates each field when it is made, which takes four times as long, and these are made of what was
    decoded at the border. The type checker keeps it frozen; so is a PageModel that inherits its fields.
    """
    cls.__pydantic_config__ = ConfigDict(extra="forbid", json_schema_serialization_defaults_required=True)  # type: ignore[attr-defined]
    return dataclass(kw_only=True, unsafe_hash=True)(cls)


class ProblemView(PageModel):
    """A gap in the data, with the reason."""

    code: str
    message: str
    detail: str | None = None
    awaited: bool = Field(default=False, exclude=True)
    gap: bool = Field(default=True, exclude=True)

    @classmethod
    def of(cls, problem: Problem | None) -> "ProblemView | None":
        """Return the view of a problem, or None for none."""
        if problem is None:
            return None
        return cls(
            code=problem.code,
            message=problem.message,
            detail=problem.detail,
            awaited=problem.awaited,
            gap=problem.gap,
        )


class Page(PageModel):
    """A page, rendered as HTML and as JSON.

    `template` renders the full page; `fragment` renders the part that open pages reload. `moments` are fields that
    change while the content stays the same; they are excluded from shared renderings.
    """

    template: ClassVar[str]
    fragment: ClassVar[str]
    moments: ClassVar[frozenset[str]] = frozenset({"as_of"})
    shared: ClassVar[bool] = True
    # Templates of what the fragment has besides its lines; each stands in an element with the `part_id` of its name.
    parts: ClassVar[tuple[str, ...]] = ()
    # The macro that draws one of its lines: template and name.
    line: ClassVar[tuple[str, str]] = ("", "")

    as_of: datetime = Field(description="Time at which the data was read from Temporal, in UTC.")
    stale: bool = Field(description="Whether newer data may exist that could not be read.")
    reason: ProblemView | None = Field(description="Why it is stale or updated less often than usual.")
    # Not `version`: that is a word of the rows.
    content_version: str = Field(exclude=True)

    @property
    def title(self) -> str:
        """Return what the browser's tab says."""
        raise NotImplementedError

    @property
    def worst(self) -> Phase | None:
        """Return the phase that the tab's icon shows: what one has to know first of all that the page shows."""
        return None

    @property
    def live(self) -> bool:
        """Return whether an open page should ask for news."""
        return True

    @property
    def owner(self) -> str:
        """Return the id that the links of its lines begin with; empty where they need none."""
        return ""

    @property
    def frame(self) -> tuple[object, ...]:
        """Return what the fragment says outside of its parts and lines."""
        return ()

    @property
    def neighbours(self) -> Mapping[str, Mapping[str, Any]]:
        """What says in an address which page it is, of those beside this one, by relation: first, prev, next, last."""
        return {}

    def lines(self) -> "Iterator[PageLine]":
        """Return what can change by itself, in order."""
        return iter(())


class PageLine(Protocol):
    """A line of a page that can be updated separately: its HTML id, its parent, its rows and its content."""

    @property
    def line_id(self) -> str: ...

    @property
    def frame(self) -> tuple[object, ...]: ...

    @property
    def said(self) -> tuple[object, ...]: ...


def freshness(snapshot: Snapshot[Any]) -> dict[str, Any]:
    """Return the fields of a page that say how old it is and whether it is the latest."""
    return {
        "as_of": snapshot.as_of,
        "stale": snapshot.stale,
        "reason": ProblemView.of(snapshot.reason),
        "content_version": snapshot.version,
    }
