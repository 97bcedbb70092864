"""Health checks without authentication."""

from collections.abc import Callable

from flask import Blueprint, Flask, Response, current_app, jsonify

from dashboard.database.clock import MAX_CLOCK_SKEW_SECONDS
from dashboard.web.services import services

blueprint = Blueprint("health", __name__)

ProbeBody = dict[str, float | str]


def _health(_app: Flask) -> tuple[ProbeBody, int]:
    """Report that this process is alive. Temporal is not checked: a restart would not fix it."""
    return {"status": "ok"}, 200


def _ready(app: Flask) -> tuple[ProbeBody, int]:
    """Report whether this process accepts new viewers. During shutdown it does not.

    A clock difference is reported but does not fail the check: replicas use the database's clock, and if that one is
    wrong, all replicas would fail at the same time.
    """
    draining = services(app).draining.is_set()
    return ({"status": "draining"}, 503) if draining else ({"status": "ok", **_check_clocks(app)}, 200)


# What the server answers by itself, before all else and without a thread: nothing here may wait for anything.
PROBES: dict[str, Callable[[Flask], tuple[ProbeBody, int]]] = {"/health": _health, "/ready": _ready}


@blueprint.get("/health")
def health() -> Response:
    """Report liveness."""
    return _probe_response("/health")


@blueprint.get("/ready")
def ready() -> Response:
    """Report readiness."""
    return _probe_response("/ready")


def _check_clocks(app: Flask) -> ProbeBody:
    ahead = services(app).accounts.clock_skew_seconds
    if ahead is None:
        return {}
    said: ProbeBody = {"clock_ahead_seconds": round(ahead, 3)}
    if abs(ahead) > MAX_CLOCK_SKEW_SECONDS:
        said["warning"] = (
            f"The clocks of this machine and the database differ by more than {MAX_CLOCK_SKEW_SECONDS:g} seconds."
        )
    return said


def _probe_response(path: str) -> Response:
    said, status = PROBES[path](current_app)
    response = jsonify(said)
    response.status_code = status
    response.headers["Cache-Control"] = "no-store"
    return response
