"""What the load generator counts is what it was answered."""

import asyncio
from collections.abc import Callable
from typing import Any

from bench.load import rate
from bench.viewers import Seen, Viewer
from tests.support.waiting import in_a_loop

Answers = Callable[[bytes], list[bytes]]
STREAM = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


class Server:
    """Answers each request on loopback with what it is told to, in pieces."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self.asked: list[bytes] = []

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                request = await reader.readuntil(b"\r\n\r\n")
                self.asked.append(request)
                for piece in self._answers(request):
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0)
                    if not piece:
                        return
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    async def __aenter__(self) -> str:
        self._server = await asyncio.start_server(self._talk, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/page"

    async def __aexit__(self, *_: object) -> None:
        self._server.close()


def body(text: bytes, head: bytes = b"HTTP/1.1 200 OK") -> bytes:
    return head + b"\r\nContent-Length: %d\r\n\r\n" % len(text) + text


def chunk(text: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(text), text)


def asked_at(answers: Answers) -> tuple[dict[str, Any], list[bytes]]:
    """What two clients make of a server that answers so."""
    found: dict[str, Any] = {}
    server = Server(answers)

    async def run() -> None:
        async with server as url:
            found.update(await rate(url, ["session=one", "session=two"], {"X-Asked": "yes"}, 2, 0.2))

    in_a_loop(run)
    return found, server.asked


def test_answers_are_counted_with_their_status_and_their_length_however_they_are_cut():
    whole = body(b"x" * 300_000)
    found, asked = asked_at(lambda _: [whole[:30], whole[30:70_000], whole[70_000:]])
    assert found["statuses"] == {200: len(asked)}
    assert found["lengths"] == [300_000, 300_000]
    assert found["errors"] == 0
    assert found["rate"] > 0


def test_an_unchanged_page_has_no_body_whatever_length_it_tells():
    found, asked = asked_at(lambda _: [b"HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n"])
    assert found["statuses"] == {304: len(asked)}
    assert found["lengths"] == [0, 0]


def test_each_client_has_the_session_of_its_own_line():
    _, asked = asked_at(lambda _: [body(b"in")])
    sessions = {line for request in asked for line in request.split(b"\r\n") if line.startswith(b"Cookie")}
    assert sessions == {b"Cookie: session=one", b"Cookie: session=two"}


def test_an_answer_that_breaks_off_is_an_error_and_no_answer():
    found, asked = asked_at(lambda _: [body(b"x" * 100)[:-1], b""])
    assert found["statuses"] == {}
    assert found["errors"] == len(asked)


def test_an_answer_that_does_not_tell_its_length_is_an_error():
    found, asked = asked_at(lambda _: [b"HTTP/1.1 200 OK\r\n\r\nwhatever"])
    assert (found["statuses"], found["errors"]) == ({}, len(asked))


def seen_on(page: bytes, *events: bytes) -> tuple[Seen, list[bytes]]:
    """What a viewer sees who has version 1 of a page, of which this is the news; then the stream ends."""
    seen = Seen()

    def answers(request: bytes) -> list[bytes]:
        if request.startswith(b"GET /live/"):
            return [STREAM, *(chunk(event) for event in (b"retry: 500\n\n", *events)), b"0\r\n\r\n"]
        tag, text = (b"3.page", page) if b"HX-PTag" in request else (b"1.page", b"change-1")
        return [body(text, b"HTTP/1.1 200 OK\r\nHX-PTag: " + tag)]

    server = Server(answers)

    async def run() -> None:
        async with server as url, asyncio.timeout(10):
            await Viewer(url, "session=one", seen).look()

    in_a_loop(run)
    return seen, server.asked


def rows(known: int, version: int, text: bytes) -> bytes:
    return b"event: rows\nid: %d\ndata: %d\ndata: 2026-01-05T09:30:00Z\ndata: %b\n\n" % (version, known, text)


def test_a_viewer_takes_rows_from_the_stream_itself():
    event = rows(1, 2, b"<hx-partial>\ndata: change-12</hx-partial>")
    seen, asked = seen_on(b"", event[:20], event[20:], b":\n\n", rows(2, 3, b"change-13"))
    ((_, length),) = seen.changes["change-12"]
    assert length == len(b"retry: 500") + len(event) - len(b"\n\n")
    assert len(seen.changes["change-13"]) == 1
    assert len(asked) == 2
    assert b"Last-Event-ID: 1\r\n" in asked[1]


def test_a_viewer_asks_with_its_tag_when_the_stream_tells_of_a_change_without_rows():
    seen, asked = seen_on(b"<hx-partial>change-7</hx-partial>", b"event: changed\nid: 3\ndata: 3\n\n")
    assert len(seen.changes["change-7"]) == 1
    assert b"HX-PTag: 1.page" in asked[-1]
    assert b"HX-Request: true" in asked[-1]


def test_a_viewer_asks_when_the_rows_are_for_another_version_than_it_shows():
    seen, asked = seen_on(b"change-4", rows(2, 3, b"nothing for this one"))
    assert len(seen.changes["change-4"]) == 1
    assert b"HX-PTag: 1.page" in asked[-1]


def test_a_change_that_comes_again_counts_once():
    seen, _ = seen_on(
        b"change-3", rows(1, 3, b"change-3"), rows(1, 3, b"change-3"), b"event: changed\nid: 4\ndata: 4\n\n"
    )
    assert len(seen.changes["change-3"]) == 1


def test_a_stream_that_ends_is_a_viewer_lost():
    seen, _ = seen_on(b"")
    assert (seen.connected, seen.broken) == (1, 1)


def test_a_stream_that_is_refused_is_a_viewer_lost_who_was_never_there():
    seen = Seen()

    async def run() -> None:
        refusal = body(b"", b"HTTP/1.1 503 Full")
        async with Server(lambda request: [refusal if b"/live" in request else body(b"page")]) as url:
            await Viewer(url, "", seen).look()

    in_a_loop(run)
    assert (seen.connected, seen.broken) == (0, 1)
