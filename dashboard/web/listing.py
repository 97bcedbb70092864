"""What is asked of the list: its filter and its page, read from the address."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256
from urllib.parse import parse_qsl, urlencode

from flask import current_app, request
from itsdangerous import BadSignature, Signer
from werkzeug.datastructures import MultiDict

from dashboard.domain.filters import PAGE_SIZE, REACH, Cursor, ReleaseFilter, Slice
from dashboard.pages.releases import FilterView
from dashboard.web.errors import invalid_parameter
from dashboard.web.media import Form, asked_form

MAX_PAGE_SIZE = 100
_OF_THE_LIST = (*FilterView.model_fields, "page", "page_size", "cursor")


def asked_slice() -> Slice:
    """The page of the list that the request is for; raises MalformedFilter, or Refused with 422."""
    args, wanted = request.args, asked_filter()
    if asked_form() is not Form.JSON:
        return _from_the_beginning(wanted)
    page_size = whole_number("page_size", PAGE_SIZE, MAX_PAGE_SIZE)
    sealed = args.get("cursor")
    if sealed is None:
        return Slice(page_size, _page(page_size), wanted)
    if "page" in args:
        raise invalid_parameter("page", "is not taken together with cursor, which says where the page begins")
    return Slice(page_size, filter=wanted, cursor=_opened(sealed, wanted))


def _from_the_beginning(wanted: ReleaseFilter) -> Slice:
    """The first page of a table, which has the whole list, or all of it from a cursor on."""
    for name in ("page", "page_size"):
        if name in request.args:
            raise invalid_parameter(name, "is not taken for a table, which has all pages; cursor says where it begins")
    sealed = request.args.get("cursor")
    return Slice(MAX_PAGE_SIZE, filter=wanted, cursor=_opened(sealed, wanted) if sealed is not None else None)


def asked_filter() -> ReleaseFilter:
    """The filter that the request is for; raises MalformedFilter."""
    return _filter(request.args)


def asked_stars() -> bool:
    """Whether the starred releases are asked for, which are not filtered; raises Refused with 422."""
    if "starred" not in request.args:
        return False
    if request.args["starred"] != "1" or not request.args.keys().isdisjoint(_OF_THE_LIST):
        raise invalid_parameter("starred", f"takes 1, and none of {', '.join(_OF_THE_LIST)}: all of them are shown")
    return True


def filter_query(wanted: ReleaseFilter) -> str:
    """A filter as it stands in an address, always the same for the same one; empty for the whole list."""
    return urlencode(FilterView.of(wanted).parameters, doseq=True)


def view_query(text: str) -> str:
    """The same of a filter that somebody gives as text; raises MalformedFilter, or Refused with 422."""
    given = MultiDict(parse_qsl(text.removeprefix("?"), keep_blank_values=True))
    other = next((name for name in given if name not in FilterView.model_fields), None)
    query = "" if other else filter_query(_filter(given))
    if not query:
        takes = f"takes {', '.join(FilterView.model_fields)} as they stand in the list's address"
        raise invalid_parameter("query", f"{takes}, not {other}" if other else f"{takes}, at least one of them")
    return query


def _filter(args: MultiDict[str, str]) -> ReleaseFilter:
    return ReleaseFilter.parse(args.get("q", ""), args.getlist("phase"), args.get("since", ""), args.get("until", ""))


def sealing(wanted: ReleaseFilter) -> Callable[[Cursor], str]:
    """Writes cursors for this filter's list, as they stand in an address.

    They are signed: the store takes a token that it did not make for a fault of its own, and tries again and again.
    """
    signer = _signer(wanted)
    return lambda cursor: signer.sign(urlsafe_b64encode(b"%d:%b" % (cursor.offset, cursor.token))).decode()


def _opened(sealed: str, wanted: ReleaseFilter) -> Cursor:
    try:
        offset, _, token = urlsafe_b64decode(_signer(wanted).unsign(sealed.encode())).partition(b":")
    except (BadSignature, UnicodeEncodeError) as exc:
        takes = "takes what an answer of this list gave as next, with the same q, phase, since and until"
        raise invalid_parameter("cursor", takes) from exc
    return Cursor(token, int(offset))


def _signer(wanted: ReleaseFilter) -> Signer:
    return Signer(current_app.config["SECRET_KEY"], salt=f"list {wanted}", sep=".", digest_method=sha256)


def _page(page_size: int) -> int:
    page = whole_number("page", 1, REACH)
    if page * page_size > REACH:
        last = REACH // page_size
        reach = f"by number the list reaches the first {REACH:,} releases, by cursor all"
        raise invalid_parameter("page", f"takes a whole number from 1 to {last} with page_size {page_size}: {reach}")
    return page


def whole_number(name: str, default: int, most: int) -> int:
    """A query parameter from 1 to `most`; raises Refused with 422."""
    text = request.args.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and 1 <= int(text) <= most):
        raise invalid_parameter(name, f"takes a whole number from 1 to {most}")
    return int(text)
