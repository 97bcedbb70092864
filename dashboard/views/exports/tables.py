"""The tables of pages: releases, the entities of a release, and what is broken."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from itertools import chain, islice
from typing import Any

from pydantic import BaseModel, TypeAdapter

from dashboard.domain.causes import ProblemSummary
from dashboard.domain.problem_filter import ProblemFilter, filter_problems
from dashboard.domain.snapshot import Snapshot
from dashboard.views.problems.groups import AffectedRow, cause_text_of
from dashboard.views.problems.page import CAUSE_STATUS_ORDER
from dashboard.views.release.page import TreePage
from dashboard.views.release.tree import ReleaseTree
from dashboard.views.releases.page import ReleaseItem
from dashboard.views.releases.starred import StarredPage, UnavailableRelease
from dashboard.views.shared.release_row import ReleaseRow
from dashboard.views.shared.rows import AppRow, BundleRow, ClusterRow, EntityRow, WaveRow
from dashboard.web.export.table import COMMON_COLUMNS, MAX_TABLE_ROWS, Table, TableCell, TableChunk

_ENTITY = ("type", "id", "name", "state", "phase", "created_at", "updated_at")
_TROUBLE = ("error", "attempt", "max_attempts", "retrying", "next_attempt_at", "failure")
_INSIDE = (
    "overall_phase",
    "summary",
    "parts",
    "parts_failed",
    "parts_waiting",
    "waits_in",
    "cancelling",
    "stuck_since",
)
_RUN = (
    "status",
    "started_at",
    "closed_at",
    "workflow_id",
    "run_id",
    "workflow_type",
    "said_at",
    "superseded",
    "began_at",
)
_ABOVE = ("release_id", "wave_id", "cluster_id", "bundle_id")

RELEASE_COLUMNS = (*_ENTITY, *_RUN, *_INSIDE, *_TROUBLE, *COMMON_COLUMNS)
ENTITY_COLUMNS = (*_ABOVE, *_ENTITY, "version", "version_runs", *_TROUBLE, *COMMON_COLUMNS)
PROBLEM_COLUMNS = (
    *("standing", "cause", "cause_text", "at", "release_id", "release_name", "path", "cluster_id", "activity_id"),
    *_ENTITY,
    *("version", "version_runs", *_TROUBLE, *COMMON_COLUMNS),
)
# What a row's own line leaves out: the rows below it have lines of their own.
_BELOW = {"clusters", "bundle", "apps", "children"}
_WRITES: dict[type[EntityRow], TypeAdapter[Any]] = {
    kind: TypeAdapter(kind) for kind in (WaveRow, ClusterRow, BundleRow, AppRow)
}
_OF_A_RELEASE = {field.name for field in fields(ReleaseTree)} - {"waves", "children"}


@dataclass(frozen=True, slots=True)
class _PlacedRow:
    """An entity with the IDs of its ancestors by type. If there are several of one type, the nearest one counts."""

    row: EntityRow
    ids: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _FoundRow:
    """A row that is broken or waiting, with its handling and its shared cause."""

    standing: str
    cause: str
    row: AffectedRow


def releases_table(pieces: Iterable[TableChunk]) -> Table:
    """Releases, a row each, of as many pieces as the list has."""
    return Table("releases", RELEASE_COLUMNS, _model, _release_cells, pieces, long=True)


def starred_table(page: StarredPage) -> Table:
    """Return the starred releases, with gaps."""
    rows = (*page.items, *page.absent)
    piece = TableChunk(rows, page.as_of, page.stale, page.reason)
    return Table("starred", RELEASE_COLUMNS, _model, _release_cells, (piece,))


def tree_table(page: TreePage) -> Table:
    """Return a release and all shown rows below it, parents first."""
    rows = tuple(_placed(page, {}))
    missing = (
        page.problem.message if page.problem else "",
        f"Rows yet to be loaded: {len(page.unread):,}. Try again" if page.unread else "",
        f"Rows whose contents were not loaded: {len(page.unopened):,}. Request them with open= and their IDs"
        if page.unopened
        else "",
    )
    piece = TableChunk(rows, page.as_of, page.stale, page.reason, tuple(filter(None, missing)))
    return Table(page.name, ENTITY_COLUMNS, _entity_item, _entity_cells, (piece,))


def problems_table(snapshot: Snapshot[ProblemSummary], asked: ProblemFilter) -> Table:
    """Return the matching problems, worst first, then rows waiting for approval."""
    seen = filter_problems(snapshot.value, asked)
    count = sum(len(cause.broken) for cause in seen.causes) + len(seen.waiting) + len(seen.still)
    rows = tuple(islice(_broken(seen), MAX_TABLE_ROWS))
    cut = (
        f"Rows past the first {MAX_TABLE_ROWS:,}: {count - MAX_TABLE_ROWS:,}. Filter with q or release"
        if count > MAX_TABLE_ROWS
        else ""
    )
    piece = TableChunk.of(snapshot, rows, *_not_looked_at(seen), cut)
    return Table("problems", PROBLEM_COLUMNS, _found_item, _found_cells, (piece,))


def _placed(row: EntityRow, above: Mapping[str, str]) -> Iterator[_PlacedRow]:
    ids = {**above, f"{row.type}_id": row.id} if row.type != "app" else above
    yield _PlacedRow(row, ids)
    yield from chain.from_iterable(_placed(below, ids) for below in row.rows)


def _broken(seen: ProblemSummary) -> Iterator[_FoundRow]:
    for cause in sorted(seen.causes, key=lambda cause: CAUSE_STATUS_ORDER.index(cause.standing)):
        text = cause_text_of(cause)
        yield from (_FoundRow(cause.standing, text, AffectedRow.of(broken, text)) for broken in cause.broken)
    for broken in seen.waiting:
        yield _FoundRow("waiting", "", AffectedRow.of(broken, "", "waiting"))
    for broken in seen.still:
        yield _FoundRow("stuck", "", AffectedRow.of(broken, "", "stuck"))


def _not_looked_at(seen: ProblemSummary) -> Iterator[str]:
    unread = seen.relevant - seen.read - seen.partly - seen.unanswered
    if seen.listed < seen.total:
        yield f"Releases older than the newest {seen.listed:,}, not checked: {seen.total - seen.listed:,}"
    if unread:
        yield f"More releases in progress or failed, over the limit: {unread:,}"
    if seen.unanswered:
        yield f"Releases that did not respond in time or returned an unreadable response: {seen.unanswered:,}"
    if seen.partly:
        yield f"Releases loaded in part (too large for one response, paused or busy): {seen.partly:,}"


def _model(row: BaseModel) -> bytes:
    return row.model_dump_json().encode("utf-8", "replace")


def _entity_item(placed: _PlacedRow) -> bytes:
    row = placed.row
    if isinstance(row, BaseModel):
        return row.model_dump_json(include=_OF_A_RELEASE).encode("utf-8", "replace")
    return _WRITES[type(row)].dump_json(row, exclude=_BELOW)


def _found_item(found: _FoundRow) -> bytes:
    return _model(found.row)


def _release_cells(item: ReleaseItem | UnavailableRelease) -> dict[str, TableCell]:
    if isinstance(item, UnavailableRelease):
        problem = {"problem_code": item.problem.code, "problem": item.problem.message}
        return {"type": "release", "id": item.id, "name": item.name, "phase": item.phase, **problem}
    return _common(item) | {name: getattr(item, name) for name in _RUN} | _inside(item)


def _inside(item: ReleaseRow) -> dict[str, TableCell]:
    """Return the cells of a release's overall state; empty if its tree was not loaded."""
    said: dict[str, TableCell] = {name: getattr(item, name) for name in ("overall_phase", "summary", "cancelling")}
    said["stuck_since"] = item.stuck.since if item.stuck else None
    if item.inside:
        inside = item.inside
        said |= {"parts": inside.total, "parts_failed": inside.failed, "parts_waiting": inside.waiting}
        said["waits_in"] = inside.waits.id if inside.waits else None
    return said


def _entity_cells(placed: _PlacedRow) -> dict[str, TableCell]:
    return {**placed.ids} | _common(placed.row) | _version(placed.row)


def _version(row: EntityRow) -> dict[str, TableCell]:
    """Return the version of an app, or what another row calls its own."""
    if isinstance(row, AppRow):
        return {"version": row.version, "version_runs": row.version_runs if row.version else None}
    told = row.details.get("version")
    return {"version": told if isinstance(told, str) else None}


def _found_cells(found: _FoundRow) -> dict[str, TableCell]:
    row = found.row
    same = ("cause_text", "at", "release_id", "release_name", "cluster_id", "activity_id", "version")
    place: dict[str, TableCell] = {"standing": found.standing, "cause": found.cause, "path": " / ".join(row.path)}
    place["version_runs"] = row.version_runs if row.version else None
    return _common(row) | {name: getattr(row, name) for name in same} | place


def _common(row: EntityRow) -> dict[str, TableCell]:
    """Return the cells that rows of every type share."""
    said: dict[str, TableCell] = {name: getattr(row, name) for name in _ENTITY}
    said["error"] = row.error_message
    if row.attempt:
        attempt = row.attempt
        said |= {"attempt": attempt.number, "max_attempts": attempt.maximum, "retrying": attempt.retrying}
        said |= {"next_attempt_at": attempt.next_at, "failure": attempt.cause}
    if row.problem:
        said |= {"problem_code": row.problem.code, "problem": row.problem.message}
    return said
