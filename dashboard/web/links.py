"""Build the thousands of links of a page with one call of `url_for` per release."""

from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import parse_qsl, quote, urlencode

from flask import Request, g, request, url_for

from dashboard.web.url_ids import escape_id

# The placeholder for an ID in a URL. It cannot be part of a run ID, which may follow it.
_PLACEHOLDER = "here"
# What Flask leaves as it is in a query.
_PLAIN_IN_QUERY = "!$'()*,/:;?@"
_PLAIN_IN_PATH = "/:@!$&'()*+,;=~"
_FILTER_PARAMETERS = ("q", "phase", "changed", "sort")


class HasNeighbours(Protocol):
    """A page of a paged result."""

    @property
    def neighbours(self) -> Mapping[str, Mapping[str, Any]]:
        """Return the parameters of the neighbouring pages by relation."""


def entity_url(entity_id: str, release_id: str) -> str:
    """Return the URL of an entity of a release."""
    before, after = _url_around_id("web.entity", release_id, "entity_id")
    return f"{before}{escape_id(entity_id)}{after}"


def expanding_url(entity_id: str, release_id: str) -> str:
    """Return the URL of a release with this entity expanded."""
    before, after = _url_around_id("web.release", release_id, "open")
    return f"{before}{quote(entity_id, safe=_PLAIN_IN_QUERY)}{after}"


def selecting_url(entity_id: str, release_id: str) -> str:
    """Return the URL of a release with this entity selected, keeping the filter."""
    before, after = _url_around_id("web.release", release_id, "selected", *_FILTER_PARAMETERS)
    return f"{before}{quote(entity_id, safe=_PLAIN_IN_QUERY)}{after}"


def current_path() -> str:
    """Return the path of this request, encoded: WSGI decodes it, and IDs may have any characters."""
    return quote(request.path, safe=_PLAIN_IN_PATH)


def current_address(asked_for: Request) -> str:
    """Return the URL of a request with its query."""
    asked = asked_for.query_string.decode("ascii", "replace")
    return f"{current_path()}?{asked}" if asked else current_path()


def without_parameters(address: str, *names: str) -> str:
    """Return an address without these parameters."""
    path, _, query = address.partition("?")
    kept = [(name, value) for name, value in parse_qsl(query, keep_blank_values=True) if name not in names]
    return _address(path, kept)


def neighbour_links(page: HasNeighbours) -> str:
    """Return the `Link` header with the neighbouring pages."""
    path = request.script_root + current_path()
    kept = [(name, value) for name, value in request.args.items(multi=True) if name not in {"page", "cursor"}]
    beside = ((relation, [*kept, *which.items()]) for relation, which in page.neighbours.items())
    return ", ".join(f'<{_address(path, asked)}>; rel="{relation}"' for relation, asked in beside)


def _address(path: str, asked: list[tuple[str, Any]]) -> str:
    return f"{path}?{urlencode(asked, safe=_PLAIN_IN_QUERY)}" if asked else path


def _url_around_id(endpoint: str, release_id: str, name: str, *kept_names: str) -> tuple[str, str]:
    """Return the parts of a URL before and after an ID, cached per request."""
    kept: dict[tuple[str, str, str], tuple[str, str]] = g.setdefault("around_ids", {})
    key = endpoint, release_id, name
    if key not in kept:
        asked = {name: values for name, values in request.args.lists() if name in kept_names}
        values: dict[str, Any] = {"release_id": release_id, **asked, name: _PLACEHOLDER}
        before, _, after = url_for(endpoint, **values).rpartition(_PLACEHOLDER)
        kept[key] = before, after
    return kept[key]
