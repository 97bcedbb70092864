"""Twins: one registration gives a page and its JSON; both are renderings of the same object."""

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from hashlib import blake2b
from typing import Any

from flask import Blueprint, Response, current_app, make_response, render_template, request

from dashboard import __version__
from dashboard.pages.base import Shown
from dashboard.web.changes import drawn, outline
from dashboard.web.errors import wants_fragment
from dashboard.web.formats import slot
from dashboard.web.renderings import Renderings, filled

View = Callable[..., Shown]
Renderer = Callable[[Shown, str], Response]


class Twins:
    """Registers views under their rule as HTML, under `/api` and the rule as JSON."""

    def __init__(self, blueprint: Blueprint) -> None:
        self._blueprint = blueprint
        self.rules: dict[str, str] = {}

    def route(self, rule: str) -> Callable[[View], View]:
        """Register a view for both renderings. Endpoints: the view's name, and `api_` before it."""

        def register(view: View) -> View:
            name = view.__name__
            self.rules[name] = rule
            self._blueprint.add_url_rule(rule, name, _rendered(view, _html))
            self._blueprint.add_url_rule(f"/api{rule}", f"api_{name}", _rendered(view, _json))
            return view

        return register


def _rendered(view: View, render: Renderer) -> Callable[..., Response]:
    @wraps(view)
    def respond(**values: Any) -> Response:  # noqa: ANN401 - whatever the rule has
        shown = view(**values).made_once()
        response = render(shown, _tag(shown))
        response.headers["As-Of"] = _utc(shown.snapshot.as_of)
        return response

    return respond


def _tag(shown: Shown) -> str:
    """Names what an answer says: the same content asked for in the same way by the same dashboard."""
    asked = f"{shown.snapshot.version} {request.full_path} {__version__}"
    return blake2b(asked.encode("utf-8", "backslashreplace"), digest_size=12).hexdigest()


def _json(shown: Shown, tag: str) -> Response:
    # Weak: `as_of` moves on while the content stays.
    if request.if_none_match.contains_weak(tag):
        response = make_response("", 304)
    else:
        response = make_response(_json_text(shown, tag))
        response.mimetype = "application/json"
    response.set_etag(tag, weak=True)
    response.vary.update({"Authorization", "Cookie"})
    return response


def _json_text(shown: Shown, tag: str) -> bytes:
    """The moments, then all that is the same for everybody who asks."""

    def render() -> str:
        page = shown.make()
        return page.model_dump_json(exclude=set(page.moments))

    moments = ",".join(f'"{name}":"{_utc(moment)}"' for name, moment in shown.all_moments.items())
    return b"{%b,%b" % (moments.encode(), _renderings().get(tag, "json", render)[1:])


def _html(shown: Shown, tag: str) -> Response:
    response = _fragment(shown, tag) if wants_fragment() else make_response(_whole(shown, tag))
    response.vary.add("HX-Request")
    return response


def _fragment(shown: Shown, tag: str) -> Response:
    # Who selects from an answer has another part of a page to renew than the open page has.
    known = request.headers.get("HX-PTag") if request.headers.get("HX-Request-Type") != "full" else None
    if known == tag or (known and _outline(shown, tag) == _renderings().kept(known, "outline")):
        response = make_response("", 304)
    else:
        response = make_response(_changes(shown, known, tag) or _shared(shown, tag, "fragment"))
    response.headers["HX-PTag"] = tag
    return response


def _changes(shown: Shown, known: str | None, tag: str) -> bytes:
    """What is new to somebody who has the page with the known tag; empty where that takes the whole."""
    renderings, new = _renderings(), _outline(shown, tag)
    old = renderings.kept(known, "outline") if known else None
    if old is None:
        return b""
    return filled(renderings.get(f"{known} {tag}", "changes", lambda: drawn(shown.make(), old, new)), shown.all_moments)


def _outline(shown: Shown, tag: str) -> bytes:
    return _renderings().get(tag, "outline", lambda: outline(shown.make()))


def _whole(shown: Shown, tag: str) -> bytes:
    """The page with its header, which knows the viewer and is not shared."""
    slots = {"header": render_template("partials/_header.html"), "tag": tag}
    text = _shared(shown, tag, "template")
    for name, value in slots.items():
        text = text.replace(slot(name).encode(), value.encode(), 1)
    return text


def _shared(shown: Shown, tag: str, form: str) -> bytes:
    # Taken down while this version is at hand: the answer to the next version tells what has changed since.
    _outline(shown, tag)

    def render() -> str:
        page = shown.make()
        return render_template(getattr(page, form), page=page)

    return filled(_renderings().get(tag, form, render), shown.all_moments)


def _utc(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _renderings() -> Renderings:
    renderings: Renderings = current_app.extensions["renderings"]
    return renderings
