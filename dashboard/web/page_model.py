"""The base models of pages."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, ClassVar, Protocol, TypeVar, dataclass_transform

from pydantic import BaseModel, ConfigDict, Field

from dashboard.domain.phases import Phase
from dashboard.domain.problems import Problem
from dashboard.domain.snapshot import Snapshot

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
    """Declare a frequent part of a page: a dataclass with the same JSON and schema as a PageModel."""
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
    # Templates of the parts of the fragment besides its lines; each is in an element with its `part_id`.
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
        """Return the page title."""
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
        """Return the release ID that links of its lines start with, or an empty string."""
        return ""

    @property
    def frame(self) -> tuple[object, ...]:
        """Return the content of the fragment outside of its parts and lines."""
        return ()

    @property
    def neighbours(self) -> Mapping[str, Mapping[str, Any]]:
        """Return the parameters of the neighbouring pages by relation: first, prev, next, last."""
        return {}

    def lines(self) -> "Iterator[PageLine]":
        """Yield the lines that can be updated separately, in order."""
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
