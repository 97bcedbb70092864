"""Badges: a release in one line, as a picture for other places, and the page from which to copy its link."""

import unicodedata
from functools import cache
from typing import ClassVar, Self

from flask import Blueprint, Response, current_app, g, make_response, render_template, request, url_for
from flask_login import current_user

from dashboard.accounts.admissions import Way
from dashboard.accounts.badge_links import BadgeLinks, maker_of
from dashboard.accounts.opaque import hash_of
from dashboard.domain.display import display_text
from dashboard.domain.ids import parse_release_id
from dashboard.domain.phases import Phase
from dashboard.domain.problems import NotFound, SourceUnavailable
from dashboard.pages.badge import Badge
from dashboard.pages.base import Model
from dashboard.web.asked import a_release
from dashboard.web.away import let_in
from dashboard.web.contrast import tokens
from dashboard.web.errors import RETRY_AFTER
from dashboard.web.operations import described
from dashboard.web.parameters import PLAIN_TEXT, Told
from dashboard.web.services import services
from dashboard.web.shown_text import as_data, shown_attribute

# Which colours a phase has; those of the sheets, by the same words.
_COLOURS = {
    Phase.TIMED_OUT: "failed",
    Phase.CANCELLED: "stopped",
    Phase.TERMINATED: "stopped",
    Phase.UNKNOWN: "pending",
    None: "pending",
}
# About how wide characters are, for each pixel of the font's size. The text is fitted to it, whatever font there is.
_NARROW, _WIDE, _SQUARE, _OTHERS = 0.33, 0.85, 1.0, 0.58
_MARGIN = 16

RELEASE = a_release("release", "Release ID.")
KEY = Told("key", "Signature of the user who created the link. Grants access to this badge.", PLAIN_TEXT)

blueprint = Blueprint("badges", __name__)


class DrawnBadge(Model):
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
        """The drawing of a badge."""
        light, colour = _light(), _COLOURS.get(badge.phase, str(badge.phase))
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


class BadgesPage(Model):
    """The image URL of a release's badge, and markup that links it to the release."""

    template: ClassVar[str] = "pages/badges.html"

    release_id: str | None = None
    preview: str = ""
    texts: tuple[tuple[str, str], ...] = ()

    @property
    def title(self) -> str:
        """A few words for the heading."""
        return "Badges"

    @classmethod
    def of(cls, release_id: str, preview: str, picture: str, target: str) -> Self:
        """The page of a release: its picture for this page and for others, and where that leads."""
        # What others show is as safe to read there as here.
        plain_name = display_text(release_id)
        name = "".join(f"\\{character}" if character in "[]\\<`" else character for character in plain_name)
        plain_picture, plain_target = (url.replace("(", "%28").replace(")", "%29") for url in (picture, target))
        html = f'<a href="{as_data(target)}"><img src="{as_data(picture)}" alt="{shown_attribute(release_id)}"></a>'
        markdown = f"[![{name}]({plain_picture})]({plain_target})"
        texts = ("Markdown", markdown), ("HTML", html), ("Image URL", picture)
        return cls(release_id=release_id, preview=preview, texts=texts)


@blueprint.get("/badges/releases/<id:release_id>.svg")
@described(query=(KEY,))
def badge(release_id: str) -> Response:
    """Return the badge of a release. Requires a signed link, a token or a session."""
    parse_release_id(release_id)
    if not _may_see(release_id):
        headers = {"WWW-Authenticate": "Bearer", "Cache-Control": "no-store"}
        return _drawn(Badge.without(release_id, "no access"), 401, headers)
    try:
        # Who looks at a README does not stay.
        badge = Badge.of(services().releases.glance(release_id))
    except NotFound:
        return _drawn(Badge.without(release_id, "not found"), 404)
    except SourceUnavailable:
        return _drawn(Badge.without(release_id, "unavailable"), 503, {"Retry-After": str(RETRY_AFTER)})
    return _drawn(badge)


@blueprint.get("/badges")
@described(query=(RELEASE,))
def badges() -> Response:
    """Show the badge link of a release, signed by the current user."""
    release_id = RELEASE.read()
    page = _page(release_id) if release_id else BadgesPage()
    return make_response(render_template(page.template, page=page), {"Cache-Control": "no-store"})


def _page(release_id: str) -> BadgesPage:
    key = _links().key_for(current_user.user, release_id)
    preview, picture = (
        url_for("badges.badge", release_id=release_id, key=key, _external=external) for external in (False, True)
    )
    return BadgesPage.of(release_id, preview, picture, url_for("web.release", release_id=release_id, _external=True))


def _may_see(release_id: str) -> bool:
    key = request.args.get(KEY.name)
    if key is None:
        return bool(current_user.is_authenticated)
    maker = let_in(Way.user, hash_of(key), lambda: services().accounts.by_id(maker_of(key)), user=lambda maker: maker)
    admitted = _links().admits(maker, key, release_id)
    if admitted:
        g.badge_maker = maker
    return admitted


def _links() -> BadgeLinks:
    config = current_app.config
    return BadgeLinks(config["SECRET_KEY"], *config["SECRET_KEY_FALLBACKS"])


def _drawn(badge: Badge, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    page = DrawnBadge.of(badge)
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
    return round(sum(map(_of_one, text)) * size) + _MARGIN


def _of_one(character: str) -> float:
    if unicodedata.east_asian_width(character) in "WF":
        return _SQUARE
    return _NARROW if character in "ijlI.,:;|'! " else _WIDE if character in "mwMW@%" else _OTHERS


@cache
def _light() -> dict[str, str]:
    """The tokens as they are on light pages."""
    return {token.name: _of_light(token.value) for token in tokens()}


def _of_light(value: str) -> str:
    return value.removeprefix("light-dark(").partition(",")[0] if value.startswith("light-dark(#") else value
