"""The audit log for admins: its page, the same for scripts, and as a table to take away."""

from collections.abc import Iterator
from datetime import datetime

from flask import Blueprint, Response, make_response, render_template, request

from dashboard.accounts.audit import LONGEST_SUBJECT, AuditLog, Entry, Event, Wanted
from dashboard.accounts.database import AccountsUnavailable
from dashboard.accounts.models import LONGEST_ADDRESS
from dashboard.accounts.store import LONGEST_EMAIL
from dashboard.domain.filters import Moment, read_moment
from dashboard.pages.audit import PAGE_SIZE, AuditFilter, AuditItem, AuditPage, audit_table
from dashboard.pages.table import Piece
from dashboard.web.kept_api import as_json
from dashboard.web.links import links_beside
from dashboard.web.listing import IS_A_MOMENT, MOMENT
from dashboard.web.media import FORMAT, Form, asked_form
from dashboard.web.operations import described
from dashboard.web.parameters import Text, Told, ToldMany, WholeNumber, words_pattern
from dashboard.web.services import services
from dashboard.web.tables import table_answer

MAX_PAGE_SIZE = 500
# Rows of a table at most, which is so many times what is read at once: no more than two such pieces are in memory.
MOST_ROWS = 100_000
AT_ONCE = 1_000

EVENT = ToldMany(
    "event",
    f"Events to include: {', '.join(Event)}. Repeat the parameter or separate values with commas.",
    {"type": "array", "items": {"type": "string", "pattern": words_pattern(Event)}},
)
ACTOR = Text("actor", "Entries whose actor's e-mail address contains this text.", LONGEST_EMAIL)
SUBJECT = Text("subject", "Entries whose target contains this text, such as a release ID.", LONGEST_SUBJECT)
ADDRESS = Text("address", "Entries from this IP address.", LONGEST_ADDRESS)
REQUEST_ID = Text("request_id", "Entries of the request with this ID.", 32)
SINCE = Told("since", f"Entries at or after this time: {IS_A_MOMENT}", MOMENT)
UNTIL = Told("until", f"Entries before this time: {IS_A_MOMENT}", MOMENT)
SIZE = WholeNumber("page_size", "Number of entries per page.", PAGE_SIZE, MAX_PAGE_SIZE)
CURSOR = Told(
    "cursor",
    "The value of `next` from a response with the same filter.",
    {"type": "string", "pattern": "^[1-9][0-9]{0,17}$"},
)
OF_THE_LOG = (EVENT, ACTOR, SUBJECT, ADDRESS, REQUEST_ID, SINCE, UNTIL, SIZE, CURSOR)

blueprint = Blueprint("audit_log", __name__)


@blueprint.get("/audit")
@described(query=OF_THE_LOG)
def audit() -> Response:
    """Show the audit log."""
    page = _page()
    return make_response(render_template(page.template, page=page), {"Cache-Control": "no-store"})


@blueprint.get("/api/audit")
@described(
    AuditPage,
    query=(*OF_THE_LOG, FORMAT),
    may={403},
    tables=True,
)
def api_audit() -> Response:
    """List audit entries, newest first. Admins only.

    As a table it has up to 100,000 entries, and the last line says where to continue.
    """
    form = asked_form()
    if form is Form.JSON:
        page = _page()
        answer = as_json(page)
        answer.headers["Link"] = links_beside(page)
    else:
        answer = _table(form)
    answer.vary.update({"Accept", "Authorization", "Cookie"})
    return answer


def _page() -> AuditPage:
    size, cursor, (shown, wanted) = SIZE.read(), _cursor(), _asked()
    # One more than is shown tells whether there is more.
    found = services().accounts.audit.read(wanted, size + 1, cursor)
    following = str(found[size - 1].id) if len(found) > size else None
    items = tuple(map(_item, found[:size]))
    return AuditPage(items=items, page_size=size, next=following, filter=shown, begins=cursor is None)


def _table(form: Form) -> Response:
    if SIZE.name in request.args:
        raise SIZE.refuse("cannot be used with an export, which includes all pages; use cursor to set where it starts")
    cursor, (_, wanted) = _cursor(), _asked()
    accounts = services().accounts
    return table_answer(audit_table(_pieces(accounts.audit, wanted, cursor, accounts.now())), form)


def _pieces(log: AuditLog, wanted: Wanted, before: int | None, as_of: datetime) -> Iterator[Piece]:
    """All entries piece by piece, as of this moment. Needs no request: it goes on after its view is left.

    Raises AccountsUnavailable where not even the first can be read.
    """
    left = MOST_ROWS
    found = log.read(wanted, AT_ONCE + 1, before)
    while found:
        rows, more = tuple(map(_item, found[:AT_ONCE])), len(found) > AT_ONCE
        left, last, cut = left - len(rows), str(rows[-1].id), ""
        if more and not left:
            cut = f"Entries past the first {MOST_ROWS:,}. Continue with cursor={last}"
        elif more:
            try:
                found = log.read(wanted, AT_ONCE + 1, rows[-1].id)
            except AccountsUnavailable:
                cut = f"Reading the log failed. Continue with cursor={last}"
        yield _piece(rows, as_of, cut, last)
        if cut or not more:
            return
    yield _piece((), as_of, "", "")


def _piece(rows: tuple[AuditItem, ...], as_of: datetime, cut: str, last: str) -> Piece:
    missing = (cut,) if cut else ()
    return Piece(rows, as_of, stale=False, reason=None, missing=missing, next=last if cut else None)


def _asked() -> tuple[AuditFilter, Wanted]:
    """What is asked for, as it was asked and as it is looked for; raises MalformedFilter, or Refused with 422."""
    texts = {which.name: which.read() for which in (ACTOR, SUBJECT, ADDRESS, REQUEST_ID)}
    since, until = (read_moment(which.name, request.args.get(which.name, "")) for which in (SINCE, UNTIL))
    events = _events()
    wanted = Wanted(events, **texts, since=_at(since), until=_at(until))
    return AuditFilter.of(since, until, event=events, **texts), wanted


def _events() -> tuple[Event, ...]:
    words = {word for text in request.args.getlist(EVENT.name) for word in text.split(",") if word}
    if not words <= set(Event):
        raise EVENT.refuse(f"must be one of {', '.join(Event)}")
    return tuple(event for event in Event if event in words)


def _at(moment: Moment | None) -> datetime | None:
    return moment.at(services().accounts.now()) if moment else None


def _cursor() -> int | None:
    text = request.args.get(CURSOR.name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 18 and not text.startswith("0")):
        raise CURSOR.refuse("must be the value of next from a response of this log")
    return int(text)


def _item(entry: Entry) -> AuditItem:
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
