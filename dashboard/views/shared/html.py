"""Render the common parts of rows by functions: a tree has thousands of rows, and macros are ten times slower."""

from collections.abc import Callable

from markupsafe import Markup

from dashboard.domain.phases import Phase
from dashboard.views.matrix.cells import ClusterHead, MatrixCell
from dashboard.views.shared.details import Progress
from dashboard.views.shared.rows import EntityRow, TimedRow
from dashboard.web.escaping import escape_attribute, escape_data, escape_text
from dashboard.web.formats import duration, plural, time, version_note
from dashboard.web.links import entity_url

_ONGOING_PHASES = frozenset({Phase.RUNNING, Phase.PAUSED})
_PHASES_WITHOUT_TIMES = frozenset({Phase.PENDING, Phase.UNKNOWN})


def row_attributes(row: EntityRow) -> Markup:
    """Return the data attributes of a row for scripts and tests, with the same values as in the JSON."""
    state = escape_data(row.state)
    return Markup(f'data-entity-id="{escape_data(row.id)}" data-state="{state}" data-phase="{row.phase}"')  # noqa: S704


def mark_selected(drawn: Markup, entity_id: str | None) -> Markup:
    """Mark the selected row in rendered rows, which are shared by all viewers."""
    mark = f'data-entity-id="{escape_data(entity_id)}"'
    marked = str(drawn).replace(mark, f'{mark} aria-current="true"', 1)
    return Markup(marked) if entity_id else drawn  # noqa: S704 - drawn by us


def state_word(row: EntityRow) -> Markup:
    """Return a row's state, and its last reported state if overruled."""
    return state_label(row) + last_word(row)


def state_label(row: EntityRow) -> Markup:
    """Return a row's label, its phase for screen readers, and the exact state as tooltip."""
    spoken = f'<span class="sr"> ({row.spoken})</span>' if row.spoken else ""
    label = (
        f'<span class="word {row.shown_phase}" title="{escape_attribute(row.state)}">'
        f"{escape_text(row.label)}{spoken}</span>"
    )
    return Markup(label)  # noqa: S704 - escaped above


def last_word(row: EntityRow) -> Markup:
    """Return the last reported state of an overruled row."""
    if not row.overruled:
        return Markup()
    said = escape_text(row.word.replace("_", " "))
    return Markup(f'<span class="last-word" title="{escape_attribute(row.state)}">last reported: {said}</span>')  # noqa: S704 - escaped


def row_took(row: TimedRow) -> Markup:
    """Return the duration of a row, counting up while it is in progress."""
    began, ended, length = row.began_at, row.ended_at, ""
    if began and row.phase in _ONGOING_PHASES:
        length = time(began, "since")
    elif began and ended and ended > began and row.phase not in _PHASES_WITHOUT_TIMES:
        length = duration(began, ended)
    return Markup(f'<span class="took">{length}</span>')  # noqa: S704 - no text in it


def row_since(row: TimedRow) -> Markup:
    """Return since when a row has been in progress or waiting."""
    if row.since is None or row.phase not in _ONGOING_PHASES:
        return Markup()
    return Markup(f'<span class="since">since {time(row.since, "day")}</span>')  # noqa: S704 - no text in it


def progress_tally(progress: Progress, noun: str = "") -> Markup:
    """Return how many are done. The bar beside it has the accessible text."""
    done = f"{progress.succeeded:,}/{progress.total:,}"
    title = f"{progress.succeeded:,} of {plural(progress.total, noun or progress.noun)} done"
    return Markup(f'<span class="num" aria-hidden="true" title="{title}">{done}</span>')  # noqa: S704 - ours


def progress_fraction(progress: Progress, noun: str) -> Markup:
    """Return how many are done, such as 2/3 clusters, with accessible text."""
    if not progress.total:
        return Markup()
    nouns = f"{noun}{'' if progress.total == 1 else 's'}"
    words = f'<span class="sr"> of </span><span aria-hidden="true">/</span>{progress.total:,} {nouns}'
    done = f'<span class="share">{progress.succeeded:,}{words}<span class="sr"> done</span></span>'
    return Markup(done)  # noqa: S704 - no text in it but ours


def progress_bar(progress: Progress, noun: str = "") -> Markup:
    """Return a progress bar with an accessible text."""
    told = [
        (progress.broken, "failed"),
        (progress.running, "running"),
        (progress.waiting, "waiting"),
        (progress.stopped, "stopped"),
        (progress.unknown, "unknown"),
    ]
    words = f"{progress.succeeded:,} of {plural(progress.total, noun or progress.noun)} done"
    words += "".join([f", {number:,} {what}" for number, what in told if number])
    return Markup(  # noqa: S704 - no text in it but ours
        f'<svg class="bar" role="img" aria-label="{words}" viewBox="0 0 {progress.total or 1} 6" '
        f'preserveAspectRatio="none"><title>{words}</title>{_bar_segments(progress)}</svg>'
    )


def _bar_segments(progress: Progress) -> str:
    widths = {
        "succeeded": progress.succeeded,
        "running": progress.running,
        "paused": progress.paused,
        "failed": progress.broken,
        "terminated": progress.stopped,
        "unknown": progress.unknown,
    }
    drawn, at = [], 0
    for kind, width in widths.items():
        if width:
            drawn.append(f'<rect class="{kind}" x="{at}" width="{width}" height="6"/>')
            at += width
    return "".join(drawn)


def matrix_cell(cell: MatrixCell | None, app: str, cluster: ClusterHead, release_id: str) -> Markup:
    """Return a matrix cell with few elements, as there are thousands."""
    edge = "edge" if cluster.first else ""
    if cell is None:
        said = "not in this cluster" if cluster.read else "not loaded"
        kinds = f"{edge}{'' if cluster.read else ' gap'}"
        return Markup(f'<td class="{kinds}"><span class="sr">{said}</span></td>')  # noqa: S704 - no text in it but ours
    kinds = f"{edge} {cell.phase}{' differs' if cell.differs else ''}{' broken' if cell.broken else ''}"
    note = version_note(cell.phase, runs=cell.version_runs) if cell.version else ""
    version, more = escape_attribute(cell.version or "no version"), f" {note}" if note else ""
    place = f"{escape_attribute(app)} in {escape_attribute(cluster.name)}"
    title = f"{place}: {version}{more}, {escape_attribute(cell.label)}"
    href = f' href="{escape_data(entity_url(cell.id, release_id))}"' if cell.addressable else ""
    marked = f'data-entity-id="{escape_data(cell.id)}" data-state="{escape_data(cell.state)}" data-phase="{cell.phase}"'
    inner = f'<a{href} title="{title}">{_cell_text(cell, note)}</a>'
    return Markup(f'<td class="{kinds}" {marked}>{inner}</td>')  # noqa: S704 - escaped above


def _cell_text(cell: MatrixCell, note: str) -> str:
    """Return the version with text for screen readers. `note` qualifies a version that is not confirmed as running."""
    sign = '<i aria-hidden="true">≠</i>' if cell.differs else ""
    tries = f" <small>attempt {cell.tries}</small>" if cell.tries else ""
    phase = cell.phase.replace("_", " ")
    known = "" if cell.label.lower() == phase else f" ({phase})"
    said = f", {note}" if note and note not in {phase, cell.label.lower()} else ""
    spoken = f"{said}{', differs' if cell.differs else ''}, {escape_text(cell.label)}{known}"
    version = escape_text(cell.version or "no version")
    return f'{sign}{f"<em>{version}</em>" if note else version}{tries}<span class="sr">{spoken}</span>'


FILTERS: dict[str, Callable[..., Markup]] = {
    "marks": row_attributes,
    "chosen": mark_selected,
    "word": state_word,
    "state": state_label,
    "last_word": last_word,
    "took": row_took,
    "since": row_since,
    "tally": progress_tally,
    "share": progress_fraction,
    "bar": progress_bar,
    "matrix_cell": matrix_cell,
}
