"""Examples of components of all pages: notices, errors, and the frame."""

from collections.abc import Iterator

from dashboard.styleguide import samples
from dashboard.styleguide.examples import Example, partial_example
from dashboard.styleguide.examples_of_one import expanded_release
from dashboard.web.errors import ErrorPage

ERROR_EXAMPLES = (
    (401, "not_logged_in", "Your session has ended. Sign in again."),
    (403, "cross_site", "The request came from another site and was rejected."),
    (404, "entity_not_found", "app:nowhere: the release has no entity with this id."),
    (405, "method_not_allowed", "The method is not allowed for the requested URL."),
    (413, "request_entity_too_large", "The data value transmitted exceeds the capacity limit."),
    (422, "invalid_parameter", "page: must be an integer from 1 to 50"),
    (429, "too_many_requests", "This user has sent too many requests."),
    (500, "internal_server_error", "An internal error occurred."),
    (503, "temporal_unavailable", "Temporal cannot be reached."),
)


def notice_examples() -> Iterator[Example]:
    """Yield notices for outdated, unknown and failed data, and each error."""
    page = expanded_release(stale=True)
    yield partial_example("shared/_freshness", "out of date", page)
    yield partial_example("shared/_problem", "a gap", page, problem=samples.MISSING_PROBLEM)
    yield partial_example("shared/_problem", "only not read so far", page, problem=samples.NOT_OPENED_PROBLEM)
    yield partial_example("shared/_failure_line", "a failure", page, message=samples.LONG_MESSAGE, calm=False)
    yield partial_example(
        "shared/_failure_line", "what was said, of no failure", page, message=samples.LONG_MESSAGE, calm=True
    )
    yield partial_example("shared/_details", "other fields", page, details={"ticket": "REL-4711"}, key="details")
    for status, code, message in ERROR_EXAMPLES:
        retry_after = 5 if status == 503 else None
        error = ErrorPage(
            code=code, message=message, request_id="4f3c21d0a8b97e65", status=status, retry_after=retry_after
        )
        yield partial_example("shared/_error", f"{status} {code}", error)


def frame_examples() -> Iterator[Example]:
    """Yield the frame of every page."""
    page = expanded_release()
    yield partial_example("shared/_as_of", "how old a page is", page)
    yield partial_example("shared/_header", "the top of every page", page)
    yield partial_example("shared/_header", "with its menu", page).opened("menu")
    yield partial_example("shared/_shortcuts", "what ? shows", page).opened("keys")
