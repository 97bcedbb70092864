"""Table responses with one row per line, as NDJSON or CSV, complete or streamed."""

import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from functools import reduce
from itertools import chain

from flask import Response, request
from flask_login import current_user

from dashboard.concurrency.quota import QuotaExceeded
from dashboard.web.errors import ApiError
from dashboard.web.export.csv_writer import BYTE_ORDER_MARK, as_attachment, csv_lines
from dashboard.web.export.table import Table, TableCell, TableChunk, TableEnd, TableEndLine
from dashboard.web.negotiation import MEDIA_TYPES, Format
from dashboard.web.page_response import utc_timestamp
from dashboard.web.services import services
from dashboard.web.user_limits import UserLimit, limit_exceeded

# Where a request says that its answer comes in pieces, each of which takes its time.
STREAMED_ENVIRON_KEY = "dashboard.streamed"
# The maximum number of concurrent exports per process: each reads page after page from Temporal, and viewers come
# first.
MAX_CONCURRENT_TABLES = 4
TABLE_RETRY_SECONDS = 10
GZIP_WBITS = zlib.MAX_WBITS | 16


def table_response(table: Table, form: Format) -> Response:
    """Return the table in this format; long ones are streamed. Raises ApiError if too many are in progress."""
    pieces = iter(table.pieces)
    with _table_slot() if table.long else ExitStack() as turn:
        first = next(pieces)
        lines = _WRITERS[form](table, chain([first], pieces))
        services().record_export(form)
        # From here on the turn is over when the answer is.
        answer = _streamed_response(lines, turn.pop_all()) if table.long else Response(b"".join(lines))
    answer.mimetype = MEDIA_TYPES[form]
    as_attachment(answer, table.name, first.as_of, stale=first.stale, ending=form)
    return answer


def _table_slot() -> ExitStack:
    places, user_id = services().long_tables, current_user.id
    full = places.acquire(user_id)
    if full is QuotaExceeded.FOR_USER:
        raise limit_exceeded(UserLimit.TABLES, user_id, TABLE_RETRY_SECONDS)
    if full:
        message = (
            f"{MAX_CONCURRENT_TABLES} exports are already in progress. Try again in a moment, or request single pages."
        )
        raise ApiError(503, "too_many_tables", message, headers={"Retry-After": str(TABLE_RETRY_SECONDS)})
    turn = ExitStack()
    turn.callback(places.release, user_id)
    return turn


def _streamed_response(lines: Iterator[bytes], turn: ExitStack) -> Response:
    squeeze = bool(request.accept_encodings["gzip"])
    request.environ[STREAMED_ENVIRON_KEY] = True
    answer = Response(_holding_slot(_compressed(lines) if squeeze else lines, turn))
    answer.vary.add("Accept-Encoding")
    if squeeze:
        answer.headers["Content-Encoding"] = "gzip"
    # Even if the first line is never requested.
    answer.call_on_close(turn.close)
    return answer


def _holding_slot(lines: Iterator[bytes], turn: ExitStack) -> Iterator[bytes]:
    with turn:
        yield from lines


def _compressed(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Compress a stream so that each piece can be read when it arrives."""
    squeeze = zlib.compressobj(wbits=GZIP_WBITS)
    for piece in lines:
        yield squeeze.compress(piece) + squeeze.flush(zlib.Z_SYNC_FLUSH)
    yield squeeze.flush()


def ndjson_lines(table: Table, pieces: Iterator[TableChunk]) -> Iterator[bytes]:
    """Yield a JSON line for each row, and a last line with a summary."""
    ends = []
    for piece in pieces:
        ends.append(TableEnd.of(piece))
        yield b"".join(table.item(row) + b"\n" for row in piece.rows)
    yield TableEndLine(end=reduce(TableEnd.then, ends)).model_dump_json().encode("utf-8", "replace") + b"\n"


def csv_table_lines(table: Table, pieces: Iterator[TableChunk]) -> Iterator[bytes]:
    """Yield a CSV line for each row with its time, and one of type `gap` for everything that is missing."""
    yield (BYTE_ORDER_MARK + csv_lines([table.columns])).encode()
    for piece in pieces:
        when: dict[str, TableCell] = {"as_of": piece.as_of, "stale": piece.stale}
        old = [f"Out of date: {piece.reason.message}"] if piece.reason else []
        gaps: list[dict[str, TableCell]] = [{"type": "gap", "problem": text} for text in (*old, *piece.missing)]
        rows = (
            [_cell_text((cells | when).get(name)) for name in table.columns]
            for cells in chain(map(table.cells, piece.rows), gaps)
        )
        yield csv_lines(rows).encode("utf-8", "replace")


def _cell_text(cell: TableCell) -> str:
    if isinstance(cell, datetime):
        return utc_timestamp(cell)
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return "" if cell is None else str(cell)


_WRITERS = {Format.NDJSON: ndjson_lines, Format.CSV: csv_table_lines}
