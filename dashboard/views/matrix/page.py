"""The matrix of a release: apps by clusters, a bounded part of it at a time."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import Field

from dashboard.domain.entities import Release
from dashboard.domain.matrix import CellFilter, Matrix, MatrixColumn, MatrixRow, build_matrix, filter_matrix
from dashboard.domain.overall import overall_state
from dashboard.domain.phases import Phase
from dashboard.domain.snapshot import Snapshot
from dashboard.views.matrix.cells import (
    AppLine,
    ClusterHead,
    WaveHead,
    app_line,
    cluster_heads,
    label_of,
    wave_heads,
)
from dashboard.web.page_model import Page, ProblemView, freshness

# Cells that a page shows at most, and lines and columns.
MAX_MATRIX_CELLS = 3_000
MAX_MATRIX_ROWS = 200
MAX_MATRIX_COLUMNS = 200


@dataclass(frozen=True, slots=True)
class MatrixQuery:
    """The requested part of a matrix, and the expanded rows of a large release."""

    q: str = ""
    only: CellFilter | None = None
    page: int = 1
    opened: frozenset[str] = frozenset()


class MatrixPage(Page):
    """Apps by cluster. Counts cover everything that was loaded, regardless of the filter.

    Pages split the clusters, and also the apps if there are very many.
    """

    template: ClassVar[str] = "matrix/page.html"
    fragment: ClassVar[str] = "matrix/_content.html"

    id: str
    name: str
    state: str
    phase: Phase
    overall_phase: Phase = Field(description="Phase including the state of its parts.")
    problem: ProblemView | None
    apps: int
    clusters_total: int = Field(description="Number of known clusters, loaded or not.")
    cells: int
    differing: int
    broken: int
    not_read: int = Field(
        description="Number of clusters, or of waves without known clusters, that were not fully loaded."
    )
    behind: int = Field(description="Number of those that are out of date.")
    q: str
    only: CellFilter | None
    page: int
    pages: int
    matching_apps: int = Field(description="Number of apps with a matching cell.")
    matching_clusters: int
    first_app: int
    first_cluster: int
    waves: tuple[WaveHead, ...]
    clusters: tuple[ClusterHead, ...]
    rows: tuple[AppLine, ...]
    label: str = Field(exclude=True)
    short: str = Field(exclude=True)
    ended: bool = Field(exclude=True)
    opened: frozenset[str] = Field(exclude=True)

    @property
    def title(self) -> str:
        """Return the page title."""
        return f"{self.name}, matrix: {self.short}"

    @property
    def worst(self) -> Phase | None:
        """Failed as soon as any app is."""
        return Phase.FAILED if self.broken else self.overall_phase

    @property
    def live(self) -> bool:
        """Return an ended release has no news, once it has been read whole."""
        return self.stale or self.problem is not None or self.not_read + self.behind > 0 or not self.ended

    @property
    def spoken(self) -> str:
        """Return the phase in words where the label does not say it."""
        phase = self.phase.replace("_", " ")
        return "" if self.label.lower().startswith(phase) else phase

    @property
    def frame(self) -> tuple[object, ...]:
        """Return all displayed content, except the time and personal links."""
        aside = {"as_of", "content_version", "opened"}
        return tuple(value for name, value in vars(self).items() if name not in aside)

    @property
    def neighbours(self) -> dict[str, Mapping[str, Any]]:
        """Return all by number."""
        pages = {"first": 1, "prev": self.page - 1, "next": self.page + 1, "last": self.pages}
        return {name: {"page": page} for name, page in pages.items() if 1 <= page <= self.pages}

    def asking(self, **changes: Any) -> Mapping[str, Any]:  # noqa: ANN401 - whatever an address takes
        """Return what to ask for to see this with some of it changed; with another filter, from the first page on."""
        asked = {"q": self.q, "only": self.only, "open": sorted(self.opened)} | changes
        return {name: value for name, value in asked.items() if value and (name, value) != ("page", 1)}

    @classmethod
    def of(cls, snapshot: Snapshot[Release], asked: MatrixQuery) -> "MatrixPage":
        """Return the page of a snapshot."""
        root = snapshot.value.root
        whole = build_matrix(root)
        found = filter_matrix(whole, asked.q, asked.only)
        blocks = _blocks(found)
        number = min(asked.page, len(blocks))
        block = blocks[number - 1]
        return cls(
            **_release(snapshot.value),
            **_counts(whole),
            **freshness(snapshot),
            q=asked.q,
            only=asked.only,
            page=number,
            pages=len(blocks),
            matching_apps=len(found.lines),
            matching_clusters=len(found.columns),
            first_app=block.lines_before + 1,
            first_cluster=block.columns_before + 1,
            waves=wave_heads(block.columns),
            clusters=cluster_heads(block.columns),
            rows=tuple(app_line(line, block.columns) for line in block.lines),
            opened=asked.opened,
        )


@dataclass(frozen=True, slots=True)
class _Block:
    """The part of a matrix on one page, with its offsets."""

    lines: tuple[MatrixRow, ...]
    columns: tuple[MatrixColumn, ...]
    lines_before: int
    columns_before: int


def _blocks(matrix: Matrix) -> list[_Block]:
    """At least one. Where lines are parted, each part has the columns alone that it has cells in."""
    blocks = []
    for at in range(0, max(len(matrix.lines), 1), MAX_MATRIX_ROWS):
        lines = matrix.lines[at : at + MAX_MATRIX_ROWS]
        columns = matrix.columns
        if len(matrix.lines) > MAX_MATRIX_ROWS:
            numbers = {number for line in lines for number in line.cells}
            columns = tuple(column for column in columns if column.number in numbers)
        size = min(MAX_MATRIX_CELLS // max(len(lines), 1), MAX_MATRIX_COLUMNS)
        for start in range(0, max(len(columns), 1), size):
            shown = columns[start : start + size]
            before = sum(column.number < shown[0].number for column in matrix.columns) if shown else 0
            blocks.append(_Block(lines, shown, at, before))
    return blocks


def _release(release: Release) -> dict[str, Any]:
    root, found = release.root, overall_state(release)
    return {
        "id": root.id,
        "name": root.name,
        "state": root.state,
        "phase": root.phase,
        "overall_phase": found.phase,
        "problem": ProblemView.of(root.problem),
        "label": found.label or label_of(root),
        "short": found.short,
        "ended": release.execution.status.closed,
    }


def _counts(whole: Matrix) -> dict[str, Any]:
    return {
        "apps": len(whole.lines),
        "clusters_total": sum(column.cluster is not None for column in whole.columns),
        "cells": whole.cells,
        "differing": whole.differing,
        "broken": whole.broken,
        "not_read": sum(column.gap for column in whole.columns),
        "behind": sum(bool(column.behind) for column in whole.columns),
    }
