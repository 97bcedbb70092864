"""A page as a table to take away: rows one below the other, and how far they go."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import Field

from dashboard.domain.snapshot import Snapshot
from dashboard.web.page_model import PageModel, ProblemView

# The maximum number of rows of an export, which spreadsheets still open quickly.
MAX_TABLE_ROWS = 10_000

TableCell = str | int | bool | datetime | None
# Every table has these: what a row that is none says, and of when the others are.
COMMON_COLUMNS = ("problem_code", "problem", "as_of", "stale")


@dataclass(frozen=True, slots=True)
class TableChunk:
    """Consecutive rows of an export that were read at the same time.

    `missing` describes missing rows for people; `next` is a cursor for the rest.
    """

    rows: Sequence[Any]
    as_of: datetime
    stale: bool
    reason: ProblemView | None
    missing: tuple[str, ...] = ()
    next: str | None = None

    @classmethod
    def of(cls, snapshot: Snapshot[Any], rows: Sequence[Any], *missing: str, next: str | None = None) -> "TableChunk":
        """Rows of this snapshot."""
        reason = ProblemView.of(snapshot.reason)
        return cls(rows, snapshot.as_of, snapshot.stale, reason, tuple(filter(None, missing)), next)


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of an export, each as a JSON item and as CSV cells by column. Missing cells are empty.

    `name` is the file name. A `long` table is streamed piece by piece.
    """

    name: str
    columns: tuple[str, ...]
    item: Callable[[Any], bytes]
    cells: Callable[[Any], dict[str, TableCell]]
    pieces: Iterable[TableChunk]
    long: bool = False


class TableEnd(PageModel):
    """The last line of an NDJSON export: a summary of the lines before it."""

    rows: int
    whole: bool = Field(description="Whether the export is complete.")
    missing: tuple[str, ...] = Field(description="What is missing, and why.")
    next: str | None = Field(description="`cursor` for the rest of the list.")
    as_of: datetime = Field(description="Time at which the rows were read from Temporal, in UTC: the earliest of them.")
    stale: bool = Field(description="Whether newer data may exist that could not be read.")
    reason: ProblemView | None = Field(description="Why it is stale.")

    @classmethod
    def of(cls, piece: TableChunk) -> "TableEnd":
        """Return the end after this piece alone."""
        return cls(
            rows=len(piece.rows),
            whole=not piece.missing,
            missing=piece.missing,
            next=piece.next,
            as_of=piece.as_of,
            stale=piece.stale,
            reason=piece.reason,
        )

    def then(self, later: "TableEnd") -> "TableEnd":
        """Return the end after both."""
        return TableEnd(
            rows=self.rows + later.rows,
            whole=self.whole and later.whole,
            missing=self.missing + later.missing,
            next=later.next,
            as_of=min(self.as_of, later.as_of),
            stale=self.stale or later.stale,
            reason=self.reason or later.reason,
        )


class TableEndLine(PageModel):
    """The wrapper of the last line of an NDJSON export. No row has this field."""

    end: TableEnd
