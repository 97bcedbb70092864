"""Render strips: cells that link to clusters, and a small SVG of a full release.

Rendered by functions: a strip has hundreds of cells.
"""

from markupsafe import Markup

from dashboard.domain.phases import Phase
from dashboard.views.strip.page import Strip, StripCell, StripWave
from dashboard.web.escaping import escape_attribute, escape_data
from dashboard.web.links import expanding_url

# In a small picture: how wide a cell is at most and with what gap, how wide all of it, and the gap between waves.
CELL_WIDTH, CELL_GAP, SMALL_STRIP_WIDTH, WAVE_GAP = 6, 2, 240, 8
# With more clusters than this a small picture has one bar for each phase of a wave.
MAX_SMALL_CELLS = 60
SMALL_STRIP_HEIGHT = 20
# Each phase has a height of its own, so that no colour is needed to tell what went wrong.
_PHASE_HEIGHTS = {
    Phase.FAILED: 20,
    Phase.TIMED_OUT: 20,
    Phase.PAUSED: 16,
    Phase.SUCCEEDED: 12,
    Phase.RUNNING: 8,
    Phase.PENDING: 5,
    Phase.CANCELLED: 3,
    Phase.TERMINATED: 3,
    Phase.UNKNOWN: 2,
}
_PHASE_ORDER = (Phase.SUCCEEDED, Phase.RUNNING, Phase.PAUSED, Phase.FAILED, Phase.TIMED_OUT)


def strip_cells(wave: StripWave, release_id: str, marked: bool) -> Markup:
    """Return the cells of a wave as list items. Only the first is a tab stop; arrow keys move between them."""
    drawn = [_cell(cell, release_id, at, marked) for at, cell in enumerate(wave.cells or ())]
    return Markup("".join(drawn))  # noqa: S704 - escaped below


def kiosk_cells(wave: StripWave) -> Markup:
    """Return the cells of a wave for a wall screen, without links."""
    drawn = [_cell(cell, "", at, marked=True) for at, cell in enumerate(wave.cells or ())]
    return Markup("".join(drawn))  # noqa: S704 - escaped below


def _cell(cell: StripCell, release_id: str, at: int, marked: bool) -> str:
    retrying = " retrying" if cell.progress.retrying else ""
    names = f'class="cell {cell.shown_phase}{retrying}" aria-label="{escape_attribute(cell.told)}"'
    if marked:
        state = escape_data(cell.state)
        names += f' data-entity-id="{escape_data(cell.id)}" data-state="{state}" data-phase="{cell.phase}"'
    if not (cell.addressable and release_id):
        return f'<li><span role="img" {names}></span></li>'
    stop = ' tabindex="-1"' if at else ""
    return f'<li><a {names}{stop} href="{escape_data(expanding_url(cell.id, release_id))}#{cell.key}"></a></li>'


def small_strip_svg(strip: Strip) -> Markup:
    """Return a strip as one SVG with a text alternative."""
    wide = sum(_width(wave) for wave in strip.waves) + WAVE_GAP * max(len(strip.waves) - 1, 0)
    scale = min(1.0, SMALL_STRIP_WIDTH / max(wide, 1))
    drawn, at = [], 0.0
    for wave in strip.waves:
        drawn.append(_small_wave(wave, at, scale, each=strip.clusters <= MAX_SMALL_CELLS))
        at += (_width(wave) + WAVE_GAP) * scale
    told, width = escape_attribute(strip.told), max(at - WAVE_GAP * scale, 1)
    return Markup(  # noqa: S704 - escaped above
        f'<svg class="small-strip" role="img" aria-label="{told}" width="{width:.0f}" height="{SMALL_STRIP_HEIGHT}" '
        f'viewBox="0 0 {width:.1f} {SMALL_STRIP_HEIGHT}">{"".join(drawn)}</svg>'
    )


def _width(wave: StripWave) -> float:
    return max(wave.cluster_progress.total, 1) * (CELL_WIDTH + CELL_GAP) - CELL_GAP


def _small_wave(wave: StripWave, at: float, scale: float, *, each: bool) -> str:
    if not wave.read or not wave.cluster_progress.total:
        return _rectangle(wave.phase if wave.read else Phase.UNKNOWN, at, CELL_WIDTH * scale)
    step = (CELL_WIDTH + CELL_GAP) * scale
    if each and wave.cells is not None:
        shown = enumerate(wave.cells)
        return "".join([_rectangle(cell.shown_phase, at + place * step, CELL_WIDTH * scale) for place, cell in shown])
    drawn = []
    for phase in (*_PHASE_ORDER, *(other for other in Phase if other not in _PHASE_ORDER)):
        if count := getattr(wave.cluster_progress, phase):
            drawn.append(_rectangle(phase, at, count * step - min(CELL_GAP * scale, 1)))
            at += count * step
    return "".join(drawn)


def _rectangle(phase: Phase, at: float, width: float) -> str:
    height = _PHASE_HEIGHTS[phase]
    return (
        f'<rect class="{phase}" x="{at:.1f}" y="{(SMALL_STRIP_HEIGHT - height) / 2:.1f}" '
        f'width="{max(width, 1):.1f}" height="{height}" rx="1"/>'
    )


FILTERS = {"cells": strip_cells, "wall_cells": kiosk_cells, "small_strip": small_strip_svg}
