"""Settings, views and stars of the viewer: the page, its forms, and the personal parts of other pages."""

from collections.abc import Iterable
from datetime import UTC, datetime
from urllib.parse import parse_qsl

from flask import Blueprint, Flask, Response, g, make_response, redirect, render_template, request, url_for
from flask_login import current_user
from markupsafe import Markup
from werkzeug.wrappers import Response as BaseResponse

from dashboard.auth.database_outage import value_or
from dashboard.auth.guard import requested_page_path
from dashboard.auth.redirects import safe_redirect_target
from dashboard.database.unit_of_work import AccountsUnavailable
from dashboard.domain.filters import FILTER_NAMES, ReleaseFilter
from dashboard.domain.ids import parse_release_id
from dashboard.users.preferences.page import SettingsPage, Star, ViewItem, ViewsBar
from dashboard.users.preferences.store import (
    InvalidPreference,
    PreferenceConflict,
    Preferences,
    SavedView,
    ViewNotFound,
    time_zone_names,
)
from dashboard.web.errors import ApiError, error_response, field_conflict, invalid_parameter, wants_fragment
from dashboard.web.escaping import escape_data
from dashboard.web.formats import theme
from dashboard.web.services import services

THEME_COOKIE_MAX_AGE_SECONDS = 365 * 24 * 3600
# As forms send them; what is none of these is refused where it is kept.
_HOUR_CYCLES = {"": None, "12": 12, "24": 24}
_STARRABLE_ENDPOINTS = frozenset({"web.release", "web.hierarchy", "web.strip", "web.timeline", "web.matrix"})

blueprint = Blueprint("kept", __name__)


def init_app(app: Flask) -> None:
    """Register error handlers for rejected settings."""
    app.register_error_handler(InvalidPreference, lambda exc: error_response(invalid_parameter(exc.field, exc.reason)))
    app.register_error_handler(PreferenceConflict, lambda exc: error_response(field_conflict(exc.field, exc.reason)))
    app.register_error_handler(
        ViewNotFound,
        lambda _exc: error_response(ApiError(404, "view_not_found", "View not found. It may have been deleted.")),
    )


@blueprint.get("/settings")
def settings() -> Response:
    """Show the viewer's settings, views and stars."""
    return _no_store(make_response(render_template(SettingsPage.template, page=settings_page())))


@blueprint.post("/settings")
def save_settings() -> BaseResponse:
    """Save the time settings, or show the form again with its errors."""
    zone, hours = request.form.get("zone", ""), request.form.get("hours", "")
    try:
        services().kept.set_preferences(current_user.id, Preferences(zone, _HOUR_CYCLES.get(hours, 0)))
    except InvalidPreference as exc:
        page = settings_page().model_copy(update={"error": f"{exc.field}: {exc.reason}", "refused": zone[:80]})
        return _no_store(make_response(render_template(page.template, page=page), 422))
    return _redirect_back("kept.settings")


@blueprint.post("/settings/theme")
def save_theme() -> BaseResponse:
    """Save the theme in this browser."""
    chosen = request.form.get("theme", "")
    if chosen not in {"auto", "light", "dark"}:
        raise invalid_parameter("theme", "must be auto, light or dark")
    response = _redirect_back("kept.settings")
    response.set_cookie("theme", chosen, max_age=THEME_COOKIE_MAX_AGE_SECONDS, samesite="Lax")
    return response


@blueprint.post("/views")
def add_view() -> BaseResponse:
    """Save a filter of the list as a view, and show it."""
    query = view_query(request.form.get("query", ""))
    services().kept.add_view(current_user.id, request.form.get("name", ""), query)
    return redirect(f"{url_for('web.releases')}?{query}", 303)


@blueprint.post("/views/<view_id>")
def change_view(view_id: str) -> BaseResponse:
    """Apply the action `do` to one of the viewer's views."""
    kept, user = services().kept, current_user.id
    view = get_own_view(view_id)
    match request.form.get("do", ""):
        case "remove":
            kept.remove_view(user, view_id)
        case "default" | "undefault" as which:
            kept.set_default(user, view_id if which == "default" else None)
        case "share" | "unshare" as which:
            kept.change_view(user, view_id, view.name, view.query, shared=which == "share")
        case "rename":
            kept.change_view(user, view_id, request.form.get("name", ""), view.query, shared=view.shared)
        case _:
            raise invalid_parameter("do", "must be remove, default, undefault, share, unshare or rename")
    return _redirect_back("kept.settings")


@blueprint.post("/stars")
def change_stars() -> BaseResponse:
    """Star the release in `add` and remove the star of the one in `remove`."""
    for release_id in request.form.getlist("add"):
        services().kept.star(current_user.id, parse_release_id(release_id))
    for release_id in request.form.getlist("remove"):
        services().kept.unstar(current_user.id, release_id)
    # A script stays where it is.
    return Response(status=204) if wants_fragment() else _redirect_back("web.releases")


def get_own_view(view_id: str) -> SavedView:
    """Return the viewer's view with this id; raises ViewNotFound."""
    for view in services().kept.views(current_user.id):
        if view.id == view_id:
            return view
    raise ViewNotFound(view_id)


def view_query(text: str) -> str:
    """Return the canonical form of a query string; raises MalformedFilter, or ApiError with 422."""
    given = parse_qsl(text.removeprefix("?"), keep_blank_values=True)
    other = next((name for name, _ in given if name not in FILTER_NAMES), None)
    query = "" if other else ReleaseFilter.from_query(given).query
    if not query:
        takes = f"must use the query parameters of the list: {', '.join(FILTER_NAMES)}"
        raise invalid_parameter(
            "query", f"{takes}; {other} is not supported" if other else f"{takes}; at least one is required"
        )
    return query


def settings_page() -> SettingsPage:
    """Return the viewer's current settings, views and stars."""
    kept, user = services().kept, current_user.id
    preferences = kept.preferences(user)
    return SettingsPage(
        zone=preferences.zone,
        hours=preferences.hours,
        theme=theme(request.cookies),
        views=_items(kept.views(user)),
        shared_views=_items(kept.views_of_others(user)),
        stars=kept.stars(user),
        zones=tuple(time_zone_names().values()),
        now=datetime.now(UTC),
    )


def view_item(view: SavedView) -> ViewItem:
    """Return a view as shown on pages and in JSON."""
    return ViewItem(
        id=view.id, name=view.name, query=view.query, shared=view.shared, default=view.default, owner=view.owner
    )


def viewer_slots() -> dict[str, bytes]:
    """Return the personal parts of the requested page by slot name."""
    said = {"clocks": clock_attributes(current_user)}
    if request.endpoint == "web.releases":
        said["views"] = Markup(render_template("users/preferences/_views_bar.html", page=_views_bar()))  # noqa: S704 - our own
    elif request.endpoint in _STARRABLE_ENDPOINTS and request.view_args:
        star = _star(request.view_args["release_id"])
        said["star"] = Markup(render_template("users/preferences/_star.html", page=star))  # noqa: S704 - our own
    return {name: text.encode() for name, text in said.items()}


def clock_attributes(user: object) -> Markup:
    """Return the data attributes with the viewer's time zone and clock format."""
    preferences = _preferences() if getattr(user, "is_authenticated", False) else Preferences()
    hours = preferences.hours or ""
    return Markup(f'data-zone="{escape_data(preferences.zone)}" data-hours="{hours}"')  # noqa: S704 - escaped


def _preferences() -> Preferences:
    if "preferences" not in g:
        try:
            g.preferences = services().kept.preferences(current_user.id)
        except AccountsUnavailable:
            # The page of an error is shown as well: times are then written as the browser does.
            g.preferences = Preferences()
    kept: Preferences = g.preferences
    return kept


def _views_bar() -> ViewsBar:
    kept, user = services().kept, current_user.id
    return ViewsBar(
        views=_items(value_or((), lambda: kept.views(user))),
        others=_items(value_or((), lambda: kept.views_of_others(user))),
        stars=value_or((), lambda: kept.stars(user)),
        asked=ReleaseFilter.from_query(request.args.items(multi=True)).query,
        starred="starred" in request.args,
        here=requested_page_path() or "",
    )


def _star(release_id: str) -> Star:
    stars = value_or((), lambda: services().kept.stars(current_user.id))
    return Star(release_id=release_id, starred=release_id in stars, here=requested_page_path() or "")


def _items(views: Iterable[SavedView]) -> tuple[ViewItem, ...]:
    return tuple(map(view_item, views))


def _redirect_back(otherwise: str) -> BaseResponse:
    """Redirect to the page of the form, or to this endpoint."""
    target = safe_redirect_target(request.form.get("next"))
    return redirect(target if target != "/" else url_for(otherwise), 303)


def _no_store(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response


FILTERS = {"clocks": clock_attributes}
