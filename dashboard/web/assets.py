"""Static files and templates: where they are, and how long a browser may keep them."""

from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

from flask import Flask, Response, request

from dashboard.web.renderings import the_renderings
from dashboard.web.texts import Compressed, Text

_PACKAGE = Path(__file__).resolve().parent.parent


def folder(name: str) -> Path:
    """`templates` or `static`: inside the package in a built wheel, beside it in a checkout."""
    inside = _PACKAGE / name
    return inside if inside.is_dir() else _PACKAGE.parent / name


def init_app(app: Flask) -> None:
    """Name every static file by its content, so that browsers keep it and still see a new one at once."""

    @app.url_defaults
    def add_version(endpoint: str, values: dict[str, Any]) -> None:
        if endpoint == "static" and "v" not in values and (version := _version(values["filename"], app.debug)):
            values["v"] = version

    @app.after_request
    def keep(response: Response) -> Response:
        if request.endpoint == "static" and response.status_code == 200 and "v" in request.args:
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response

    @app.after_request
    def compress(response: Response) -> Response:
        if request.endpoint != "static" or response.status_code != 200:
            return response
        response.vary.add("Accept-Encoding")
        return _compressed(response) if request.accept_encodings["gzip"] else response


def _compressed(response: Response) -> Response:
    """A file as Flask sends it, compressed once for all who ask."""
    tag, _ = response.get_etag()
    response.direct_passthrough = False
    plain = response.get_data()
    squeezed = the_renderings().get(f"{request.path} {tag}", "static", lambda: Compressed.of(Text((plain,))))
    response.set_data(squeezed.filled({}))
    response.set_etag(tag or "", weak=True)
    response.headers["Content-Encoding"] = "gzip"
    return response


def _version(filename: str, fresh: bool) -> str:
    return _digest(filename) if fresh else _remembered(filename)


@cache
def _remembered(filename: str) -> str:
    return _digest(filename)


def _digest(filename: str) -> str:
    path = folder("static") / filename
    return blake2b(path.read_bytes(), digest_size=5).hexdigest() if path.is_file() else ""
