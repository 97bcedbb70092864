"""Status badges of releases as SVG images, and the page with their links."""

import unicodedata
from functools import cache
from typing import ClassVar, Self

from flask import Blueprint, Response, current_app, g, make_response, render_template, request, url_for
from flask_login import current_user

from dashboard.auth.database_outage import find_or_recall
from dashboard.auth.opaque_tokens import hash_secret
from dashboard.auth.recent_admissions import AuthMethod
from dashboard.domain.display import display_text
from dashboard.domain.ids import parse_release_id
from dashboard.domain.phases import Phase
from dashboard.domain.problems import NotFound, SourceUnavailable
from dashboard.views.badges.links import BadgeLinks, key_owner_id
from dashboard.views.badges.page import Badge
from dashboard.views.release.query import release_parameter
from dashboard.web.design_tokens import design_tokens
from dashboard.web.errors import UNAVAILABLE_RETRY_SECONDS
from dashboard.web.escaping import escape_attribute, escape_data
from dashboard.web.openapi.operation import api_operation
from dashboard.web.page_model import PageModel
from dashboard.web.query_params import PLAIN_TEXT_SCHEMA, SchemaParameter
from dashboard.web.services import services

# Which colours a phase has; those of the sheets, by the same words.
_PHASE_COLOURS = {
    Phase.TIMED_OUT: "failed",
    Phase.CANCELLED: "stopped",
    Phase.TERMINATED: "stopped",
    Phase.UNKNOWN: "pending",
    None: "pending",
}
# About how wide characters are, for each pixel of the font's size. The text is fitted to it, whatever font there is.
_NARROW, _WIDE, _SQUARE, _OTHERS = 0.33, 0.85, 1.0, 0.58
_MARGIN_PIXELS = 16

RELEASE_PARAMETER = release_parameter("release", "Release ID.")
KEY_PARAMETER = SchemaParameter(
    "key", "Signature of the user who created the link. Grants access to this badge.", PLAIN_TEXT_SCHEMA
)

blueprint = Blueprint("badges", __name__)


class RenderedBadge(PageModel):
    """A badge with its dimensions and colours, which are those of the light theme on every page."""

    badge: Badge
    name_width: int
    width: int
    size: float
    font: str
    text: str
    card: str
    ink: str
    paper: str

    @classmethod
    def of(cls, badge: Badge) -> Self:
        """Return the drawing of a badge."""
        light, colour = _light_tokens(), _PHASE_COLOURS.get(badge.phase, str(badge.phase))
        size = float(light["t2"].removesuffix("px"))
        name_width = _width(display_text(badge.name), size)
        return cls(
            badge=badge,
            name_width=name_width,
            width=name_width + _width(display_text(badge.said), size),
            size=size,
            font=light["font"],
            text=light["text"],
            card=light["card"],
            ink=light[colour],
            paper=light[f"{colour}-paper"],
        )


class BadgesPage(PageModel):
    """The image URL of a release's badge, and markup that links it to the release."""

    template: ClassVar[str] = "badges/page.html"

    release_id: str | None = None
    preview: str = ""
    texts: tuple[tuple[str, str], ...] = ()

    @property
    def title(self) -> str:
        """Return the heading."""
        return "Badges"

    @classmethod
    def of(cls, release_id: str, preview: str, picture: str, target: str) -> Self:
        """Return the page for the badge of a release, with its image URL and link target."""
        # What others show is as safe to read there as here.
        plain_name = display_text(release_id)
        name = "".join(f"\\{character}" if character in "[]\\<`" else character for character in plain_name)
        plain_picture, plain_target = (url.replace("(", "%28").replace(")", "%29") for url in (picture, target))
        html = (
            f'<a href="{escape_data(target)}">'
            f'<img src="{escape_data(picture)}" alt="{escape_attribute(release_id)}"></a>'
        )
        markdown = f"[![{name}]({plain_picture})]({plain_target})"
        texts = ("Markdown", markdown), ("HTML", html), ("Image URL", picture)
        return cls(release_id=release_id, preview=preview, texts=texts)


@blueprint.get("/badges/releases/<id:release_id>.svg")
@api_operation(query=(KEY_PARAMETER,))
def badge(release_id: str) -> Response:
    """Return the badge of a release. Requires a signed link, a token or a session."""
    parse_release_id(release_id)
    if not _may_see(release_id):
        headers = {"WWW-Authenticate": "Bearer", "Cache-Control": "no-store"}
        return _badge_response(Badge.without(release_id, "no access"), 401, headers)
    try:
        # Viewers of a README do not stay.
        badge = Badge.of(services().releases.peek(release_id))
    except NotFound:
        return _badge_response(Badge.without(release_id, "not found"), 404)
    except SourceUnavailable:
        return _badge_response(
            Badge.without(release_id, "unavailable"), 503, {"Retry-After": str(UNAVAILABLE_RETRY_SECONDS)}
        )
    return _badge_response(badge)


@blueprint.get("/badges")
@api_operation(query=(RELEASE_PARAMETER,))
def badges() -> Response:
    """Show the badge link of a release, signed by the current user."""
    release_id = RELEASE_PARAMETER.read()
    page = _page(release_id) if release_id else BadgesPage()
    return make_response(render_template(page.template, page=page), {"Cache-Control": "no-store"})


def _page(release_id: str) -> BadgesPage:
    key = _links().key_for(current_user.user, release_id)
    preview, picture = (
        url_for("badges.badge", release_id=release_id, key=key, _external=external) for external in (False, True)
    )
    return BadgesPage.of(release_id, preview, picture, url_for("web.release", release_id=release_id, _external=True))


def _may_see(release_id: str) -> bool:
    key = request.args.get(KEY_PARAMETER.name)
    if key is None:
        return bool(current_user.is_authenticated)
    maker = find_or_recall(
        AuthMethod.user,
        hash_secret(key),
        lambda: services().accounts.by_id(key_owner_id(key)),
        user=lambda maker: maker,
    )
    admitted = _links().verify(maker, key, release_id)
    if admitted:
        g.badge_maker = maker
    return admitted


def _links() -> BadgeLinks:
    config = current_app.config
    return BadgeLinks(config["SECRET_KEY"], *config["SECRET_KEY_FALLBACKS"])


def _badge_response(badge: Badge, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    page = RenderedBadge.of(badge)
    text = render_template(Badge.template, page=page).encode("utf-8", "replace")
    response = Response(text, status, mimetype="image/svg+xml")
    # Those who show it to others have to ask each time: it is to be true.
    response.headers["Cache-Control"] = "no-cache"
    response.headers.update(headers or {})
    if status == 200:
        response.add_etag()
        response.make_conditional(request)
    return response


def _width(text: str, size: float) -> int:
    return round(sum(map(_character_width, text)) * size) + _MARGIN_PIXELS


def _character_width(character: str) -> float:
    if unicodedata.east_asian_width(character) in "WF":
        return _SQUARE
    return _NARROW if character in "ijlI.,:;|'! " else _WIDE if character in "mwMW@%" else _OTHERS


@cache
def _light_tokens() -> dict[str, str]:
    """Return the tokens as they are on light pages."""
    return {token.name: _light_value(token.value) for token in design_tokens()}


def _light_value(value: str) -> str:
    return value.removeprefix("light-dark(").partition(",")[0] if value.startswith("light-dark(#") else value
