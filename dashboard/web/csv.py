"""Tables to take away, as spreadsheets read them."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Any

from werkzeug.wrappers import Response

from dashboard.live.snapshots import Snapshot
from dashboard.web.told import utc

# What a spreadsheet takes for the beginning of a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_BYTE_ORDER_MARK = "\ufeff"
_MAX_NAME = 80


def csv_text(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A table after RFC 4180, beginning with a byte order mark, in which no cell is a formula."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\r\n")
    writer.writerow(head)
    writer.writerows([_plain(cell) for cell in line] for line in lines)
    return _BYTE_ORDER_MARK + written.getvalue()


def csv_answer(name: str, snapshot: Snapshot[Any], head: Sequence[str], lines: Iterable[Sequence[str]]) -> Response:
    """A table of what was known at one moment, which its file name tells, and whether that was the latest."""
    moment = f"{snapshot.as_of:%Y%m%dT%H%M%SZ}{'-not-the-latest' if snapshot.stale else ''}"
    answer = Response(csv_text(head, lines).encode("utf-8", "replace"), mimetype="text/csv")
    answer.headers["Content-Disposition"] = f'attachment; filename="{_file_name(name)}-{moment}.csv"'
    answer.headers["As-Of"] = utc(snapshot.as_of)
    answer.headers["Cache-Control"] = "private, no-store"
    return answer


def _plain(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _file_name(name: str) -> str:
    """A name that every file system takes."""
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")[:_MAX_NAME] or "table"
