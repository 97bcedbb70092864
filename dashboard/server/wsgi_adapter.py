"""Adapt WSGI to ASGI: request bodies, responses, and disconnects."""

from collections.abc import Awaitable, Callable, MutableMapping
from io import BytesIO
from typing import Any
from urllib.parse import unquote_to_bytes

from a2wsgi.wsgi import build_environ

from dashboard.server.response_cache import HttpResponse

AsgiMessage = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[AsgiMessage]]
Send = Callable[[AsgiMessage], Awaitable[None]]

# More than Flask takes of a body, so that it is Flask that refuses.
MAX_BUFFERED_BODY_BYTES = 128 * 1024


async def on_disconnect(act: Callable[[], None], receive: Receive) -> None:
    """Run a callback when the client disconnects."""
    await wait_for_disconnect(receive)
    act()


async def wait_for_disconnect(receive: Receive) -> None:
    """Wait until the client disconnects."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def send_response(answer: HttpResponse, send: Send) -> None:
    await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
    await send({"type": "http.response.body", "body": answer.body})


async def read_body(receive: Receive) -> bytes | None:
    """Read the body before taking a thread, which a slow client would block; None if the client disconnected."""
    body = bytearray()
    while len(body) < MAX_BUFFERED_BODY_BYTES:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    return bytes(body)


def wsgi_environ(scope: MutableMapping[str, Any], body: bytes) -> dict[str, Any]:
    # With `_` for `-`, a client could give a second value to a header that a proxy sets.
    headers = [(name, value) for name, value in scope["headers"] if b"_" not in name]
    environ: dict[str, Any] = dict(build_environ({**scope, "headers": headers, "query_string": b""}, None))  # type: ignore[typeddict-item, arg-type]
    # As they came: ids need not be UTF-8 to be told that they cannot be used.
    # An encoded slash is part of an id, and stays one in the form that addresses have for it.
    path = scope["raw_path"].replace(b"%2F", b"~2F").replace(b"%2f", b"~2F")
    environ["PATH_INFO"] = unquote_to_bytes(path).decode("latin1")
    environ["QUERY_STRING"] = scope["query_string"].decode("latin1")
    environ["wsgi.input"] = BytesIO(body)
    # A body without a length is here as a whole, too.
    environ["wsgi.input_terminated"] = True
    return environ
