"""The matrix of apps by clusters, with version and phase.

Rows are the same app if they have the same ID or the same name, as many rollouts give apps one ID per cluster. A
cluster name at the end of an app name (`payments-eu-west-1` in `eu-west-1`) is ignored. Two rows of one cluster are
never the same app: the second gets its own line.
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
    """The filter of cells."""

    DIFFERING = "differing"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class MatrixColumn:
    """A cluster, or a wave without known clusters.

    `loose` are rows of a wave or release that are in no cluster; they have their own column.
    """

    number: int
    wave: Entity
    cluster: Entity | None
    loose: tuple[Entity, ...] = ()

    @property
    def entity(self) -> Entity:
        """Return the entity of the column."""
        return self.cluster or self.wave

    @property
    def gap(self) -> bool:
        """Return whether apps may be missing because rows above them were not loaded."""
        return any(_is_gap(row) for row in self.rows())

    def rows(self) -> list[Entity]:
        """Return the entity and everything below it."""
        if self.cluster:
            return self.cluster.flattened()
        return [self.wave, *(row for loose in self.loose for row in loose.walk())]

    @property
    def behind(self) -> str:
        """Return why the column is out of date: the release has changed since it was loaded."""
        above = (row for row in (self.wave, *self.rows()) if row.children and row.problem)
        return next(
            (row.problem.message for row in above if row.problem and row.problem.code is ProblemCode.NOT_READ), ""
        )


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """An app with its `cells` by column index.

    `majority` is the version running in most cells with a known running version; failed and pending deployments do not
    count. None if there is none; the first in rollout order if several are tied (`tied`). `leading` is the version
    running in the most cells, and `planned` the one that most cells have or will have.
    """

    name: str
    cells: Mapping[int, Entity]
    majority: str | None
    tied: bool = False
    leading: str | None = None
    planned: str | None = None

    def differs(self, cell: Entity) -> bool:
        """Return whether a cell runs or plans a different version, or its deployment failed."""
        if cell.version is None:
            return False
        if cell.version_runs:
            return cell.version != self.leading
        return cell.phase in _NOT_REACHED or cell.version != self.planned

    @property
    def differing(self) -> int:
        """Return the number of differing cells."""
        return sum(map(self.differs, self.cells.values()))

    @property
    def running(self) -> int:
        """Return the number of cells confirmed to run their version."""
        return sum(cell.version_runs for cell in self.cells.values())

    @property
    def reached(self) -> int:
        """Return the number of those that run the planned version."""
        return sum(cell.version_runs and cell.version == self.planned for cell in self.cells.values())


@dataclass(frozen=True, slots=True)
class Matrix:
    """All lines and columns in rollout order."""

    columns: tuple[MatrixColumn, ...]
    lines: tuple[MatrixRow, ...]

    @property
    def cells(self) -> int:
        """Return the number of cells."""
        return sum(len(line.cells) for line in self.lines)

    @property
    def differing(self) -> int:
        """Return the number of differing cells."""
        return sum(line.differing for line in self.lines)

    @property
    def broken(self) -> int:
        """Return the number of failed, timed-out and retrying cells."""
        return sum(is_broken_cell(cell) for line in self.lines for cell in line.cells.values())


@dataclass(slots=True)
class _Draft:
    """A line under construction."""

    name: str
    cells: dict[int, Entity] = field(default_factory=dict)

    def done(self) -> MatrixRow:
        """Return the finished line with its reference versions."""
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
    """Lines under construction in order of appearance, indexed by ID and name.

    Equal apps form a group; the second one in a column goes to the group's second line.
    """

    def __init__(self) -> None:
        self.all: list[_Draft] = []
        self._groups: dict[tuple[str, str], list[_Draft]] = {}
        self._met: Counter[tuple[int, int]] = Counter()

    def put(self, column: MatrixColumn, app: Entity) -> None:
        """Add an app to its first line that is free in this column."""
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
    """Return the matrix of a release, with every app in exactly one cell."""
    columns = tuple(MatrixColumn(number, *place) for number, place in enumerate(_places(root)))
    drafts = _Drafts()
    for column in columns:
        for row in column.cluster.walk() if column.cluster else column.rows():
            if row.type is EntityType.APP:
                drafts.put(column, row)
    return Matrix(columns, tuple(draft.done() for draft in drafts.all))


def _places(above: Entity) -> Iterator[tuple[Entity, Entity | None, tuple[Entity, ...]]]:
    """Yield the columns of a release or wave: waves and clusters in order, then one for other rows."""
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
    """Return the name of an app without its cluster's name at the end."""
    cluster = column.entity
    for ending in (cluster.name, cluster.id.partition(":")[2]):
        bare = app.name.removesuffix(ending) if ending else app.name
        if bare != app.name and bare[-1:] and bare[-1] in _BETWEEN and bare.strip(_BETWEEN):
            return bare.rstrip(_BETWEEN)
    return app.name


def filter_matrix(matrix: Matrix, q: str = "", only: CellFilter | None = None) -> Matrix:
    """Return the lines and columns with a matching cell.

    Text is matched against app, cluster and wave names and versions. Majorities remain those of the full matrix.
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
