"""Read the parameters of a matrix from the address, and export its cells."""

from collections.abc import Iterator

from dashboard.domain.entities import Release
from dashboard.domain.ids import MAX_IDENTIFIER_LENGTH
from dashboard.domain.matrix import CellFilter, MatrixColumn, build_matrix, filter_matrix
from dashboard.views.matrix.page import MatrixQuery
from dashboard.web.query_params import ChoiceParameter, IntegerParameter, TextParameter

MATRIX_CSV_HEADER = ("app", "wave", "cluster", "version", "version_runs", "majority", "differs", "phase", "state")
# More than any release has.
_MAX_MATRIX_PAGES = 100_000

MATRIX_TEXT_PARAMETER = TextParameter(
    "q", "Rows and columns with this text in an app, cluster or wave name, or in a version.", MAX_IDENTIFIER_LENGTH
)
MATRIX_ONLY_PARAMETER = ChoiceParameter(
    "only", "Rows and columns with a cell that differs from the most common version, or has failed.", (*CellFilter, "")
)
MATRIX_PAGE_PARAMETER = IntegerParameter("page", "Page number.", 1, _MAX_MATRIX_PAGES)
MATRIX_PARAMETERS = (MATRIX_TEXT_PARAMETER, MATRIX_ONLY_PARAMETER, MATRIX_PAGE_PARAMETER)


def requested_matrix(opened: frozenset[str]) -> MatrixQuery:
    """Return the requested part of the matrix; raises ApiError with 422."""
    only = MATRIX_ONLY_PARAMETER.read()
    return MatrixQuery(
        MATRIX_TEXT_PARAMETER.read(), CellFilter(only) if only else None, MATRIX_PAGE_PARAMETER.read(), opened
    )


def matrix_csv_rows(release: Release, asked: MatrixQuery) -> Iterator[tuple[str, ...]]:
    """Yield a line for each matching cell, by app, then one for each gap."""
    whole = build_matrix(release.root)
    found = filter_matrix(whole, asked.q, asked.only)
    places = {column.number: column for column in found.columns}
    for line in found.lines:
        for number, cell in line.cells.items():
            if number in places:
                differs, runs = ("yes" if each else "no" for each in (line.differs(cell), cell.version_runs))
                told = (cell.version or "", runs, line.majority or "", differs, cell.phase, cell.state)
                yield (line.name, *_place(places[number]), *told)
    if release.root.problem and not whole.columns:
        yield ("", "", "", "", "", "", "", release.root.phase, f"not loaded: {release.root.problem.message}")
    for column in whole.columns:
        if column.gap:
            yield ("", *_place(column), "", "", "", "", "unknown", "not fully loaded")
        if column.behind:
            yield ("", *_place(column), "", "", "", "", "unknown", f"out of date: {column.behind}")


def _place(column: MatrixColumn) -> tuple[str, str]:
    return column.wave.name, column.cluster.name if column.cluster else ""
