"""Write CSV files for spreadsheets."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from werkzeug.wrappers import Response

from dashboard.domain.display import display_text
from dashboard.domain.snapshot import Snapshot
from dashboard.web.page_response import utc_timestamp
from dashboard.web.services import services

# What a spreadsheet takes for the beginning of a formula, also in the wide forms of East Asian keyboards.
_FORMULA_PREFIXES = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_CONTROL_PREFIXES = ("\t", "\r", "\n")
BYTE_ORDER_MARK = "\ufeff"
_MAX_FILE_NAME_LENGTH = 80


def csv_text(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Return CSV (RFC 4180) with a byte order mark and without formulas."""
    return BYTE_ORDER_MARK + csv_lines([head]) + csv_lines(lines)


def csv_lines(lines: Iterable[Sequence[str]]) -> str:
    """Return CSV lines without formulas."""
    written = io.StringIO()
    csv.writer(written, lineterminator="\r\n").writerows([_escape_formula(cell) for cell in line] for line in lines)
    return written.getvalue()


def csv_response(name: str, snapshot: Snapshot[Any], head: Sequence[str], lines: Iterable[Sequence[str]]) -> Response:
    """Return a CSV response. Its file name has the time of the data and whether it was stale."""
    answer = Response(csv_text(head, lines).encode("utf-8", "replace"), mimetype="text/csv")
    as_attachment(answer, name, snapshot.as_of, stale=snapshot.stale, ending="csv")
    services().record_export("csv")
    return answer


def as_attachment(answer: Response, name: str, as_of: datetime, *, stale: bool, ending: str) -> None:
    """Make browsers download the response as a file named after the time of the data."""
    moment = f"{as_of:%Y%m%dT%H%M%SZ}{'-not-the-latest' if stale else ''}"
    answer.headers["Content-Disposition"] = f'attachment; filename="{_file_name(name)}-{moment}.{ending}"'
    answer.headers["As-Of"] = utc_timestamp(as_of)
    answer.headers["Cache-Control"] = "private, no-store"


def _escape_formula(cell: str) -> str:
    """Prefix formulas with a quotation mark, so that spreadsheets show them as text."""
    cell = display_text(cell)
    return f"'{cell}" if cell.startswith(_CONTROL_PREFIXES) or cell.lstrip().startswith(_FORMULA_PREFIXES) else cell


def _file_name(name: str) -> str:
    """Return a name that is valid on every file system."""
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")[:_MAX_FILE_NAME_LENGTH] or "table"
