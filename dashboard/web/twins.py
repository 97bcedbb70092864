"""Twins: one registration gives a page and its JSON; both are renderings of the same object."""

from collections.abc import Callable
from functools import partial, wraps
from hashlib import blake2b
from typing import Any

from flask import Blueprint, Response, copy_current_request_context, render_template, request

from dashboard import __version__
from dashboard.pages.table import Table
from dashboard.web.changes import drawn, outline
from dashboard.web.errors import wants_fragment
from dashboard.web.formats import theme
from dashboard.web.kept import slots
from dashboard.web.links import links_beside
from dashboard.web.media import Form, asked_form
from dashboard.web.renderings import the_renderings
from dashboard.web.shown import Shown
from dashboard.web.shown_text import as_data
from dashboard.web.tables import table_answer
from dashboard.web.texts import Text
from dashboard.web.told import TOLD, Told, answer, exact, told, unchanged

View = Callable[..., Shown]
Renderer = Callable[[Shown, str], Response]


class Twins:
    """Registers views under their rule as HTML, under `/api` and the rule as JSON."""

    def __init__(self, blueprint: Blueprint) -> None:
        self._blueprint = blueprint
        self.rules: dict[str, str] = {}
        self.views: dict[str, View] = {}

    def route(self, rule: str) -> Callable[[View], View]:
        """Register a view for both renderings. Endpoints: the view's name, and `api_` before it."""

        def register(view: View) -> View:
            name = view.__name__
            self.rules[name], self.views[name] = rule, view
            self._blueprint.add_url_rule(rule, name, _rendered(view, _html))
            self._blueprint.add_url_rule(f"/api{rule}", f"api_{name}", _rendered(view, _api))
            return view

        return register


def _rendered(view: View, render: Renderer) -> Callable[..., Response]:
    @wraps(view)
    def respond(**values: Any) -> Response:  # noqa: ANN401 - whatever the rule has
        shown = view(**values).made_once()
        response = render(shown, tag_of(shown))
        if shown.since:
            # While nothing happens, this answer becomes untrue all the same: it is given once.
            request.environ.pop(TOLD, None)
        return response

    return respond


def tag_of(shown: Shown) -> str:
    """Names what an answer says: the version, and after a dot in which way it was asked for, of which dashboard."""
    asked = f"{request.full_path} {shown.since} {__version__}".encode("utf-8", "backslashreplace")
    return f"{shown.snapshot.version}.{blake2b(asked, digest_size=6).hexdigest()}"


def _api(shown: Shown, tag: str) -> Response:
    form = asked_form(tables=shown.table is not None)
    if shown.table is None or form is Form.JSON:
        response = _json(shown, tag)
    else:
        response = _table(shown, shown.table, form, f"{tag}.{form}")
    response.vary.update({"Authorization", "Cookie", "Accept"} if shown.table else {"Authorization", "Cookie"})
    return response


def _table(shown: Shown, make: Callable[[], Table], form: Form, tag: str) -> Response:
    if request.if_none_match.contains_weak(tag):
        response = answer(unchanged(shown), shown.snapshot)
    else:
        table = make()
        response = table_answer(table, form)
        if table.long:
            # What its later pages say is not known yet.
            return response
    response.set_etag(tag, weak=True)
    return response


def _json(shown: Shown, tag: str) -> Response:
    # Weak: `as_of` moves on while the content stays.
    known = request.if_none_match.contains_weak(tag)
    said = unchanged(shown) if known else told(shown, tag, "json", _json_text(shown, tag))
    response = answer(said, shown.snapshot)
    response.set_etag(tag, weak=True)
    response.mimetype = "application/json"
    if shown.paged and not known:
        response.headers["Link"] = the_renderings().get(tag, "links", lambda: links_beside(shown.make()))
    return response


def _json_text(shown: Shown, tag: str) -> Text:
    """The moments, then all that is the same for everybody who asks."""

    def render() -> Text:
        page, names = shown.make(), tuple(shown.moments())
        rest = page.model_dump_json(exclude=set(page.moments)).encode("utf-8", "replace")
        begins = (b'%b"%b":"' % (b'",' if at else b"{", name.encode()) for at, name in enumerate(names))
        return Text((*begins, b'",' + rest[1:]), names)

    return the_renderings().get(tag, "json", render)


def _html(shown: Shown, tag: str) -> Response:
    response = answer(_fragment(shown, tag) if wants_fragment() else _whole(shown, tag), shown.snapshot)
    if wants_fragment():
        response.headers["HX-PTag"] = tag
    elif the_renderings().kept(tag, "outline") is None:
        # Nobody has to wait for it: a first page takes a tenth longer with it.
        response.call_on_close(copy_current_request_context(partial(outline_of, shown, tag)))
    response.vary.add("HX-Request")
    return response


def _fragment(shown: Shown, tag: str) -> Told:
    # Who selects from an answer has another part of a page to renew than the open page has.
    known = request.headers.get("HX-PTag") if request.headers.get("HX-Request-Type") != "full" else None
    new = outline_of(shown, tag)
    old = the_renderings().kept(known, "outline") if known else None
    if known == tag or old == new:
        return unchanged(shown)
    changes = f"{known} {tag}"
    if old and (text := the_renderings().get(changes, "changes", lambda: Text.of(drawn(shown.make(), old, new)))):
        return told(shown, changes, "changes", text, exact)
    return told(shown, tag, "fragment", _shared(shown, tag, "fragment"), exact)


def outline_of(shown: Shown, tag: str) -> bytes:
    """Taken down while this version is at hand: the answer to the next one tells what has changed since."""
    return the_renderings().get(tag, "outline", lambda: outline(shown.make()))


def _whole(shown: Shown, tag: str) -> Told:
    """The page with its header, which knows the viewer and is not shared."""
    values = {
        "header": render_template("partials/_header.html").encode(),
        "tag": tag.encode(),
        "theme": theme(request.cookies).encode(),
        "site": as_data(request.root_url.rstrip("/")).encode("utf-8", "replace"),
        **slots(),
    }
    return told(shown, tag, "template", _shared(shown, tag, "template"), exact, values)


def _shared(shown: Shown, tag: str, form: str) -> Text:
    def render() -> Text:
        page = shown.make()
        return Text.of(render_template(getattr(page, form), page=page))

    return the_renderings().get(tag, form, render)
