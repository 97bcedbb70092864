"""Twins: one registration gives a page and its JSON; both are renderings of the same object."""

from collections.abc import Callable
from functools import wraps
from hashlib import blake2b
from typing import Any

from flask import Blueprint, Response, make_response, render_template, request

from dashboard import __version__
from dashboard.pages.base import Page
from dashboard.web.errors import wants_fragment

View = Callable[..., Page]
Renderer = Callable[[Page], str]


class Twins:
    """Registers views that return a Page: under the rule as HTML, under `/api` and the rule as JSON."""

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


def _rendered(view: View, render: Callable[[Page, str], Response]) -> Callable[..., Response]:
    @wraps(view)
    def respond(**values: Any) -> Response:  # noqa: ANN401 - whatever the rule has
        page = view(**values)
        response = render(page, _tag(page))
        response.headers["As-Of"] = page.as_of.isoformat().replace("+00:00", "Z")
        return response

    return respond


def _tag(page: Page) -> str:
    """Names what an answer says: the same content asked for in the same way by the same dashboard."""
    asked = f"{page.version} {request.full_path} {__version__}"
    return blake2b(asked.encode("utf-8", "backslashreplace"), digest_size=12).hexdigest()


def _json(page: Page, tag: str) -> Response:
    # Weak: `as_of` moves on while the content stays.
    if request.if_none_match.contains_weak(tag):
        response = make_response("", 304)
    else:
        response = make_response(page.model_dump_json())
        response.mimetype = "application/json"
    response.set_etag(tag, weak=True)
    response.vary.update({"Authorization", "Cookie"})
    return response


def _html(page: Page, tag: str) -> Response:
    if not wants_fragment():
        response = make_response(render_template(page.template, page=page))
        response.vary.add("HX-Request")
        return response
    unchanged = request.headers.get("HX-PTag") == tag
    response = make_response("" if unchanged else render_template(page.fragment, page=page), 304 if unchanged else 200)
    response.headers["HX-PTag"] = tag
    response.vary.add("HX-Request")
    return response
