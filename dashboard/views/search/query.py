"""Read search terms from the address, and list the pages that can be found by name."""

from collections.abc import Iterator

from flask import current_app, url_for

from dashboard.domain.ids import release_name
from dashboard.views.search.page import PageLink
from dashboard.web.query_params import MAX_SEARCH_TEXT_LENGTH, TextParameter

# Endpoints and names; one that this dashboard has not is left out.
PAGE_NAMES = {
    "web.releases": "Releases",
    "web.problems": "Problems",
    "web.compare": "Compare two releases",
    "profile.profile": "Profile",
    "kept.settings": "Settings",
    "web.kiosk": "Wall screen",
    "kiosk.screens": "Wall screen links",
    "api_tokens.tokens": "API tokens",
    "reference.docs": "API reference",
    "reference.redoc": "API reference (Redoc)",
    "styleguide.styleguide": "Style guide",
}
RELEASE_PAGE_NAMES = {
    "web.release": "Tree",
    "web.strip": "Strip",
    "web.timeline": "Timeline",
    "web.matrix": "Matrix",
    "web.kiosk_release": "Wall screen",
}

SEARCH_PARAMETER = TextParameter("q", "Search terms. Results contain all of them.", MAX_SEARCH_TEXT_LENGTH)


def requested_search() -> str:
    """Return what is searched for, with single blanks between its words; raises ApiError with 422."""
    return " ".join(SEARCH_PARAMETER.read().split())


def page_links(release_id: str | None) -> Iterator[PageLink]:
    """Yield the pages of the release that the viewer is at, then those of the dashboard."""
    if release_id:
        name = release_name(release_id)
        for endpoint, view in RELEASE_PAGE_NAMES.items():
            if endpoint in current_app.view_functions:
                yield PageLink(name=view, of=name, href=url_for(endpoint, release_id=release_id))
        yield PageLink(name="Compare with another release", of=name, href=url_for("web.compare", left=release_id))
    for endpoint, view in PAGE_NAMES.items():
        if endpoint in current_app.view_functions:
            yield PageLink(name=view, of=None, href=url_for(endpoint))
