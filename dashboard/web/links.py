"""Addresses that a page has by the thousand: as `url_for` gives them, which is asked once for all rows of a release."""

from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from flask import g, request, url_for

from dashboard.web.converters import path_of

# What stands in an address for an id that is put in later. It cannot be a part of a run id, which may come after it.
_HERE = "here"
# What Flask leaves as it is in a query.
_PLAIN_IN_QUERY = "!$'()*,/:;?@"
_LOOKED_FOR = ("q", "phase", "changed", "sort")


def entity_url(entity_id: str, release_id: str) -> str:
    """The page of an entity of a release."""
    before, after = _around("web.entity", release_id, "entity_id")
    return f"{before}{path_of(entity_id)}{after}"


def opening_url(entity_id: str, release_id: str) -> str:
    """The page of a release with this entity open."""
    before, after = _around("web.release", release_id, "open")
    return f"{before}{quote(entity_id, safe=_PLAIN_IN_QUERY)}{after}"


def selecting_url(entity_id: str, release_id: str) -> str:
    """The page of a release with this entity selected; what is looked for in its tree stays."""
    before, after = _around("web.release", release_id, "selected", *_LOOKED_FOR)
    return f"{before}{quote(entity_id, safe=_PLAIN_IN_QUERY)}{after}"


def without(address: str, *names: str) -> str:
    """An address without these parameters."""
    path, _, query = address.partition("?")
    kept = [(name, value) for name, value in parse_qsl(query, keep_blank_values=True) if name not in names]
    return f"{path}?{urlencode(kept, safe=_PLAIN_IN_QUERY)}" if kept else path


def _around(endpoint: str, release_id: str, name: str, *kept_names: str) -> tuple[str, str]:
    """What stands before and after an id in an address; the same during a request."""
    kept: dict[tuple[str, str, str], tuple[str, str]] = g.setdefault("around_ids", {})
    key = endpoint, release_id, name
    if key not in kept:
        asked = {name: request.args.getlist(name) for name in kept_names}
        values: dict[str, Any] = {"release_id": release_id, **asked, name: _HERE}
        before, _, after = url_for(endpoint, **values).rpartition(_HERE)
        kept[key] = before, after
    return kept[key]
