"""What a dashboard is measured against: Flask and Flask-Login alone, on the same server: python -m bench.bare PORT."""

import sys
import threading
from collections.abc import Callable
from types import SimpleNamespace

from flask import Flask, Response, request
from flask_login import LoginManager, UserMixin, login_required, login_user

from dashboard.database.url_masking import SecretMask
from dashboard.server.uvicorn_server import serve
from dashboard.settings.model import Settings
from dashboard.web.services import KEY


class Viewer(UserMixin):
    """A user without anything."""

    def __init__(self, user_id: str) -> None:
        self.id = user_id


class Nothing:
    """What the server asks for streams and for answers that it may give again: here are none of either."""

    clock_skew_seconds = None

    def subscribe(self, _what: object, _notify: object) -> Callable[[], None]:
        """Hear of nothing."""
        return lambda: None

    def known(self, _what: object) -> None:
        """Nothing is known."""

    def change_token(self) -> None:
        """Nobody writes anything."""


def make_app() -> Flask:
    """One view that answers so many bytes, one that answers 304, behind a login."""
    # Not the templates beside it, which it has no words for.
    app = Flask("bare", template_folder=None)
    app.secret_key = "not a secret: this serves nothing"  # noqa: S105
    app.extensions[KEY] = SimpleNamespace(
        settings=Settings(),
        mask=SecretMask("sqlite://"),
        live=Nothing(),
        accounts=Nothing(),
        draining=threading.Event(),
    )
    LoginManager(app).user_loader(Viewer)
    _add_views(app)
    return app


def _add_views(app: Flask) -> None:
    texts: dict[int, bytes] = {}

    @app.get("/login/<user_id>")
    def login(user_id: str) -> str:
        login_user(Viewer(user_id))
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


if __name__ == "__main__":
    serve(make_app, "127.0.0.1", int(sys.argv[1]))
