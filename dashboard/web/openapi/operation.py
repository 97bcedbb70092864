"""Descriptions of views for the API reference.

Each view under `/api`, and each other view that reads the query, must be described: undeclared parameters are not
passed to it (`address.py`).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel

from dashboard.web.query_params import QueryParameter

F = TypeVar("F", bound=Callable[..., object])

_ATTRIBUTE = "operation"


@dataclass(frozen=True, slots=True)
class ApiOperation:
    """The description of a view for the API reference. Its summary is the first paragraph of the docstring.

    `answers` are the response models for `status`; without any it has no body. `takes` is the model of the JSON body,
    which may also be a form if `forms`. `may` lists additional statuses. `tables` adds NDJSON and CSV. `public`
    operations need no authentication.
    """

    answers: tuple[type[BaseModel], ...]
    query: tuple[QueryParameter, ...] = ()
    takes: type[BaseModel] | None = None
    status: int = 200
    responses: frozenset[int] = frozenset()
    forms: bool = False
    public: bool = False
    tables: bool = False


def api_operation(
    *answers: type[BaseModel],
    query: Iterable[QueryParameter] = (),
    takes: type[BaseModel] | None = None,
    status: int = 200,
    responses: Iterable[int] = (),
    forms: bool = False,
    public: bool = False,
    tables: bool = False,
) -> Callable[[F], F]:
    """Describe a view. Place it between the route and the view."""
    operation = ApiOperation(answers, tuple(query), takes, status, frozenset(responses), forms, public, tables)

    def describe(view: F) -> F:
        setattr(view, _ATTRIBUTE, operation)
        return view

    return describe


def operation_of(view: Callable[..., object]) -> ApiOperation | None:
    """Return the description of a view or of the function that it wraps."""
    return getattr(view, _ATTRIBUTE, None)
