"""Read the filter and the page of the list from the address."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256

from flask import current_app, request
from itsdangerous import BadSignature, Signer

from dashboard.domain.filters import (
    FILTER_NAMES,
    ID_PREFIX,
    LIST_PAGE_SIZE,
    MAX_OFFSET,
    STATUS_PHASES,
    Cursor,
    PageRequest,
    ReleaseFilter,
)
from dashboard.domain.ids import MAX_RELEASE_ID_BYTES
from dashboard.web.negotiation import Format, requested_format
from dashboard.web.query_params import (
    PLAIN_TEXT_SCHEMA,
    ChoiceParameter,
    IntegerParameter,
    RepeatedParameter,
    SchemaParameter,
    choices_pattern,
)
from dashboard.web.time_bounds import MOMENT_HELP, MOMENT_SCHEMA

MAX_LIST_PAGE_SIZE = 100
LIST_Q_PARAMETER = SchemaParameter(
    "q",
    f"Releases whose ID starts with this text, with or without `{ID_PREFIX}`.",
    PLAIN_TEXT_SCHEMA | {"maxLength": MAX_RELEASE_ID_BYTES},
)
LIST_PHASE_PARAMETER = RepeatedParameter(
    "phase",
    f"Phases to include, by Temporal status: {', '.join(STATUS_PHASES)}. "
    "Repeat the parameter or separate values with commas.",
    {"type": "array", "items": {"type": "string", "pattern": choices_pattern(STATUS_PHASES)}},
)
LIST_SINCE_PARAMETER = SchemaParameter("since", f"Releases started at or after this time: {MOMENT_HELP}", MOMENT_SCHEMA)
LIST_UNTIL_PARAMETER = SchemaParameter("until", f"Releases started before this time: {MOMENT_HELP}", MOMENT_SCHEMA)
FILTER_PARAMETERS = (LIST_Q_PARAMETER, LIST_PHASE_PARAMETER, LIST_SINCE_PARAMETER, LIST_UNTIL_PARAMETER)
LIST_PAGE_PARAMETER = IntegerParameter(
    "page", f"Page number, up to the first {MAX_OFFSET:,} releases. Cannot be combined with `cursor`.", 1, MAX_OFFSET
)
LIST_PAGE_SIZE_PARAMETER = IntegerParameter(
    "page_size", "Number of releases per page.", LIST_PAGE_SIZE, MAX_LIST_PAGE_SIZE
)
LIST_CURSOR_PARAMETER = SchemaParameter(
    "cursor", "The value of `next` from a response with the same filter.", PLAIN_TEXT_SCHEMA | {"minLength": 1}
)
LIST_STARRED_PARAMETER = ChoiceParameter(
    "starred", "Set to 1 to list the user's starred releases. Cannot be combined with other parameters.", ("1",)
)

_LIST_PARAMETER_NAMES = (*FILTER_NAMES, "page", "page_size", "cursor")


def requested_slice() -> PageRequest:
    """Return the requested page of the list; raises MalformedFilter, or ApiError with 422."""
    args, wanted = request.args, requested_filter()
    if requested_format() is not Format.JSON:
        return _export_slice(wanted)
    page_size = LIST_PAGE_SIZE_PARAMETER.read()
    sealed = args.get(LIST_CURSOR_PARAMETER.name)
    if sealed is None:
        page = _page(page_size)
        # The overview above the list counts what ended lately, however much runs.
        return PageRequest(page_size, page, wanted, lately=page == 1 and wanted == ReleaseFilter())
    if LIST_PAGE_PARAMETER.name in args:
        raise LIST_PAGE_PARAMETER.refuse("cannot be combined with cursor")
    return PageRequest(page_size, filter=wanted, cursor=_open_cursor(sealed, wanted))


def _export_slice(wanted: ReleaseFilter) -> PageRequest:
    """Return the first page of an export, which has the full list or the rest from a cursor."""
    for which in (LIST_PAGE_PARAMETER, LIST_PAGE_SIZE_PARAMETER):
        if which.name in request.args:
            raise which.refuse(
                "cannot be used with an export, which includes all pages; use cursor to set where it starts"
            )
    sealed = request.args.get("cursor")
    return PageRequest(
        MAX_LIST_PAGE_SIZE, filter=wanted, cursor=_open_cursor(sealed, wanted) if sealed is not None else None
    )


def requested_filter() -> ReleaseFilter:
    """Return the requested filter; raises MalformedFilter."""
    return ReleaseFilter.from_query(request.args.items(multi=True))


def wants_starred() -> bool:
    """Return whether starred releases are requested, which cannot be filtered; raises ApiError with 422."""
    if LIST_STARRED_PARAMETER.name not in request.args:
        return False
    if request.args[
        LIST_STARRED_PARAMETER.name
    ] not in LIST_STARRED_PARAMETER.words or not request.args.keys().isdisjoint(_LIST_PARAMETER_NAMES):
        raise LIST_STARRED_PARAMETER.refuse(f"must be 1 and cannot be combined with {', '.join(_LIST_PARAMETER_NAMES)}")
    return True


def cursor_sealer(wanted: ReleaseFilter) -> Callable[[Cursor], str]:
    """Return a function that encodes cursors for this filter's list.

    Cursors are signed: Temporal treats an invalid token as an internal error and retries it repeatedly.
    """
    signer = _signer(wanted)
    return lambda cursor: signer.sign(urlsafe_b64encode(b"%d:%b" % (cursor.offset, cursor.token))).decode()


def _open_cursor(sealed: str, wanted: ReleaseFilter) -> Cursor:
    try:
        offset, _, token = urlsafe_b64decode(_signer(wanted).unsign(sealed.encode())).partition(b":")
    except (BadSignature, UnicodeEncodeError) as exc:
        takes = "must be the value of next from a response with the same q, phase, since and until"
        raise LIST_CURSOR_PARAMETER.refuse(takes) from exc
    return Cursor(token, int(offset))


def _signer(wanted: ReleaseFilter) -> Signer:
    # The last one signs; the others are of before it was changed.
    keys = [*current_app.config["SECRET_KEY_FALLBACKS"], current_app.config["SECRET_KEY"]]
    return Signer(keys, salt=f"list {wanted}", sep=".", digest_method=sha256)


def _page(page_size: int) -> int:
    page = LIST_PAGE_PARAMETER.read()
    if page * page_size > MAX_OFFSET:
        last = MAX_OFFSET // page_size
        reach = f"page numbers reach the first {MAX_OFFSET:,} releases; use cursor for the rest"
        raise LIST_PAGE_PARAMETER.refuse(f"must be an integer from 1 to {last} with page_size {page_size}: {reach}")
    return page
