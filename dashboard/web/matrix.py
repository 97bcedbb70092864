"""What is asked of a matrix, read from the address, and its lines as a table to take away."""

import unicodedata
from collections.abc import Iterator

from flask import request

from dashboard.domain.entities import Release
from dashboard.domain.ids import MAX_IDENTIFIER
from dashboard.domain.matrix import Column, Only, matrix_of, narrowed
from dashboard.pages.matrix import Asked
from dashboard.web.errors import invalid_parameter
from dashboard.web.listing import whole_number

HEAD = ("app", "wave", "cluster", "version", "majority", "differs", "phase", "state")
# More than any release has.
_MOST_PAGES = 100_000


def asked_matrix(opened: frozenset[str]) -> Asked:
    """The part of the matrix that the request is for; raises Refused with 422."""
    q, only = request.args.get("q", ""), request.args.get("only", "")
    if len(q) > MAX_IDENTIFIER or any(unicodedata.category(character) in {"Cc", "Cs"} for character in q):
        raise invalid_parameter("q", f"takes at most {MAX_IDENTIFIER} characters, and no control characters")
    if only and only not in set(Only):
        raise invalid_parameter("only", f"takes {' or '.join(Only)}")
    return Asked(q.strip(), Only(only) if only else None, whole_number("page", 1, _MOST_PAGES), opened)


def matrix_lines(release: Release, asked: Asked) -> Iterator[tuple[str, ...]]:
    """A line for each cell that is looked for, app by app, then one for each gap."""
    whole = matrix_of(release.root)
    found = narrowed(whole, asked.q, asked.only)
    places = {column.number: column for column in found.columns}
    for line in found.lines:
        for number, cell in line.cells.items():
            if number in places:
                differs = "yes" if line.differs(cell) else "no"
                told = (cell.version or "", line.majority or "", differs, cell.phase, cell.state)
                yield (line.name, *_place(places[number]), *told)
    if release.root.problem and not whole.columns:
        yield ("", "", "", "", "", "", release.root.phase, f"not read: {release.root.problem.message}")
    for column in whole.columns:
        if column.gap:
            yield ("", *_place(column), "", "", "", "unknown", "not read whole")
        if column.behind:
            yield ("", *_place(column), "", "", "", "unknown", f"not the latest: {column.behind}")


def _place(column: Column) -> tuple[str, str]:
    return column.wave.name, column.cluster.name if column.cluster else ""
