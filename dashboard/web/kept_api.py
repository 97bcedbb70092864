"""What a viewer keeps for themselves, for scripts: the same as the page and its forms, as JSON."""

from typing import Literal, TypeVar

from flask import Blueprint, Response, request
from flask_login import current_user
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dashboard.accounts.kept import LONGEST_NAME, LONGEST_QUERY, Preferences
from dashboard.domain.ids import parse_release_id
from dashboard.pages.kept import SettingsPage, ViewItem
from dashboard.web.errors import FieldError, Refused
from dashboard.web.kept import own_view, settings_page, view_item
from dashboard.web.listing import view_query
from dashboard.web.operations import described
from dashboard.web.services import services

M = TypeVar("M", bound=BaseModel)

blueprint = Blueprint("kept_api", __name__, url_prefix="/api")


class Given(BaseModel):
    """A request body. Values are not converted between types."""

    model_config = ConfigDict(strict=True, extra="forbid")


class GivenSettings(Given):
    """How times are to be written; what is left out is as the browser does it."""

    zone: str = Field("", description="Time zone name, such as Europe/Berlin. Empty: the browser's time zone.")
    hours: Literal[12, 24] | None = Field(None, description="Null: the browser's default.")


class GivenView(Given):
    """A view as it is to be. `query` is a filter as it stands in the list's address."""

    name: str = Field(min_length=1, max_length=LONGEST_NAME)
    query: str = Field(min_length=1, max_length=LONGEST_QUERY, description="For example phase=failed&since=7d.")
    shared: bool = False
    default: bool = False


@blueprint.get("/settings")
@described(SettingsPage)
def settings() -> Response:
    """Return the user's settings, views and stars."""
    return as_json(settings_page())


@blueprint.put("/settings")
@described(SettingsPage, takes=GivenSettings)
def save_settings() -> Response:
    """Save the time zone and clock format."""
    given = sent_as(GivenSettings)
    services().kept.set_preferences(current_user.id, Preferences(given.zone, given.hours))
    return as_json(settings_page())


@blueprint.post("/views")
@described(ViewItem, takes=GivenView, status=201, may={409})
def add_view() -> Response:
    """Save a filter of the list as a view."""
    given = sent_as(GivenView)
    query = view_query(given.query)
    view_id = services().kept.add_view(current_user.id, given.name, query, shared=given.shared)
    return _as_default(view_id, default=given.default, status=201)


@blueprint.put("/views/<view_id>")
@described(ViewItem, takes=GivenView, may={404, 409})
def change_view(view_id: str) -> Response:
    """Replace a view."""
    given = sent_as(GivenView)
    query = view_query(given.query)
    services().kept.change_view(current_user.id, view_id, given.name, query, shared=given.shared)
    return _as_default(view_id, default=given.default)


@blueprint.delete("/views/<view_id>")
@described(status=204, may={404})
def remove_view(view_id: str) -> Response:
    """Delete a view."""
    own_view(view_id)
    services().kept.remove_view(current_user.id, view_id)
    return Response(status=204)


@blueprint.put("/stars/<id:release_id>")
@described(status=204, may={409})
def star(release_id: str) -> Response:
    """Star a release."""
    services().kept.star(current_user.id, parse_release_id(release_id))
    return Response(status=204)


@blueprint.delete("/stars/<id:release_id>")
@described(status=204)
def unstar(release_id: str) -> Response:
    """Remove a star. Succeeds if there is none."""
    services().kept.unstar(current_user.id, parse_release_id(release_id))
    return Response(status=204)


def _as_default(view_id: str, *, default: bool, status: int = 200) -> Response:
    """The view, after it was made the default or is that no longer, as was asked for."""
    if own_view(view_id).default != default:
        services().kept.set_default(current_user.id, view_id if default else None)
    return as_json(view_item(own_view(view_id)), status)


def sent_as(model: type[M]) -> M:
    """The request's JSON; raises Refused, which names each field that is wrong."""
    try:
        return model.model_validate(request.get_json())
    except ValidationError as exc:
        wrong = [FieldError(field=".".join(map(str, error["loc"])), message=error["msg"]) for error in exc.errors()]
        said = "; ".join(f"{each.field}: {each.message}" if each.field else each.message for each in wrong)
        raise Refused(422, "invalid_field", said, fields=wrong) from exc


def as_json(page: BaseModel, status: int = 200) -> Response:
    text = page.model_dump_json().encode("utf-8", "replace")
    return Response(text, status, {"Cache-Control": "no-store"}, mimetype="application/json")
