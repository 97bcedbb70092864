"""Tables to take away, as spreadsheets read them."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from flask import request
from werkzeug.wrappers import Response

from dashboard.audit.log import AuditEventType
from dashboard.audit.recorder import record_event
from dashboard.domain.display import display_text
from dashboard.live.snapshot_store import Snapshot
from dashboard.web.page_response import utc_timestamp

# What a spreadsheet takes for the beginning of a formula, also in the wide forms of East Asian keyboards.
_FORMULA_PREFIXES = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_CONTROL_PREFIXES = ("\t", "\r", "\n")
BYTE_ORDER_MARK = "\ufeff"
_MAX_FILE_NAME_LENGTH = 80


def csv_text(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A table after RFC 4180, beginning with a byte order mark, in which no cell is a formula."""
    return BYTE_ORDER_MARK + csv_lines([head]) + csv_lines(lines)


def csv_lines(lines: Iterable[Sequence[str]]) -> str:
    """Some lines of a table, in which no cell is a formula."""
    written = io.StringIO()
    csv.writer(written, lineterminator="\r\n").writerows([_escape_formula(cell) for cell in line] for line in lines)
    return written.getvalue()


def csv_response(name: str, snapshot: Snapshot[Any], head: Sequence[str], lines: Iterable[Sequence[str]]) -> Response:
    """A table of what was known at one moment, which its file name tells, and whether that was the latest."""
    answer = Response(csv_text(head, lines).encode("utf-8", "replace"), mimetype="text/csv")
    as_attachment(answer, name, snapshot.as_of, stale=snapshot.stale, ending="csv")
    record_event(AuditEventType.exported, subject=request.path, form="csv")
    return answer


def as_attachment(answer: Response, name: str, as_of: datetime, *, stale: bool, ending: str) -> None:
    """Have a browser keep the answer as a file, whose name tells the moment."""
    moment = f"{as_of:%Y%m%dT%H%M%SZ}{'-not-the-latest' if stale else ''}"
    answer.headers["Content-Disposition"] = f'attachment; filename="{_file_name(name)}-{moment}.{ending}"'
    answer.headers["As-Of"] = utc_timestamp(as_of)
    answer.headers["Cache-Control"] = "private, no-store"


def _escape_formula(cell: str) -> str:
    """A quotation mark before what would be a formula: spreadsheets then show the cell as text."""
    cell = display_text(cell)
    return f"'{cell}" if cell.startswith(_CONTROL_PREFIXES) or cell.lstrip().startswith(_FORMULA_PREFIXES) else cell


def _file_name(name: str) -> str:
    """A name that every file system takes."""
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")[:_MAX_FILE_NAME_LENGTH] or "table"
