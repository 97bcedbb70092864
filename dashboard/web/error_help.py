"""Help for errors: what to do next, and links."""

from flask import request, url_for

from dashboard.domain.ids import RELEASE_PREFIX, is_below_release
from dashboard.domain.problems import EntityNotFound, NotFound, RunNotFound
from dashboard.web.links import current_path
from dashboard.web.page_model import PageModel

_BY_CODE = {
    "not_found": "Check the ID in Temporal. A release that has just started appears within seconds.",
    "entity_not_found": "The release may not have reported it yet, or it belongs to another release.",
    "run_not_found": "Open the release without a run ID to see its latest run.",
    "malformed_id": "A release ID is its workflow ID. Other entities have a type and a name, such as app:payments.",
    "invalid_parameter": "Correct the filter in the URL, or open the page without it.",
    "cross_site": "If you intended this, open the page and try again there.",
    "too_many_waiting": "Releases are not affected. Try again as soon as other requests have completed.",
    "too_many_streams": "Pages keep working without live updates: they poll every few seconds.",
    "too_many_tables": "Single pages of the list remain available.",
    "too_many_exports": "Pages, and exports that you already have, remain available.",
    "too_many_changes": "Your earlier changes are saved. If a script makes these changes, check it.",
    "unknown_host": "Check the address.",
    "accounts_unavailable": "Sign-in and all pages require the accounts database. See the server log for the cause.",
    "temporal_unavailable": "Check that Temporal is running and reachable from the machine that runs the dashboard.",
    "temporal_timed_out": "Temporal may be busy, or unreachable from the machine that runs the dashboard.",
    "temporal_permission_denied": "Check the dashboard's API key or certificate for Temporal (TEMPORAL_API_KEY, "
    "TEMPORAL_TLS_*) and its permission to read this namespace.",
    "temporal_namespace_missing": "Check the configured namespace (TEMPORAL_NAMESPACE).",
}
_BY_STATUS = {
    401: "Sign in and open the page again.",
    403: "If you need access, contact your dashboard administrator.",
    404: "Check the address: it may be mistyped, or the page may no longer exist.",
    405: "Nothing was changed. Open the page again and retry from there.",
    409: "Nothing was changed. Reload to see the current state, then try again.",
    413: "Nothing was saved. Send a smaller request.",
    429: "Wait a moment, then try again.",
    500: "Try again. If the problem persists, contact your dashboard administrator with the request ID.",
}


class NextLink(PageModel):
    """A link to continue."""

    label: str
    href: str


def next_step(status: int, code: str) -> str:
    """Return what to do about an error, or an empty string."""
    return _BY_CODE.get(code) or _BY_STATUS.get(status, "")


def general_links(status: int, code: str) -> tuple[NextLink, ...]:
    """Return links for an error that is not about a missing entity."""
    if status == 401:
        return (NextLink(label="Sign in", href=url_for("login.form")),)
    if code == "invalid_parameter" and request.method == "GET" and request.query_string:
        return (NextLink(label="Remove the filter", href=f"{request.script_root}{current_path()}"),)
    return ()


def links_for_missing(missing: NotFound) -> tuple[NextLink, ...]:
    """Return links to where a missing entity may be found."""
    if isinstance(missing, EntityNotFound):
        tree = NextLink(label=f"Open {missing.release_id}", href=_release_link(missing.release_id))
        everywhere = url_for("web.occurrences", entity_id=missing.entity_id)
        return tree, NextLink(label=f"Find {missing.entity_id} in other releases", href=everywhere)
    if isinstance(missing, RunNotFound):
        return (NextLink(label="Latest run", href=_release_link(missing.entity_id)),)
    if not is_below_release(missing.entity_id):
        least = len(RELEASE_PREFIX) + 3 if missing.entity_id.startswith(RELEASE_PREFIX) else 1
        alike = missing.entity_id[: max(len(missing.entity_id) // 2, least)]
        return (NextLink(label=f"Releases starting with {alike}", href=url_for("web.releases", q=alike)),)
    return ()


def _release_link(release_id: str) -> str:
    return url_for("web.release", release_id=release_id, run=None)
