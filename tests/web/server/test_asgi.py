"""The dashboard as an ASGI app: what comes in reaches Flask as it is, and streams are bounded."""

import asyncio
import gzip
from collections.abc import Iterable, Iterator
from typing import Any

from flask import Flask, Response, request
from flask.testing import FlaskClient

from dashboard.server.asgi import AsgiDashboard
from dashboard.web.export.response import STREAMED_ENVIRON_KEY
from dashboard.web.services import services
from tests.support.waiting import in_a_loop


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
        await AsgiDashboard(app, services(app).live, services(app).accounts.change_token, threads=1, **options)(
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
    services(app).draining.set()
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


class Pieces:
    """An answer that takes its time: what was made of it so far, and whether it has been closed."""

    def __init__(self, app: Flask) -> None:
        self.made = 0
        self.closed = False
        app.view_functions["kept_api.settings"] = self.answer

    def answer(self) -> Response:
        request.environ[STREAMED_ENVIRON_KEY] = True
        answer = Response(self._pieces())
        answer.call_on_close(self.close)
        return answer

    def close(self) -> None:
        self.closed = True

    def _pieces(self) -> Iterator[bytes]:
        for number in range(100):
            self.made += 1
            yield b"%d\n" % number


class Client:
    """Takes so many pieces, and then goes away."""

    def __init__(self, app: Flask, browser: FlaskClient, *, takes: int = 1_000) -> None:
        self.app, self.takes = app, takes
        self.headers = [(b"host", b"localhost"), cookie(app, browser)]
        self.body: list[bytes] = []
        self.made_when_taken: list[int] = []
        self.gone = asyncio.Event()

    async def ask(self, pieces: Pieces) -> None:
        path = "/api/settings"
        scope = {"type": "http", "http_version": "1.1", "method": "GET", "path": path, "raw_path": path.encode()}
        dashboard = AsgiDashboard(
            self.app, services(self.app).live, services(self.app).accounts.change_token, threads=2
        )
        asked = False

        async def receive() -> dict[str, Any]:
            nonlocal asked
            if asked:
                await self.gone.wait()
                return {"type": "http.disconnect"}
            asked = True
            return {"type": "http.request"}

        async def send(message: Any) -> None:
            if message["type"] != "http.response.body" or not message["body"]:
                return
            self.body.append(message["body"])
            self.made_when_taken.append(pieces.made)
            if len(self.body) == self.takes:
                self.gone.set()
                await asyncio.sleep(0)

        await dashboard({**scope, "query_string": b"", "headers": self.headers}, receive, send)


def test_an_answer_in_pieces_is_sent_as_it_is_made(app: Flask, logged_in: FlaskClient) -> None:
    pieces, client = Pieces(app), Client(app, logged_in)
    in_a_loop(lambda: client.ask(pieces))
    assert b"".join(client.body) == b"".join(b"%d\n" % number for number in range(100))
    assert client.made_when_taken == list(range(1, 101)), "none is made before the one before it has been taken"
    assert pieces.closed


def test_of_an_answer_in_pieces_no_more_are_made_for_who_has_gone(app: Flask, logged_in: FlaskClient) -> None:
    pieces, client = Pieces(app), Client(app, logged_in, takes=3)
    in_a_loop(lambda: client.ask(pieces))
    assert 3 <= pieces.made < 10
    assert pieces.closed
