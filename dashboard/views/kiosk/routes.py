"""Wall screens: their parameters, their links, and the page to manage these."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from flask import Blueprint, Response, abort, g, make_response, redirect, render_template, request, url_for
from flask_login import current_user
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as BaseResponse

from dashboard.audit.log import AuditEventType
from dashboard.audit.recorder import record_event
from dashboard.auth import guard
from dashboard.auth.kiosk_links import InvalidKioskLink, KioskLink
from dashboard.domain.filters import PageRequest
from dashboard.domain.ids import parse_release_id
from dashboard.views.releases.query import FILTER_PARAMETERS, requested_filter
from dashboard.web.address import all_args
from dashboard.web.openapi.operation import api_operation
from dashboard.web.page_model import PageModel
from dashboard.web.query_params import ChoiceParameter, IntegerParameter, ReleaseIdParameter
from dashboard.web.services import services

# Seconds per release: default, minimum and maximum.
DEFAULT_INTERVAL_SECONDS, MIN_INTERVAL_SECONDS, MAX_INTERVAL_SECONDS = 12, 5, 300
# How many releases of the list are looked at.
MAX_ROTATED_RELEASES = 50
# Browsers keep no cookie longer.
KIOSK_COOKIE_MAX_AGE_SECONDS = 400 * 24 * 3600

KIOSK_INTERVAL_PARAMETER = IntegerParameter(
    "every", "Seconds per release.", DEFAULT_INTERVAL_SECONDS, MAX_INTERVAL_SECONDS, MIN_INTERVAL_SECONDS, " (seconds)"
)
KIOSK_THEME_PARAMETER = ChoiceParameter(
    "theme", "Colour theme of the wall screen. Default: the system's.", ("light", "dark")
)
KIOSK_SHOW_PARAMETER = ReleaseIdParameter(
    "show", "Release to show. If it is not in the rotation, the first one is shown."
)
# Of a page that has a wall screen.
KIOSK_PARAMETER = ChoiceParameter("kiosk", "Set to 1 to be redirected to the page's wall screen.", ("1",))
SCREEN_PARAMETERS = (*FILTER_PARAMETERS, KIOSK_INTERVAL_PARAMETER, KIOSK_THEME_PARAMETER)
KIOSK_LINK_RELEASE_PARAMETER = ReleaseIdParameter("release", "Show only this release.")
# What an address of a page may say and its wall screen takes over; the rest of it is about pages and rows.
KEPT_PARAMETER_NAMES = ("q", "phase", "since", "until", "every", "theme")
# Which view is a wall screen of which page, with `?kiosk=1`.
KIOSK_ENDPOINT_BY_PAGE = {
    "web.releases": "web.kiosk",
    "web.api_releases": "web.api_kiosk",
    "web.release": "web.kiosk_release",
    "web.api_release": "web.api_kiosk_release",
}

blueprint = Blueprint("kiosk", __name__)


@dataclass(frozen=True, slots=True)
class KioskQuery:
    """The rotation of a wall screen: releases, seconds per release, the current one, and kept parameters."""

    slice: PageRequest
    every: int
    shown: str
    kept: Mapping[str, Any]


class ScreensPage(PageModel):
    """The wall screen links, with the newly created one, which is shown only once."""

    template: ClassVar[str] = "kiosk/links.html"

    links: tuple[KioskLink, ...]
    made: str | None = None
    name: str = ""
    error: str | None = None

    @property
    def title(self) -> str:
        """Return the heading."""
        return "Wall screens"


def requested_kiosk() -> KioskQuery:
    """Return the parameters of a wall screen; raises MalformedFilter, or ApiError with 422."""
    KIOSK_THEME_PARAMETER.read()
    wanted = requested_filter()
    return KioskQuery(
        PageRequest(MAX_ROTATED_RELEASES, filter=wanted, lately=not wanted.phases),
        KIOSK_INTERVAL_PARAMETER.read(),
        KIOSK_SHOW_PARAMETER.read() or "",
        _kept_parameters(request.args),
    )


def remember_next(release_id: str | None, asked: KioskQuery) -> None:
    """Remember the next release in case the page fails to render."""
    if release_id:
        g.next_turn = url_for("web.kiosk", show=release_id, **asked.kept)


def redirect_to_kiosk() -> None:
    """Redirect `?kiosk=1` on a page to its wall screen. Call it after reading the other parameters."""
    endpoint = KIOSK_ENDPOINT_BY_PAGE.get(request.endpoint or "")
    if endpoint and KIOSK_PARAMETER.read():
        run: dict[str, Any] = {"run": request.args["run"]} if request.view_args and "run" in request.args else {}
        # Keep parameters of the wall screen that the page does not have.
        abort(redirect(url_for(endpoint, **(request.view_args or {}), **_kept_parameters(all_args()), **run)))


@blueprint.get("/kiosk/open/<token>")
@api_operation(query=(KIOSK_LINK_RELEASE_PARAMETER, *SCREEN_PARAMETERS))
def enter(token: str) -> BaseResponse:
    """Exchange the token of a wall screen link for a cookie that is sent to wall screen pages only."""
    if not services().accounts.kiosk_links.verify(token):
        raise guard.kiosk_link_error()
    release_id = request.args.get(KIOSK_LINK_RELEASE_PARAMETER.name)
    if release_id:
        where = url_for("web.kiosk_release", release_id=parse_release_id(release_id), **_kept_parameters(request.args))
    else:
        where = url_for("web.kiosk", **_kept_parameters(request.args))
    response = redirect(where)
    response.headers["Cache-Control"] = "no-store"
    response.set_cookie(
        guard.KIOSK_COOKIE_NAME,
        token,
        max_age=KIOSK_COOKIE_MAX_AGE_SECONDS,
        path="/kiosk",
        secure=request.is_secure,
        httponly=True,
        samesite="Lax",
    )
    return response


@blueprint.get("/screens")
def screens() -> Response:
    """Show the links of this user; admins see all."""
    return _screens_page()


@blueprint.post("/screens")
def make_link() -> Response:
    """Create a link and show it once."""
    name = request.form.get("name", "")
    accounts = services().accounts
    try:
        with accounts.transaction():
            token = accounts.kiosk_links.add(current_user.user, name)
            record_event(AuditEventType.kiosk_link_created, subject=name.strip())
    except InvalidKioskLink as exc:
        return _screens_page(422, name=name[:200], error=str(exc))
    return _screens_page(201, made=url_for("kiosk.enter", token=token, _external=True))


@blueprint.post("/screens/<link_id>/revoke")
def revoke(link_id: str) -> BaseResponse:
    """Revoke a link immediately."""
    accounts = services().accounts
    with accounts.transaction():
        if not accounts.kiosk_links.revoke(current_user.user, link_id):
            raise NotFound
        record_event(AuditEventType.kiosk_link_revoked, link_id=link_id)
    return redirect(url_for("kiosk.screens"), 303)


def _screens_page(status: int = 200, *, made: str | None = None, name: str = "", error: str | None = None) -> Response:
    links = tuple(services().accounts.kiosk_links.of(current_user.user))
    page = ScreensPage(links=links, made=made, name=name, error=error)
    response = make_response(render_template(page.template, page=page), status)
    response.headers["Cache-Control"] = "no-store"
    return response


def _kept_parameters(args: MultiDict[str, str]) -> dict[str, Any]:
    given = {name: args.get(name) for name in KEPT_PARAMETER_NAMES} | {"phase": ",".join(args.getlist("phase"))}
    return {name: value for name, value in given.items() if value}
