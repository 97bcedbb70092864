"""What every page says, whatever it shows."""

from datetime import datetime
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from dashboard.domain.problems import Problem
from dashboard.live.snapshots import Snapshot


class Model(BaseModel):
    """A part of a page. Frozen: a page is what was known at one moment."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ProblemView(Model):
    """What is not known, and why."""

    code: str
    message: str
    detail: str | None = None

    @classmethod
    def of(cls, problem: Problem | None) -> "ProblemView | None":
        """The view of a problem, or None for none."""
        return cls(code=problem.code, message=problem.message, detail=problem.detail) if problem else None


class Page(Model):
    """A page and its JSON twin: two renderings of this one object.

    `template` is the whole page; `fragment` the part of it that an open page asks for again.
    """

    template: ClassVar[str]
    fragment: ClassVar[str]

    as_of: datetime = Field(description="When this was read from Temporal, in UTC.")
    stale: bool = Field(description="Whether something newer may exist that could not be read.")
    reason: ProblemView | None = Field(description="Why it is stale.")
    version: str = Field(exclude=True)

    @property
    def live(self) -> bool:
        """Whether an open page should ask for news."""
        return True


def freshness(snapshot: Snapshot[Any]) -> dict[str, Any]:
    """The fields of a page that say how old it is and whether it is the latest."""
    return {
        "as_of": snapshot.as_of,
        "stale": snapshot.stale,
        "reason": ProblemView.of(snapshot.reason),
        "version": snapshot.version,
    }
