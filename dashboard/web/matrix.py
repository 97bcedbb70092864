"""What is asked of a matrix, read from the address, and its lines as a table to take away."""

from collections.abc import Iterator

from dashboard.domain.entities import Release
from dashboard.domain.ids import MAX_IDENTIFIER
from dashboard.domain.matrix import Column, Only, matrix_of, narrowed
from dashboard.pages.matrix import Asked
from dashboard.web.parameters import Text, WholeNumber, Word

HEAD = ("app", "wave", "cluster", "version", "version_runs", "majority", "differs", "phase", "state")
# More than any release has.
_MOST_PAGES = 100_000

TEXT = Text("q", "Rows and columns with this text in an app, cluster or wave name, or in a version.", MAX_IDENTIFIER)
ONLY = Word(
    "only", "Rows and columns with a cell that differs from the most common version, or has failed.", (*Only, "")
)
PAGE = WholeNumber("page", "Page number.", 1, _MOST_PAGES)
OF_A_MATRIX = (TEXT, ONLY, PAGE)


def asked_matrix(opened: frozenset[str]) -> Asked:
    """The part of the matrix that the request is for; raises Refused with 422."""
    only = ONLY.read()
    return Asked(TEXT.read(), Only(only) if only else None, PAGE.read(), opened)


def matrix_lines(release: Release, asked: Asked) -> Iterator[tuple[str, ...]]:
    """A line for each cell that is looked for, app by app, then one for each gap."""
    whole = matrix_of(release.root)
    found = narrowed(whole, asked.q, asked.only)
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


def _place(column: Column) -> tuple[str, str]:
    return column.wave.name, column.cluster.name if column.cluster else ""
