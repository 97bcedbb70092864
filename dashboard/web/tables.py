"""Answers that are tables: a row a line, as JSON or as CSV, at once or as they are read."""

import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from functools import reduce
from itertools import chain

from flask import Response, request
from flask_login import current_user

from dashboard.accounts.audit import Event
from dashboard.pages.table import Cell, End, LastLine, Piece, Table
from dashboard.places import Full
from dashboard.web.audit import record
from dashboard.web.csv import BYTE_ORDER_MARK, as_file, csv_lines
from dashboard.web.errors import Refused
from dashboard.web.media import MEDIA_TYPES, Form
from dashboard.web.services import services
from dashboard.web.shares import Share, refused
from dashboard.web.told import utc

# Where a request says that its answer comes in pieces, each of which takes its time.
STREAMED = "dashboard.streamed"
# How many long tables a process makes at once: each asks Temporal for page after page, and viewers come first.
AT_ONCE = 4
RETRY_AFTER = 10
GZIP = zlib.MAX_WBITS | 16


def table_answer(table: Table, form: Form) -> Response:
    """The table in this form; a long one as it is read. Raises Refused where too many long ones are made."""
    pieces = iter(table.pieces)
    with _turn() if table.long else ExitStack() as turn:
        first = next(pieces)
        lines = _WRITERS[form](table, chain([first], pieces))
        record(Event.exported, subject=request.path, form=form)
        # From here on the turn is over when the answer is.
        answer = _streamed(lines, turn.pop_all()) if table.long else Response(b"".join(lines))
    answer.mimetype = MEDIA_TYPES[form]
    as_file(answer, table.name, first.as_of, stale=first.stale, ending=form)
    return answer


def _turn() -> ExitStack:
    places, user_id = services().long_tables, current_user.id
    full = places.take(user_id)
    if full is Full.FOR_USER:
        raise refused(Share.TABLES, user_id, RETRY_AFTER)
    if full:
        message = f"{AT_ONCE} exports are already in progress. Try again in a moment, or request single pages."
        raise Refused(503, "too_many_tables", message, headers={"Retry-After": str(RETRY_AFTER)})
    turn = ExitStack()
    turn.callback(places.give, user_id)
    return turn


def _streamed(lines: Iterator[bytes], turn: ExitStack) -> Response:
    squeeze = bool(request.accept_encodings["gzip"])
    request.environ[STREAMED] = True
    answer = Response(_in_turn(_compressed(lines) if squeeze else lines, turn))
    answer.vary.add("Accept-Encoding")
    if squeeze:
        answer.headers["Content-Encoding"] = "gzip"
    # Also where nobody asks for the first line.
    answer.call_on_close(turn.close)
    return answer


def _in_turn(lines: Iterator[bytes], turn: ExitStack) -> Iterator[bytes]:
    with turn:
        yield from lines


def _compressed(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Each piece can be read as soon as it has come."""
    squeeze = zlib.compressobj(wbits=GZIP)
    for piece in lines:
        yield squeeze.compress(piece) + squeeze.flush(zlib.Z_SYNC_FLUSH)
    yield squeeze.flush()


def ndjson(table: Table, pieces: Iterator[Piece]) -> Iterator[bytes]:
    """A line for each row, the twin's own item, and one that says how far they go."""
    ends = []
    for piece in pieces:
        ends.append(End.of(piece))
        yield b"".join(table.item(row) + b"\n" for row in piece.rows)
    yield LastLine(end=reduce(End.then, ends)).model_dump_json().encode("utf-8", "replace") + b"\n"


def spreadsheet(table: Table, pieces: Iterator[Piece]) -> Iterator[bytes]:
    """A line for each row, which says of when it is, and one of the type `gap` for all that is not among them."""
    yield (BYTE_ORDER_MARK + csv_lines([table.columns])).encode()
    for piece in pieces:
        when: dict[str, Cell] = {"as_of": piece.as_of, "stale": piece.stale}
        old = [f"Out of date: {piece.reason.message}"] if piece.reason else []
        gaps: list[dict[str, Cell]] = [{"type": "gap", "problem": text} for text in (*old, *piece.missing)]
        rows = (
            [_written((cells | when).get(name)) for name in table.columns]
            for cells in chain(map(table.cells, piece.rows), gaps)
        )
        yield csv_lines(rows).encode("utf-8", "replace")


def _written(cell: Cell) -> str:
    if isinstance(cell, datetime):
        return utc(cell)
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return "" if cell is None else str(cell)


_WRITERS = {Form.NDJSON: ndjson, Form.CSV: spreadsheet}
