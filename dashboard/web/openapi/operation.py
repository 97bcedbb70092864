"""What a view takes and answers, which the API's reference says. Each view of a route under `/api` is `described` where
it stands, and each other that reads the query: a view is given no parameter that it does not name (`address.py`).
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
    """What a view takes and answers. Its summary is the first paragraph of the view's docstring.

    `answers` are the models of which a good answer, of `status`, is one; without any it has no body. `takes` is the
    model of the request's JSON, which may come as a form, too, where `forms` says so. `may` has the statuses that do
    not follow from the rest. One with `tables` answers as NDJSON and CSV, too. A `public` one asks for no login.
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
    """Say of a view what `ApiOperation` keeps of it. Stands between the route and the view."""
    operation = ApiOperation(answers, tuple(query), takes, status, frozenset(responses), forms, public, tables)

    def describe(view: F) -> F:
        setattr(view, _ATTRIBUTE, operation)
        return view

    return describe


def operation_of(view: Callable[..., object]) -> ApiOperation | None:
    """What was said of a view, or of what it wraps."""
    return getattr(view, _ATTRIBUTE, None)
