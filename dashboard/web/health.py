"""What machines ask without logging in."""

import threading

from flask import Blueprint, Response, current_app, jsonify

from dashboard.accounts.clock import BOUND

blueprint = Blueprint("health", __name__)


@blueprint.get("/health")
def health() -> Response:
    """This process answers. It says nothing of Temporal: a restart would not bring that back."""
    return _say("ok", 200)


@blueprint.get("/ready")
def ready() -> Response:
    """This process takes new viewers; not any more once it has been told to stop, while it still answers.

    That its clock is wrong is said and keeps nobody away: what replicas share goes by the database's. If that is the
    one that is wrong, all of them would be gone at once.
    """
    draining: threading.Event = current_app.extensions["draining"]
    return _say("draining", 503) if draining.is_set() else _say("ok", 200, **_clocks())


def _clocks() -> dict[str, float | str]:
    ahead = current_app.extensions["accounts"].clock_ahead
    if ahead is None:
        return {}
    said: dict[str, float | str] = {"clock_ahead_seconds": round(ahead, 3)}
    if abs(ahead) > BOUND:
        said["warning"] = f"This machine's clock and the database's are more than {BOUND:g} seconds apart."
    return said


def _say(text: str, status: int, **more: float | str) -> Response:
    response = jsonify(status=text, **more)
    response.status_code = status
    response.headers["Cache-Control"] = "no-store"
    return response
