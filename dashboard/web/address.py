"""The canonical address of a page: everything besides the data that its content may depend on.

Caches, tags and streams are keyed by it, and shared content is rendered without a viewer, from the address alone.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any, cast
from urllib.parse import unquote_to_bytes, urlencode

from flask import Request, current_app, request
from werkzeug.datastructures import MultiDict
from werkzeug.utils import cached_property

from dashboard.web.negotiation import FORMAT_PARAMETER
from dashboard.web.openapi.operation import operation_of
from dashboard.web.query_params import QueryParameter

# What a viewer has opened, closed and selected: it makes no other page, and all who differ in it hear the same.
EXPANSION_PARAMETERS = frozenset({"open", "shut", "selected"})


@dataclass(frozen=True, slots=True)
class PageAddress:
    """An endpoint, its path values, and the canonical query parameters that its view reads.

    `root` is the path under which the dashboard is mounted.
    """

    endpoint: str
    values: tuple[tuple[str, str], ...]
    query: tuple[tuple[str, str], ...] = ()
    root: str = ""

    def without(self, names: frozenset[str]) -> "PageAddress":
        """Return the address without these parameters."""
        return replace(self, query=tuple(pair for pair in self.query if pair[0] not in names))


class DashboardRequest(Request):
    """A request whose view sees only its declared parameters: others cannot change the page."""

    @cached_property
    def all_args(self) -> MultiDict[str, str]:
        """Return all parameters, to reject unknown ones."""
        return MultiDict(Request(self.environ, populate_request=False, shallow=True).args)

    @cached_property
    def args(self) -> MultiDict[str, str]:
        """Return the parameters that the view declares, or all if the address has no view."""
        if self.endpoint is None:
            return self.all_args
        names = {parameter.name for parameter in declared_parameters(self.endpoint)}
        return self.parameter_storage_class([pair for pair in self.all_args.items(multi=True) if pair[0] in names])


def all_args() -> MultiDict[str, str]:
    """Return all parameters of this request, also those that its view does not declare."""
    return cast(DashboardRequest, request).all_args


def declared_parameters(endpoint: str) -> tuple[QueryParameter, ...]:
    """Return the parameters that the view of an endpoint may read."""
    operation = operation_of(current_app.view_functions[endpoint])
    if operation is None:
        return ()
    # A page has one form alone.
    return (*operation.query, FORMAT_PARAMETER) if endpoint.startswith("web.api_") else operation.query


def page_address(endpoint: str) -> PageAddress:
    """Return the address of an endpoint with the same rule as this request's, with this request's parameters."""
    query = [
        (parameter.name, value)
        for parameter in declared_parameters(endpoint)
        for value in parameter.canonical(request.args.getlist(parameter.name))
    ]
    return PageAddress(endpoint, tuple((request.view_args or {}).items()), tuple(query), request.script_root)


@contextmanager
def anonymous_request(address: PageAddress) -> Iterator[None]:
    """Push a request context for this address without a user, so that shared content cannot depend on a viewer."""
    # A context of the app of its own, too: the one around it remembers who asks.
    with current_app.app_context(), current_app.request_context(_environ(address)):
        yield


def _environ(address: PageAddress) -> dict[str, Any]:
    path = current_app.url_map.bind("nobody").build(address.endpoint, dict(address.values))
    return {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": address.root,
        "PATH_INFO": unquote_to_bytes(path).decode("latin1"),
        "QUERY_STRING": urlencode(address.query, safe="!$'()*,/:;?@"),
        "SERVER_NAME": "nobody",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(),
    }
