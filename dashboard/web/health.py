"""What machines ask without logging in."""

from flask import Blueprint, Response, jsonify

blueprint = Blueprint("health", __name__)


@blueprint.get("/health")
def health() -> Response:
    """This process answers. It says nothing of Temporal: a restart would not bring that back."""
    response = jsonify(status="ok")
    response.headers["Cache-Control"] = "no-store"
    return response
