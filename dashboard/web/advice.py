"""What somebody who meets an error can do next: a sentence, and ways to go on."""

from flask import request, url_for

from dashboard.domain.ids import RELEASE_PREFIX, is_below_release
from dashboard.domain.problems import EntityNotFound, NotFound, RunNotFound
from dashboard.pages.base import Model
from dashboard.web.links import here_path

_BY_CODE = {
    "not_found": "Compare the address with the id in Temporal. A release that has just started appears within seconds.",
    "entity_not_found": "The release may not have told of it yet, or it belongs to another release.",
    "run_not_found": "The release itself may well be there: its own address shows its latest run.",
    "malformed_id": "A release has the id of its workflow; what is below it a type and a name, such as app:payments.",
    "invalid_parameter": "Change what the address asks for, or open the page without it.",
    "cross_site": "If you meant to do this, open the page itself and do it there.",
    "too_many_waiting": "Nothing is wrong with the releases. There is room again as soon as others have their answers.",
    "too_many_streams": "Pages go on without being told of news: they ask every few seconds.",
    "too_many_tables": "Pages of the list can be had meanwhile.",
    "too_many_exports": "Pages, and tables that you have already, can be had meanwhile.",
    "too_many_changes": "What you have changed before holds. Whatever makes so many changes may be at fault.",
    "unknown_host": "Compare the address with the one that you were given.",
    "accounts_unavailable": "Logging in and all pages need them; its log says why they cannot be read.",
    "temporal_unavailable": "Check that Temporal runs and can be reached from the machine that the dashboard runs on.",
    "temporal_timed_out": "Temporal may be busy, or unreachable from the machine that the dashboard runs on.",
    "temporal_permission_denied": "Check the key or certificate that the dashboard has for Temporal (TEMPORAL_API_KEY, "
    "TEMPORAL_TLS_*), and that it may read this namespace.",
    "temporal_namespace_missing": "Check the namespace that the dashboard is set to read.",
}
_BY_STATUS = {
    401: "Log in and open the page again.",
    403: "If you should be able to do this, ask whoever looks after the dashboard.",
    404: "The address may be mistyped, or lead to something that is no longer there.",
    405: "Nothing was done. Open the page anew and go on from there.",
    409: "Nothing was changed. Choose something else, or remove what is there.",
    413: "Nothing was taken from it. Send less.",
    429: "Wait a moment, then try again.",
    500: "Try again. If it happens again, tell whoever looks after the dashboard the request id: its log says more.",
}


class Way(Model):
    """A way to go on."""

    label: str
    href: str


def next_step(status: int, code: str) -> str:
    """What can be done about an error; empty where nothing can."""
    return _BY_CODE.get(code) or _BY_STATUS.get(status, "")


def ways_on(status: int, code: str) -> tuple[Way, ...]:
    """Where to go after an error that is about nothing that was looked for."""
    if status == 401:
        return (Way(label="Log in", href=url_for("login.form")),)
    if code == "invalid_parameter" and request.method == "GET" and request.query_string:
        return (Way(label="Open it without", href=f"{request.script_root}{here_path()}"),)
    return ()


def ways_from(missing: NotFound) -> tuple[Way, ...]:
    """Where what was not found may be found after all."""
    if isinstance(missing, EntityNotFound):
        tree = Way(label=f"The tree of {missing.release_id}", href=_release(missing.release_id))
        everywhere = url_for("web.occurrences", entity_id=missing.entity_id)
        return tree, Way(label=f"{missing.entity_id} in other releases", href=everywhere)
    if isinstance(missing, RunNotFound):
        return (Way(label="The latest run", href=_release(missing.entity_id)),)
    if not is_below_release(missing.entity_id):
        least = len(RELEASE_PREFIX) + 3 if missing.entity_id.startswith(RELEASE_PREFIX) else 1
        alike = missing.entity_id[: max(len(missing.entity_id) // 2, least)]
        return (Way(label=f"Releases that begin with {alike}", href=url_for("web.releases", q=alike)),)
    return ()


def _release(release_id: str) -> str:
    return url_for("web.release", release_id=release_id, run=None)
