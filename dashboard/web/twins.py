"""Twins: one registration provides a page and its JSON, rendered from the same object."""

from collections.abc import Callable, Hashable, Sized
from dataclasses import dataclass
from datetime import datetime
from functools import partial, wraps
from hashlib import blake2b
from typing import Any, TypeVar

from flask import Blueprint, Flask, Response, current_app, render_template, request

from dashboard import __version__
from dashboard.web.address import EXPANSION_PARAMETERS, PageAddress, anonymous_request, page_address
from dashboard.web.body_template import BodyTemplate
from dashboard.web.errors import wants_fragment
from dashboard.web.escaping import escape_data
from dashboard.web.export.response import table_response
from dashboard.web.export.table import Table
from dashboard.web.formats import theme
from dashboard.web.freshness import fresh_result, not_yet_response
from dashboard.web.links import neighbour_links
from dashboard.web.negotiation import Format, requested_format
from dashboard.web.page_response import (
    PAGE_RESPONSE_ENVIRON_KEY,
    PageResponse,
    local_timestamp,
    make_page_response,
    to_flask_response,
    unchanged_response,
)
from dashboard.web.page_result import PageResult
from dashboard.web.partial_updates import page_fingerprint, render_changes
from dashboard.web.services import services

S = TypeVar("S", bound=Sized)

ResultView = Callable[..., PageResult]


@dataclass(frozen=True, slots=True)
class PageKey:
    """The cache key of a response: address, version, and reference time if relevant."""

    address: PageAddress
    version: str
    since: datetime | None

    @property
    def tag(self) -> str:
        """Return the ETag: the version and a hash of the rest of the key."""
        asked = repr((self.address, self.since, __version__)).encode()
        return f"{self.version}.{blake2b(asked, digest_size=16).hexdigest()}"


Renderer = Callable[[PageResult, PageKey], Response]


class Twins:
    """Registers views under their rule as HTML, under `/api` and the rule as JSON."""

    def __init__(self, blueprint: Blueprint) -> None:
        self._blueprint = blueprint
        self.rules: dict[str, str] = {}
        self.views: dict[str, ResultView] = {}

    def route(self, rule: str) -> Callable[[ResultView], ResultView]:
        """Register a view for both renderings. Endpoints: the view's name, and `api_` before it."""

        def register(view: ResultView) -> ResultView:
            name = view.__name__
            self.rules[name], self.views[name] = rule, view
            self._blueprint.add_url_rule(rule, name, _rendered(view, _html))
            self._blueprint.add_url_rule(f"/api{rule}", f"api_{name}", _rendered(view, _api))
            return view

        return register


def _rendered(view: ResultView, render: Renderer) -> Callable[..., Response]:
    @wraps(view)
    def respond(**values: Any) -> Response:  # noqa: ANN401 - whatever the rule has
        found = fresh_result(partial(view, **values))
        if found is None:
            return not_yet_response()
        shown = found.memoized()
        key = PageKey(page_address(request.endpoint or ""), shown.snapshot.version, shown.since)
        response = render(shown, key)
        if shown.since:
            # While nothing happens, this answer becomes untrue all the same: it is given once.
            request.environ.pop(PAGE_RESPONSE_ENVIRON_KEY, None)
        return response

    return respond


def _api(shown: PageResult, key: PageKey) -> Response:
    form = requested_format(tables=shown.table is not None)
    if shown.table is None or form is Format.JSON:
        response = _json(shown, key)
    else:
        response = _table(shown, shown.table, form, f"{key.tag}.{form}")
    response.vary.update({"Authorization", "Cookie", "Accept"} if shown.table else {"Authorization", "Cookie"})
    return response


def _table(shown: PageResult, make: Callable[[], Table], form: Format, tag: str) -> Response:
    if request.if_none_match.contains_weak(tag):
        response = to_flask_response(unchanged_response(shown), shown.snapshot)
    else:
        table = make()
        response = table_response(table, form)
        if table.long:
            # What its later pages say is unknown yet.
            return response
    response.set_etag(tag, weak=True)
    return response


def _json(shown: PageResult, key: PageKey) -> Response:
    # Weak: `as_of` moves on while the content stays.
    known = request.if_none_match.contains_weak(key.tag)
    said = (
        unchanged_response(shown)
        if known
        else make_page_response(shown, key, "json", _shared(key, "json", lambda: _json_text(shown)))
    )
    response = to_flask_response(said, shown.snapshot)
    response.set_etag(key.tag, weak=True)
    response.mimetype = "application/json"
    if shown.paged and not known:
        response.headers["Link"] = _shared(key, "links", lambda: neighbour_links(shown.make()))
    return response


def _json_text(shown: PageResult) -> BodyTemplate:
    """Return the moments, followed by the shared content."""
    page, names = shown.make(), tuple(shown.moments())
    rest = page.model_dump_json(exclude=set(page.moments)).encode("utf-8", "replace")
    begins = (b'%b"%b":"' % (b'",' if at else b"{", name.encode()) for at, name in enumerate(names))
    return BodyTemplate((*begins, b'",' + rest[1:]), names)


def _html(shown: PageResult, key: PageKey) -> Response:
    response = to_flask_response(_fragment(shown, key) if wants_fragment() else _full_page(shown, key), shown.snapshot)
    if wants_fragment():
        response.headers["HX-PTag"] = key.tag
    elif _known_fingerprint(key, key.tag) is None:
        # Deferred, as it makes a first page a tenth slower.
        app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
        response.call_on_close(partial(_store_fingerprint, app, shown, key))
    response.vary.add("HX-Request")
    return response


def _fragment(shown: PageResult, key: PageKey) -> PageResponse:
    # Who selects from an answer has another part of a page to renew than the open page has.
    known = request.headers.get("HX-PTag") if request.headers.get("HX-Request-Type") != "full" else None
    new = _record_fingerprint(shown, key)
    old = _known_fingerprint(key, known) if known else None
    if known == key.tag or old == new:
        return unchanged_response(shown)
    changes = "changes", known
    if old and (text := _shared(key, changes, lambda: BodyTemplate.of(render_changes(shown.make(), old, new)))):
        return make_page_response(shown, key, changes, text, local_timestamp)
    return make_page_response(shown, key, "fragment", _template(shown, key, "fragment"), local_timestamp)


def _record_fingerprint(shown: PageResult, key: PageKey) -> bytes:
    """Store the outline of this version, to compute the changes to the next one."""

    def make() -> bytes:
        with anonymous_request(key.address):
            return page_fingerprint(shown.make())

    return services().renderings.get((key.address.without(EXPANSION_PARAMETERS), key.tag), "outline", make)


def _known_fingerprint(key: PageKey, tag: str) -> bytes | None:
    """Return the stored outline of the version with this tag, regardless of its expanded rows."""
    outline: bytes | None = services().renderings.kept((key.address.without(EXPANSION_PARAMETERS), tag), "outline")
    return outline


def _store_fingerprint(app: Flask, shown: PageResult, key: PageKey) -> None:
    with app.app_context():
        _record_fingerprint(shown, key)


def _full_page(shown: PageResult, key: PageKey) -> PageResponse:
    """Return the full page with the viewer's personal header."""
    values = {
        "header": render_template("shared/_header.html").encode(),
        "tag": key.tag.encode(),
        "theme": theme(request.cookies).encode(),
        "site": escape_data(request.root_url.rstrip("/")).encode("utf-8", "replace"),
        **services().viewer_slots(),
    }
    return make_page_response(shown, key, "template", _template(shown, key, "template"), local_timestamp, values)


def _template(shown: PageResult, key: PageKey, form: str) -> BodyTemplate:
    def render() -> BodyTemplate:
        page = shown.make()
        return BodyTemplate.of(render_template(getattr(page, form), page=page))

    return _shared(key, form, render)


def _shared(key: PageKey, form: Hashable, make: Callable[[], S]) -> S:
    """Return the shared content of this address."""

    def render() -> S:
        with anonymous_request(key.address):
            return make()

    return services().renderings.get(key, form, render)
