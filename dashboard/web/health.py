"""What machines ask without logging in."""

import threading

from flask import Blueprint, Response, current_app, jsonify

blueprint = Blueprint("health", __name__)


@blueprint.get("/health")
def health() -> Response:
    """This process answers. It says nothing of Temporal: a restart would not bring that back."""
    return _say("ok", 200)


@blueprint.get("/ready")
def ready() -> Response:
    """This process takes new viewers; not any more once it has been told to stop, while it still answers."""
    draining: threading.Event = current_app.extensions["draining"]
    return _say("draining", 503) if draining.is_set() else _say("ok", 200)


def _say(text: str, status: int) -> Response:
    response = jsonify(status=text)
    response.status_code = status
    response.headers["Cache-Control"] = "no-store"
    return response
