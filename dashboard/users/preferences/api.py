"""Settings, views and stars of the viewer as JSON API."""

from typing import Literal

from flask import Blueprint, Response
from flask_login import current_user
from pydantic import Field

from dashboard.domain.ids import parse_release_id
from dashboard.users.preferences.forms import get_own_view, settings_page, view_item, view_query
from dashboard.users.preferences.page import SettingsPage, ViewItem
from dashboard.users.preferences.store import MAX_VIEW_NAME_LENGTH, MAX_VIEW_QUERY_LENGTH, Preferences
from dashboard.web.json_api import RequestBody, json_response, parse_json_body
from dashboard.web.openapi.operation import api_operation
from dashboard.web.services import services

blueprint = Blueprint("kept_api", __name__, url_prefix="/api")


class SettingsUpdate(RequestBody):
    """Time settings. Omitted values use the browser's defaults."""

    zone: str = Field("", description="Time zone name, such as Europe/Berlin. Empty: the browser's time zone.")
    hours: Literal[12, 24] | None = Field(None, description="Null: the browser's default.")


class SavedViewBody(RequestBody):
    """A view to save. `query` is a filter as in the URL of the list."""

    name: str = Field(min_length=1, max_length=MAX_VIEW_NAME_LENGTH)
    query: str = Field(min_length=1, max_length=MAX_VIEW_QUERY_LENGTH, description="For example phase=failed&since=7d.")
    shared: bool = False
    default: bool = False


@blueprint.get("/settings")
@api_operation(SettingsPage)
def settings() -> Response:
    """Return the user's settings, views and stars."""
    return json_response(settings_page())


@blueprint.put("/settings")
@api_operation(SettingsPage, takes=SettingsUpdate)
def save_settings() -> Response:
    """Save the time zone and clock format."""
    given = parse_json_body(SettingsUpdate)
    services().kept.set_preferences(current_user.id, Preferences(given.zone, given.hours))
    return json_response(settings_page())


@blueprint.post("/views")
@api_operation(ViewItem, takes=SavedViewBody, status=201, responses={409})
def add_view() -> Response:
    """Save a filter of the list as a view."""
    given = parse_json_body(SavedViewBody)
    query = view_query(given.query)
    view_id = services().kept.add_view(current_user.id, given.name, query, shared=given.shared)
    return _set_default(view_id, default=given.default, status=201)


@blueprint.put("/views/<view_id>")
@api_operation(ViewItem, takes=SavedViewBody, responses={404, 409})
def change_view(view_id: str) -> Response:
    """Replace a view."""
    given = parse_json_body(SavedViewBody)
    query = view_query(given.query)
    services().kept.change_view(current_user.id, view_id, given.name, query, shared=given.shared)
    return _set_default(view_id, default=given.default)


@blueprint.delete("/views/<view_id>")
@api_operation(status=204, responses={404})
def remove_view(view_id: str) -> Response:
    """Delete a view."""
    get_own_view(view_id)
    services().kept.remove_view(current_user.id, view_id)
    return Response(status=204)


@blueprint.put("/stars/<id:release_id>")
@api_operation(status=204, responses={409})
def star(release_id: str) -> Response:
    """Star a release."""
    services().kept.star(current_user.id, parse_release_id(release_id))
    return Response(status=204)


@blueprint.delete("/stars/<id:release_id>")
@api_operation(status=204)
def unstar(release_id: str) -> Response:
    """Remove a star. Succeeds if there is none."""
    services().kept.unstar(current_user.id, parse_release_id(release_id))
    return Response(status=204)


def _set_default(view_id: str, *, default: bool, status: int = 200) -> Response:
    """Set or unset a view as default, and return it."""
    if get_own_view(view_id).default != default:
        services().kept.set_default(current_user.id, view_id if default else None)
    return json_response(view_item(get_own_view(view_id)), status)
