"""Render the timeline as SVG. Positions are percentages, so that nothing is stretched.

Work in progress is drawn up to the last known change and extended to the current time by the script: the same version
of a page has the same text.
"""

from collections.abc import Callable
from datetime import datetime

from markupsafe import Markup

from dashboard.views.timeline.bars import MarkView, TimelineRow, WaveBar
from dashboard.views.timeline.page import TimelinePage
from dashboard.web.escaping import escape_attribute, escape_text
from dashboard.web.formats import duration, iso, time

# What something that took no time is wide, in percent.
MIN_BAR_WIDTH_PERCENT = 0.4
# Behind this place, in percent, a narrow axis has no room for a time.
MAX_NARROW_LABEL_PERCENT = 80
SECONDS_PER_DAY = 86_400


def axis(page: TimelinePage) -> Markup:
    """Return the time axis with the current time."""
    ticks = tuple(page.ticks())
    step = (ticks[1] - ticks[0]).total_seconds() if len(ticks) > 1 else 60.0
    places = [(at, tick) for tick in ticks if (at := _at(page, tick)) < 95]
    # Where the axis is narrow, there is no room for a time that begins near its end.
    labels = [
        _label(at, _tick(tick, step), ' class="far"' if at > MAX_NARROW_LABEL_PERCENT else "") for at, tick in places
    ]
    if page.to_at is None:
        text = "<span>as of</span>" if page.stale else "<span>now</span>"
        labels.append(_label(_at(page, page.changed_at), text, ' class="now" data-grows'))
    return _plot("axis", "".join(labels))


def grid(page: TimelinePage) -> Markup:
    """Return the grid lines: one per tick of the axis, and one for the current time."""
    lines = [_line(_at(page, tick)) for tick in page.ticks()]
    if page.to_at is None:
        lines.append(_line(_at(page, page.changed_at), ' class="now" data-grows'))
    return _plot("grid", "".join(lines))


def bars(row: TimelineRow, page: TimelinePage) -> Markup:
    """Return the bars of a row: known and expected work, and failures. The text beside it has the same information."""
    drawn = []
    if isinstance(row, WaveBar) and row.expected_from and row.expected_at:
        begins, ends = _at(page, row.expected_from), _at(page, row.expected_at)
        title = f"<title>estimated, {escape_attribute(page.estimate.basis if page.estimate else '')}</title>"
        drawn.append(_rectangle("expected", begins, ends, inside=title))
    if row.from_at:
        begins, ends = _at(page, row.from_at), _at(page, row.to_at or page.changed_at)
        grows = " data-grows" if row.goes_on else ""
        fill = f' fill="url(#fill-{row.phase})"{grows}'
        drawn.append(_rectangle(f"span {row.phase}", begins, max(ends, begins + MIN_BAR_WIDTH_PERCENT), more=fill))
    drawn += [_mark(mark, page) for mark in row.marks]
    return _plot("bars", "".join(drawn))


def span_took(row: TimelineRow) -> Markup:
    """Return the duration so far, or in total."""
    if row.from_at is None:
        return Markup()
    if row.to_at is None:
        return time(row.from_at, "since")
    return escape_text(duration(row.from_at, row.to_at) if row.to_at > row.from_at else "")


def _plot(name: str, inside: str) -> Markup:
    # The inner picture is what the script makes narrower when now passes the right end.
    return Markup(  # noqa: S704 - escaped where it is put together
        f'<svg class="plot {name}" aria-hidden="true">'
        f'<svg class="scale" width="100%" height="100%">{inside}</svg></svg>'
    )


def _at(page: TimelinePage, moment: datetime) -> float:
    share = (moment - page.from_at) / (page.until - page.from_at)
    return round(100 * share, 3)


def _rectangle(name: str, begins: float, ends: float, more: str = "", inside: str = "") -> str:
    width = round(ends - begins, 3)
    return f'<rect class="{name}" x="{begins}%" width="{width}%" rx="3"{more}>{inside}</rect>'


def _line(at: float, more: str = "") -> str:
    return f'<svg x="{at}%"{more}><line y2="100%"/></svg>'


def _label(at: float, text: str, more: str = "") -> str:
    return f'<foreignObject x="{at}%"{more}>{text}</foreignObject>'


def _tick(tick: datetime, step: float) -> str:
    kind = "date" if step >= SECONDS_PER_DAY else "clock" if step < 60 else "tick"
    text = f"{tick:%d %b}" if step >= SECONDS_PER_DAY else f"{tick:%H:%M:%S}" if step < 60 else f"{tick:%H:%M}"
    return f'<time datetime="{iso(tick)}" data-show="{kind}">{text}</time>'


def _mark(mark: MarkView, page: TimelinePage) -> str:
    at = _at(page, mark.at or page.changed_at)
    grows = "" if mark.at else " data-grows"
    count = f'<text x="12" y="4">{mark.count:,}</text>' if mark.count > 1 else ""
    icon = f'<use href="#i-{mark.kind}" x="-7" y="-7.5" width="14" height="14"/>'
    title = f"<title>{escape_attribute(mark.text)}</title>"
    return f'<svg class="mark {mark.kind}" x="{at}%" y="50%"{grows}>{title}<circle r="9.5"/>{icon}{count}</svg>'


FILTERS: dict[str, Callable[..., Markup]] = {"axis": axis, "grid": grid, "bars": bars, "span_took": span_took}
