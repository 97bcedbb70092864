"""Apps by clusters: which version and phase each app of a release has in each cluster. Pure functions over a tree.

What is the same app in two clusters: rows with the same id; and rows with the same name, as many rollouts give an app
an id of its own in each cluster. A name that ends in the cluster's own name (`payments-eu-west-1` in `eu-west-1`, as
workflow ids of apps do) counts without that. Two of one cluster are never the same app: the second has a line of its
own, so that none is hidden.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from dashboard.domain.entities import Entity
from dashboard.domain.ids import EntityType
from dashboard.domain.levels import clusters_in, waves_in
from dashboard.domain.phases import Phase
from dashboard.domain.problems import ProblemCode

_BETWEEN = "-_./:@"
# How a deployment may have ended without its version: what runs there is unknown.
_NOT_REACHED = frozenset({Phase.FAILED, Phase.TIMED_OUT, Phase.CANCELLED, Phase.TERMINATED})


class CellFilter(StrEnum):
    """Which cells are searched for; all if none of these."""

    DIFFERING = "differing"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class MatrixColumn:
    """A cluster; or a wave of which no cluster is known, so that it is not left out.

    `loose` are the rows of a wave, or of the release itself, that are in no cluster: they have a column of their own.
    """

    number: int
    wave: Entity
    cluster: Entity | None
    loose: tuple[Entity, ...] = ()

    @property
    def entity(self) -> Entity:
        """Return what the column stands for."""
        return self.cluster or self.wave

    @property
    def gap(self) -> bool:
        """Return whether apps may be missing in it: something above the apps was not read, or said nothing."""
        return any(_is_gap(row) for row in self.rows())

    def rows(self) -> list[Entity]:
        """Return what it stands for and everything that is below that."""
        if self.cluster:
            return self.cluster.flattened()
        return [self.wave, *(row for loose in self.loose for row in loose.walk())]

    @property
    def behind(self) -> str:
        """Return why what is known of it is not the latest: the release has moved on since a part of it was read."""
        above = (row for row in (self.wave, *self.rows()) if row.children and row.problem)
        return next(
            (row.problem.message for row in above if row.problem and row.problem.code is ProblemCode.NOT_READ), ""
        )


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """An app wherever it stands: `cells` by the numbers of columns.

    `majority` is the version that runs in most of its cells, whatever may run where that is unknown: a deployment
    that failed or has not ended says nothing of what runs. None if no version does, the first in the order of the
    rollout if several do in as many cells (`tied`). `leading` is the version that runs in the most cells of which it is
    known, and `planned` the one that most cells have or are to have, those that failed only where there are no others.
    """

    name: str
    cells: Mapping[int, Entity]
    majority: str | None
    tied: bool = False
    leading: str | None = None
    planned: str | None = None

    def differs(self, cell: Entity) -> bool:
        """Return whether a cell runs another version than the others, is to have another, or failed to get its own."""
        if cell.version is None:
            return False
        if cell.version_runs:
            return cell.version != self.leading
        return cell.phase in _NOT_REACHED or cell.version != self.planned

    @property
    def differing(self) -> int:
        """Return how many cells differ."""
        return sum(map(self.differs, self.cells.values()))

    @property
    def running(self) -> int:
        """Return how many cells are known to run the version that they tell."""
        return sum(cell.version_runs for cell in self.cells.values())

    @property
    def reached(self) -> int:
        """Return how many of those run the planned version."""
        return sum(cell.version_runs and cell.version == self.planned for cell in self.cells.values())


@dataclass(frozen=True, slots=True)
class Matrix:
    """All lines and columns, both in the order of the rollout."""

    columns: tuple[MatrixColumn, ...]
    lines: tuple[MatrixRow, ...]

    @property
    def cells(self) -> int:
        """Return how many apps there are in clusters."""
        return sum(len(line.cells) for line in self.lines)

    @property
    def differing(self) -> int:
        """Return how many of them differ."""
        return sum(line.differing for line in self.lines)

    @property
    def broken(self) -> int:
        """Return how many of them failed, timed out or are retrying."""
        return sum(is_broken_cell(cell) for line in self.lines for cell in line.cells.values())


@dataclass(slots=True)
class _Draft:
    """A line that is being filled."""

    name: str
    cells: dict[int, Entity] = field(default_factory=dict)

    def done(self) -> MatrixRow:
        """Return the line with the versions that it is compared by."""
        told = [cell for cell in self.cells.values() if cell.version is not None]
        runs = Counter(cell.version for cell in told if cell.version_runs).most_common(2)
        open_or_done = [cell.version for cell in told if cell.phase not in _NOT_REACHED]
        planned = Counter(open_or_done or [cell.version for cell in told]).most_common(1)
        leading, most = runs[0] if runs else (None, 0)
        known = most > sum(not cell.version_runs for cell in told)
        tied = known and len(runs) > 1 and runs[1][1] == most
        return MatrixRow(
            self.name, self.cells, leading if known else None, tied, leading, planned[0][0] if planned else None
        )


class _Drafts:
    """Lines in the order in which their apps are met, found again by id or by name.

    Apps that count as the same have a group; the second of them in one column goes to the group's second line.
    """

    def __init__(self) -> None:
        self.all: list[_Draft] = []
        self._groups: dict[tuple[str, str], list[_Draft]] = {}
        self._met: Counter[tuple[int, int]] = Counter()

    def put(self, column: MatrixColumn, app: Entity) -> None:
        """Put an app into the first line that is its own and has nothing in this column yet."""
        name = app_name_without_cluster(app, column)
        keys = [("id", app.id), ("name", name)] if app.id else [("name", name)]
        group = next((self._groups[key] for key in keys if key in self._groups), [])
        for key in keys:
            self._groups.setdefault(key, group)
        place = (id(group), column.number)
        if self._met[place] == len(group):
            group.append(_Draft(name))
            self.all.append(group[-1])
        group[self._met[place]].cells[column.number] = app
        self._met[place] += 1


def build_matrix(root: Entity) -> Matrix:
    """Return the matrix of a release: every app of the tree stands in exactly one cell."""
    columns = tuple(MatrixColumn(number, *place) for number, place in enumerate(_places(root)))
    drafts = _Drafts()
    for column in columns:
        for row in column.cluster.walk() if column.cluster else column.rows():
            if row.type is EntityType.APP:
                drafts.put(column, row)
    return Matrix(columns, tuple(draft.done() for draft in drafts.all))


def _places(above: Entity) -> Iterator[tuple[Entity, Entity | None, tuple[Entity, ...]]]:
    """The columns of a release or wave: those of its waves and clusters in order, then one for what is in neither."""
    loose = []
    for child in above.children:
        if child.type is EntityType.WAVE:
            yield from _places(child)
        elif child.type is EntityType.CLUSTER:
            yield above, child, ()
        elif child.children and (waves_in(child) or clusters_in(child)):
            yield from _places(child)
            loose.append(replace(child, children=()))
        else:
            loose.append(child)
    if loose or (above.type is EntityType.WAVE and not above.children):
        yield above, None, tuple(loose)


def app_name_without_cluster(app: Entity, column: MatrixColumn) -> str:
    """Return the name of an app without that of its cluster at the end."""
    cluster = column.entity
    for ending in (cluster.name, cluster.id.partition(":")[2]):
        bare = app.name.removesuffix(ending) if ending else app.name
        if bare != app.name and bare[-1:] and bare[-1] in _BETWEEN and bare.strip(_BETWEEN):
            return bare.rstrip(_BETWEEN)
    return app.name


def filter_matrix(matrix: Matrix, q: str = "", only: CellFilter | None = None) -> Matrix:
    """Return the lines and columns that have a cell which is searched for, with all of their cells that are left.

    Text is searched for in the names of app, cluster and wave, and in versions. Majorities stay those of the whole.
    """
    if not q.strip() and only is None:
        return matrix
    text = q.strip().casefold()
    places = {column.number: f"{column.wave.name}\n{column.entity.name}".casefold() for column in matrix.columns}
    kept: list[MatrixRow] = []
    numbers: set[int] = set()
    for line in matrix.lines:
        name = line.name.casefold()
        wanted = {
            number
            for number, cell in line.cells.items()
            if _is(only, line, cell) and text in f"{name}\n{places[number]}\n{(cell.version or '').casefold()}"
        }
        if wanted:
            kept.append(line)
            numbers |= wanted
    return Matrix(tuple(column for column in matrix.columns if column.number in numbers), tuple(kept))


def _is(only: CellFilter | None, line: MatrixRow, cell: Entity) -> bool:
    if only is None:
        return True
    return line.differs(cell) if only is CellFilter.DIFFERING else is_broken_cell(cell)


def is_broken_cell(cell: Entity) -> bool:
    """Return whether an app failed, timed out or is retrying."""
    return cell.phase.broken or (cell.attempt is not None and cell.attempt.retrying)


def _is_gap(row: Entity) -> bool:
    return row.type is not EntityType.APP and not row.children and (row.unopened or row.problem is not None)
