"""Addresses that a page has by the thousand: as `url_for` gives them, which is asked once for all rows of a release."""

from typing import Any
from urllib.parse import quote

from flask import g, url_for

from dashboard.web.converters import path_of

# What stands in an address for an id that is put in later. It cannot be a part of a run id, which may come after it.
_HERE = "here"
# What Flask leaves as it is in a query.
_PLAIN_IN_QUERY = "!$'()*,/:;?@"


def entity_url(entity_id: str, release_id: str) -> str:
    """The page of an entity of a release."""
    before, after = _around("web.entity", release_id, "entity_id")
    return f"{before}{path_of(entity_id)}{after}"


def opening_url(entity_id: str, release_id: str) -> str:
    """The page of a release with this entity open."""
    before, after = _around("web.release", release_id, "open")
    return f"{before}{quote(entity_id, safe=_PLAIN_IN_QUERY)}{after}"


def _around(endpoint: str, release_id: str, name: str) -> tuple[str, str]:
    """What stands before and after an id in an address; the same during a request."""
    kept: dict[tuple[str, str], tuple[str, str]] = g.setdefault("around_ids", {})
    if (endpoint, release_id) not in kept:
        values: dict[str, Any] = {"release_id": release_id, name: _HERE}
        before, _, after = url_for(endpoint, **values).rpartition(_HERE)
        kept[endpoint, release_id] = before, after
    return kept[endpoint, release_id]
