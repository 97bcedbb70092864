"""What a matrix is made of: the heads of its columns, its lines, and its cells."""

from typing import Annotated

from pydantic import Field

from dashboard.domain.entities import Entity
from dashboard.domain.ids import EntityType
from dashboard.domain.matrix import MatrixColumn, MatrixRow, is_broken_cell
from dashboard.domain.phases import Phase
from dashboard.domain.problems import ProblemCode
from dashboard.web.page_model import VersionRuns, page_part


@page_part
class ColumnHead:
    """A wave or cluster in the column headings."""

    id: str
    name: str
    state: str
    phase: Phase

    @property
    def addressable(self) -> bool:
        """Return whether a link can lead there."""
        return bool(self.id)


@page_part
class WaveHead(ColumnHead):
    """A wave that spans the columns of `span` clusters, or one column if it has no known clusters."""

    span: int


@page_part
class ClusterHead(ColumnHead):
    """A cluster. While `read` is false, some of its apps may be missing. `wave` is the wave that it belongs to."""

    wave: str
    read: bool
    latest: Annotated[bool, Field(description="False if the release has changed since it was loaded.")]
    why: Annotated[str, Field(description="Why it is incomplete or out of date.")]
    unopened: Annotated[bool, Field(exclude=True)]
    is_wave: Annotated[
        bool,
        Field(description="Whether the column represents a wave or the release, with apps that are in no cluster."),
    ]
    first: Annotated[bool, Field(exclude=True)]


@page_part
class MatrixCell:
    """An app in a cluster. `tries` is the attempt number while it is retrying."""

    id: str
    state: str
    phase: Phase
    version: str | None
    version_runs: VersionRuns
    differs: bool
    broken: bool
    tries: int
    label: Annotated[str, Field(exclude=True)]
    addressable: Annotated[bool, Field(exclude=True)]


@page_part
class AppLine:
    """An app with the version that runs in most of its cells (`tied` if another runs in as many) and its `cells`.

    Cells are in the order of `clusters`. They are null if the app is not in the cluster or the cluster was not loaded.
    `differing`, `running` and `total` count all of its cells, shown or not.
    """

    name: str
    majority: Annotated[
        str | None,
        Field(description="Version running in most cells, or null. Failed and pending deployments do not count."),
    ]
    tied: bool
    planned: Annotated[str | None, Field(description="Version that most cells have or will have.")]
    reached: Annotated[int, Field(description="Number of cells in which the planned version is running.")]
    running: Annotated[int, Field(description="Number of cells whose version is confirmed as running.")]
    total: int
    differing: int
    cells: tuple[MatrixCell | None, ...]


def wave_heads(columns: tuple[MatrixColumn, ...]) -> tuple[WaveHead, ...]:
    """Return the waves of these columns, each once."""
    spans: dict[int, tuple[Entity, int]] = {}
    for column in columns:
        wave, span = spans.get(id(column.wave), (column.wave, 0))
        spans[id(column.wave)] = wave, span + 1
    return tuple(
        WaveHead(
            id=_linked(wave),
            name="" if wave.type is EntityType.RELEASE else wave.name,
            state=wave.state,
            phase=wave.phase,
            span=span,
        )
        for wave, span in spans.values()
    )


def cluster_heads(columns: tuple[MatrixColumn, ...]) -> tuple[ClusterHead, ...]:
    """Return one head for each column."""
    waves = [column.wave for column in columns]
    return tuple(
        _cluster(column, first=at == 0 or waves[at - 1] is not column.wave) for at, column in enumerate(columns)
    )


def _cluster(column: MatrixColumn, *, first: bool) -> ClusterHead:
    row = column.entity
    gap = column.gap
    problem = next((below.problem for below in column.rows() if below.problem), None) if gap else None
    return ClusterHead(
        id=_linked(row),
        name="no clusters yet" if column.cluster is None and not gap and not column.loose else row.name,
        state=row.state,
        phase=row.phase,
        wave=column.wave.name,
        read=not gap,
        latest=not column.behind,
        why=(problem.message if problem else "Loaded when you open it.") if gap else column.behind,
        unopened=gap and any(below.unopened for below in column.rows()),
        is_wave=column.cluster is None,
        first=first,
    )


def app_line(line: MatrixRow, columns: tuple[MatrixColumn, ...]) -> AppLine:
    """Return the line of an app in these columns."""
    cells = (line.cells.get(column.number) for column in columns)
    return AppLine(
        name=line.name,
        majority=line.majority,
        tied=line.tied,
        planned=line.planned,
        reached=line.reached,
        running=line.running,
        total=len(line.cells),
        differing=line.differing,
        cells=tuple(_cell(line, cell) if cell else None for cell in cells),
    )


def _cell(line: MatrixRow, cell: Entity) -> MatrixCell:
    return MatrixCell(
        id=cell.id,
        state=cell.state,
        phase=cell.phase,
        version=cell.version,
        version_runs=cell.version_runs,
        differs=line.differs(cell),
        broken=is_broken_cell(cell),
        tries=cell.attempt.number if cell.attempt and cell.attempt.retrying else 0,
        label=label_of(cell),
        addressable=bool(_linked(cell)),
    )


def label_of(row: Entity) -> str:
    """Return what to call a state, with blanks: the rollout's own word, unless that is no longer true."""
    return (row.phase if row.overruled else row.state or "unknown").replace("_", " ")


def _linked(row: Entity) -> str:
    """Return the id of a row as a link can carry it; empty if none can."""
    return "" if row.problem and row.problem.code is ProblemCode.MALFORMED else row.id
