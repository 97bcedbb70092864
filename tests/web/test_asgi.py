"""The dashboard as an ASGI app: what comes in reaches Flask as it is, and streams are bounded."""

import gzip
from collections.abc import Iterable
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from dashboard.asgi import AsgiDashboard
from tests.waiting import in_a_loop


def ask(app: Flask, path: str, headers: Iterable[tuple[bytes, bytes]] = (), **options: Any) -> tuple[int, bytes]:
    """The status and body of an answer to a GET."""
    sent: list[Any] = []
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"host", b"localhost"), *headers],
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        sent.append(message)

    async def go() -> None:
        await AsgiDashboard(app, app.extensions["releases"], app.extensions["accounts"].mark, threads=1, **options)(
            scope, receive, send
        )

    in_a_loop(go)
    return sent[0]["status"], sent[1]["body"]


def cookie(app: Flask, browser: FlaskClient) -> tuple[bytes, bytes]:
    kept = browser.get_cookie(app.config["SESSION_COOKIE_NAME"])
    assert kept is not None
    return b"cookie", f"{kept.key}={kept.value}".encode()


def test_it_works(app: Flask) -> None:
    assert ask(app, "/health") == (200, b'{"status":"ok"}\n')


def test_past_the_bound_a_stream_is_refused_with_a_time_to_come_again(app: Flask, logged_in: FlaskClient) -> None:
    assert ask(app, "/live/problems", [cookie(app, logged_in)], max_streams=0)[0] == 503
    assert ask(app, "/live/problems", max_streams=0)[0] == 401


def test_a_server_that_holds_no_streams_says_so(logged_in: FlaskClient) -> None:
    assert logged_in.get("/live/releases").status_code == 501


def test_a_header_with_an_underscore_is_not_taken_for_the_one_with_a_hyphen(app: Flask) -> None:
    given = [(b"accept_encoding", b"x"), (b"hx_request", b"true")]
    status, body = ask(app, "/nowhere", given)
    assert (status, b"<html" in body) == (302, True)


def test_it_is_ready_until_it_drains(app: Flask, client: FlaskClient) -> None:
    assert client.get("/ready").status_code == 200
    app.extensions["draining"].set()
    assert client.get("/ready").status_code == 503
    assert client.get("/health").status_code == 200


def test_files_are_compressed_for_who_takes_that(client: FlaskClient) -> None:
    path = "/static/css/dashboard.css"
    with client.get(path) as answer:
        plain = answer.data
        assert "Content-Encoding" not in answer.headers
    squeezed = client.get(path, headers={"Accept-Encoding": "br, gzip"}, buffered=True)
    assert squeezed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(squeezed.data) == plain
    assert len(squeezed.data) < len(plain) / 2
    tag = squeezed.headers["ETag"]
    assert client.get(path, headers={"Accept-Encoding": "gzip", "If-None-Match": tag}, buffered=True).status_code == 304
