"""What a page is of, as a value: all that it may depend on, besides what is known of it.

Whatever is kept, tagged or shared for an address is so under this value, and is made as nobody: of it alone.
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
    """An endpoint, the values of its rule, and what its view reads of the query, the same for all who ask the same.

    `root` is where the whole dashboard is mounted.
    """

    endpoint: str
    values: tuple[tuple[str, str], ...]
    query: tuple[tuple[str, str], ...] = ()
    root: str = ""

    def without(self, names: frozenset[str]) -> "PageAddress":
        """Return the address that does not say these."""
        return replace(self, query=tuple(pair for pair in self.query if pair[0] not in names))


class DashboardRequest(Request):
    """A request whose view sees the parameters that it declares, and no others: they cannot make another page."""

    @cached_property
    def all_args(self) -> MultiDict[str, str]:
        """All parameters, for those who refuse what nobody may send."""
        return MultiDict(Request(self.environ, populate_request=False, shallow=True).args)

    @cached_property
    def args(self) -> MultiDict[str, str]:
        """Those that the view declares; all of them where the address is of no view."""
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
    """Return what this request asks of an endpoint that has the same rule as its own."""
    query = [
        (parameter.name, value)
        for parameter in declared_parameters(endpoint)
        for value in parameter.canonical(request.args.getlist(parameter.name))
    ]
    return PageAddress(endpoint, tuple((request.view_args or {}).items()), tuple(query), request.script_root)


@contextmanager
def anonymous_request(address: PageAddress) -> Iterator[None]:
    """Answer a request for this address that has no sender: what is made meanwhile knows of no viewer."""
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
