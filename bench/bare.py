"""What a dashboard is measured against: Flask and Flask-Login alone, on the same server: python -m bench.bare PORT."""

import sys
import threading
from collections.abc import Callable

from flask import Flask, Response, request
from flask_login import LoginManager, UserMixin, login_required, login_user

from dashboard.serve import serve


class Viewer(UserMixin):
    """A user without anything."""

    def __init__(self, user_id: str) -> None:
        self.id = user_id


class Nothing:
    """Nothing happens here that a stream could tell."""

    def subscribe(self, _what: object, _notify: object) -> Callable[[], None]:
        """Hear of nothing."""
        return lambda: None


def make_app() -> Flask:
    """One view that answers so many bytes, one that answers 304, behind a login."""
    app = Flask("bare")
    app.secret_key = "not a secret: this serves nothing"  # noqa: S105
    app.extensions |= {"draining": threading.Event(), "releases": Nothing()}
    manager = LoginManager(app)
    manager.user_loader(Viewer)
    texts: dict[int, bytes] = {}

    @app.get("/login")
    def login() -> str:
        login_user(Viewer("1"))
        return "in"

    @app.get("/bytes/<int:count>")
    @login_required
    def some(count: int) -> Response:
        text = texts.setdefault(count, b"x" * count)
        return Response(text, mimetype="application/json")

    @app.get("/unchanged")
    @login_required
    def unchanged() -> Response:
        return Response(status=304 if "If-None-Match" in request.headers else 200)

    return app


if __name__ == "__main__":
    serve(make_app, "127.0.0.1", int(sys.argv[1]))
