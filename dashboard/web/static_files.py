"""Locate static files and templates, and set how long browsers cache them."""

import re
from functools import cache
from hashlib import blake2b
from pathlib import Path
from posixpath import normpath
from typing import Any

from flask import Flask, Response, current_app, request
from rjsmin import jsmin

from dashboard.web.body_template import BodyTemplate, GzipBodyTemplate
from dashboard.web.script_bundle import bundle
from dashboard.web.services import services

# What stands before a file's own name in its address.
_VERSIONED_PATH = re.compile(r"^v-[0-9a-f]{10}/")
# Our own scripts; what is vendored is sent as it was published.
_OWN_SCRIPTS = re.compile(r"js/[^/]+\.js$")
# Those that pages load; they import the others.
_ENTRY_SCRIPTS = {"js/main.js", "js/kiosk.js"}
_PACKAGE = Path(__file__).resolve().parent.parent


def asset_folder(name: str) -> Path:
    """`templates` or `static`: inside the package in a built wheel, beside it in a checkout."""
    inside = _PACKAGE / name
    return inside if inside.is_dir() else _PACKAGE.parent / name


def init_app(app: Flask) -> None:
    """Add a hash of all static files to their URLs, so that browsers can cache them.

    The hash precedes the file name, so that relative imports between scripts and styles stay within one version.
    """

    @app.url_defaults
    def add_version(endpoint: str, values: dict[str, Any]) -> None:
        if endpoint == "static" and not _VERSIONED_PATH.match(values["filename"]):
            values["filename"] = f"v-{_version(app.debug)}/{values['filename']}"

    def send(filename: str) -> Response:
        return app.send_static_file(_VERSIONED_PATH.sub("", filename, count=1))

    app.view_functions["static"] = send


def compress_file(response: Response) -> Response:
    """Compress static files."""
    if not _is_file(response):
        return response
    response.vary.add("Accept-Encoding")
    return _minified_and_compressed(response)


def let_browsers_keep(response: Response) -> Response:
    """Allow browsers to cache static files that were requested with their hash."""
    if _is_file(response) and f"/v-{_version(current_app.debug)}/" in request.path:
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return response


def compile_templates(app: Flask) -> None:
    """Compile all templates at startup: on first use, many together would take a second."""
    for name in app.jinja_env.list_templates(extensions=["html"]):
        app.jinja_env.get_template(name)


def _is_file(response: Response) -> bool:
    return request.endpoint == "static" and response.status_code == 200


def _minified_and_compressed(response: Response) -> Response:
    """Return a file compressed and, for our own scripts, minified. Cached."""
    tag, _ = response.get_etag()
    response.direct_passthrough = False
    plain = response.get_data()

    # Normalized, so that made-up addresses do not cause recompression.
    name = normpath(_VERSIONED_PATH.sub("", (request.view_args or {})["filename"], count=1))

    def make() -> GzipBodyTemplate:
        return GzipBodyTemplate.of(BodyTemplate((_minified(name, plain),)))

    made = services().renderings.get((name, tag, _version(current_app.debug)), "static", make)
    if request.accept_encodings["gzip"]:
        response.set_data(made.filled({}))
        response.headers["Content-Encoding"] = "gzip"
    else:
        response.set_data(made.text.filled({}))
    response.set_etag(tag or "", weak=True)
    return response


def _minified(name: str, plain: bytes) -> bytes:
    """Return our own scripts minified, those that pages load with all they import, and other files as they are."""
    if name in _ENTRY_SCRIPTS:
        plain = bundle(asset_folder("static") / name).encode()
    return bytes(jsmin(plain)) if _OWN_SCRIPTS.match(name) else plain


def _version(fresh: bool) -> str:
    return _digest() if fresh else _cached_version()


@cache
def _cached_version() -> str:
    return _digest()


def _digest() -> str:
    files = sorted(path for path in asset_folder("static").rglob("*") if path.is_file())
    content = blake2b(digest_size=5)
    for path in files:
        content.update(f"{path.relative_to(asset_folder('static'))}\0".encode() + path.read_bytes())
    return content.hexdigest()
