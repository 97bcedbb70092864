"""The audit log for admins: page, API and export."""

from collections.abc import Iterator
from datetime import datetime

from flask import Blueprint, Response, make_response, render_template, request

from dashboard.audit.log import MAX_SUBJECT_LENGTH, AuditEntry, AuditEventType, AuditLog, AuditQuery
from dashboard.audit.page import AUDIT_PAGE_SIZE, AuditFilter, AuditItem, AuditPage, audit_table
from dashboard.auth.accounts import MAX_EMAIL_LENGTH
from dashboard.database.models import MAX_CLIENT_ADDRESS_LENGTH
from dashboard.database.unit_of_work import AccountsUnavailable
from dashboard.domain.filters import TimeBound, parse_time_bound
from dashboard.web.export.response import table_response
from dashboard.web.export.table import TableChunk
from dashboard.web.json_api import json_response
from dashboard.web.links import neighbour_links
from dashboard.web.negotiation import FORMAT_PARAMETER, Format, requested_format
from dashboard.web.openapi.operation import api_operation
from dashboard.web.query_params import (
    IntegerParameter,
    RepeatedParameter,
    SchemaParameter,
    TextParameter,
    choices_pattern,
)
from dashboard.web.services import services
from dashboard.web.time_bounds import MOMENT_HELP, MOMENT_SCHEMA

MAX_AUDIT_PAGE_SIZE = 500
# The maximum number of rows, a multiple of the piece size: at most two pieces are in memory.
MAX_EXPORT_ROWS = 100_000
EXPORT_BATCH_SIZE = 1_000

AUDIT_EVENT_PARAMETER = RepeatedParameter(
    "event",
    f"Events to include: {', '.join(AuditEventType)}. Repeat the parameter or separate values with commas.",
    {"type": "array", "items": {"type": "string", "pattern": choices_pattern(AuditEventType)}},
)
AUDIT_ACTOR_PARAMETER = TextParameter(
    "actor", "Entries whose actor's e-mail address contains this text.", MAX_EMAIL_LENGTH
)
AUDIT_SUBJECT_PARAMETER = TextParameter(
    "subject", "Entries whose target contains this text, such as a release ID.", MAX_SUBJECT_LENGTH
)
AUDIT_ADDRESS_PARAMETER = TextParameter("address", "Entries from this IP address.", MAX_CLIENT_ADDRESS_LENGTH)
AUDIT_REQUEST_ID_PARAMETER = TextParameter("request_id", "Entries of the request with this ID.", 32)
AUDIT_SINCE_PARAMETER = SchemaParameter("since", f"Entries at or after this time: {MOMENT_HELP}", MOMENT_SCHEMA)
AUDIT_UNTIL_PARAMETER = SchemaParameter("until", f"Entries before this time: {MOMENT_HELP}", MOMENT_SCHEMA)
AUDIT_PAGE_SIZE_PARAMETER = IntegerParameter(
    "page_size", "Number of entries per page.", AUDIT_PAGE_SIZE, MAX_AUDIT_PAGE_SIZE
)
AUDIT_CURSOR_PARAMETER = SchemaParameter(
    "cursor",
    "The value of `next` from a response with the same filter.",
    {"type": "string", "pattern": "^[1-9][0-9]{0,17}$"},
)
AUDIT_PARAMETERS = (
    AUDIT_EVENT_PARAMETER,
    AUDIT_ACTOR_PARAMETER,
    AUDIT_SUBJECT_PARAMETER,
    AUDIT_ADDRESS_PARAMETER,
    AUDIT_REQUEST_ID_PARAMETER,
    AUDIT_SINCE_PARAMETER,
    AUDIT_UNTIL_PARAMETER,
    AUDIT_PAGE_SIZE_PARAMETER,
    AUDIT_CURSOR_PARAMETER,
)

blueprint = Blueprint("audit_log", __name__)


@blueprint.get("/audit")
@api_operation(query=AUDIT_PARAMETERS)
def audit() -> Response:
    """Show the audit log."""
    page = _page()
    return make_response(render_template(page.template, page=page), {"Cache-Control": "no-store"})


@blueprint.get("/api/audit")
@api_operation(
    AuditPage,
    query=(*AUDIT_PARAMETERS, FORMAT_PARAMETER),
    responses={403},
    tables=True,
)
def api_audit() -> Response:
    """List audit entries, newest first. Admins only.

    As a table it has up to 100,000 entries, and the last line says where to continue.
    """
    form = requested_format()
    if form is Format.JSON:
        page = _page()
        answer = json_response(page)
        answer.headers["Link"] = neighbour_links(page)
    else:
        answer = _table(form)
    answer.vary.update({"Accept", "Authorization", "Cookie"})
    return answer


def _page() -> AuditPage:
    size, cursor, (shown, wanted) = AUDIT_PAGE_SIZE_PARAMETER.read(), _cursor(), _requested_query()
    # One more than is shown tells whether there is more.
    found = services().accounts.audit.read(wanted, size + 1, cursor)
    following = str(found[size - 1].id) if len(found) > size else None
    items = tuple(map(_item, found[:size]))
    return AuditPage(items=items, page_size=size, next=following, filter=shown, begins=cursor is None)


def _table(form: Format) -> Response:
    if AUDIT_PAGE_SIZE_PARAMETER.name in request.args:
        raise AUDIT_PAGE_SIZE_PARAMETER.refuse(
            "cannot be used with an export, which includes all pages; use cursor to set where it starts"
        )
    cursor, (_, wanted) = _cursor(), _requested_query()
    accounts = services().accounts
    return table_response(audit_table(_export_pieces(accounts.audit, wanted, cursor, accounts.now())), form)


def _export_pieces(log: AuditLog, wanted: AuditQuery, before: int | None, as_of: datetime) -> Iterator[TableChunk]:
    """Yield all entries in pieces, as of now. Needs no request context: it continues after the view has returned.

    Raises AccountsUnavailable if the first piece cannot be read.
    """
    left = MAX_EXPORT_ROWS
    found = log.read(wanted, EXPORT_BATCH_SIZE + 1, before)
    while found:
        rows, more = tuple(map(_item, found[:EXPORT_BATCH_SIZE])), len(found) > EXPORT_BATCH_SIZE
        left, last, cut = left - len(rows), str(rows[-1].id), ""
        if more and not left:
            cut = f"Entries past the first {MAX_EXPORT_ROWS:,}. Continue with cursor={last}"
        elif more:
            try:
                found = log.read(wanted, EXPORT_BATCH_SIZE + 1, rows[-1].id)
            except AccountsUnavailable:
                cut = f"Reading the log failed. Continue with cursor={last}"
        yield _export_piece(rows, as_of, cut, last)
        if cut or not more:
            return
    yield _export_piece((), as_of, "", "")


def _export_piece(rows: tuple[AuditItem, ...], as_of: datetime, cut: str, last: str) -> TableChunk:
    missing = (cut,) if cut else ()
    return TableChunk(rows, as_of, stale=False, reason=None, missing=missing, next=last if cut else None)


def _requested_query() -> tuple[AuditFilter, AuditQuery]:
    """Return the filter as given and as a query; raises MalformedFilter, or ApiError with 422."""
    texts = {
        which.name: which.read()
        for which in (
            AUDIT_ACTOR_PARAMETER,
            AUDIT_SUBJECT_PARAMETER,
            AUDIT_ADDRESS_PARAMETER,
            AUDIT_REQUEST_ID_PARAMETER,
        )
    }
    since, until = (
        parse_time_bound(which.name, request.args.get(which.name, ""))
        for which in (AUDIT_SINCE_PARAMETER, AUDIT_UNTIL_PARAMETER)
    )
    events = _events()
    wanted = AuditQuery(events, **texts, since=_at(since), until=_at(until))
    return AuditFilter.of(since, until, event=events, **texts), wanted


def _events() -> tuple[AuditEventType, ...]:
    words = {word for text in request.args.getlist(AUDIT_EVENT_PARAMETER.name) for word in text.split(",") if word}
    if not words <= set(AuditEventType):
        raise AUDIT_EVENT_PARAMETER.refuse(f"must be one of {', '.join(AuditEventType)}")
    return tuple(event for event in AuditEventType if event in words)


def _at(moment: TimeBound | None) -> datetime | None:
    return moment.at(services().accounts.now()) if moment else None


def _cursor() -> int | None:
    text = request.args.get(AUDIT_CURSOR_PARAMETER.name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 18 and not text.startswith("0")):
        raise AUDIT_CURSOR_PARAMETER.refuse("must be the value of next from a response of this log")
    return int(text)


def _item(entry: AuditEntry) -> AuditItem:
    return AuditItem(
        id=entry.id,
        at=entry.at,
        event=entry.event,
        actor=entry.actor,
        actor_id=entry.actor_id,
        subject=entry.subject,
        address=entry.address,
        request_id=entry.request_id,
        details=dict(entry.details),
    )
