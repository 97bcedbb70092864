"""Serve Flask in threads; serve event streams and cached responses on the event loop."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from flask import Flask

from dashboard.auth.client_addresses import site_network
from dashboard.auth.hash_queue import needs_hash_slot
from dashboard.auth.passwords import MAX_CONCURRENT_HASHES as MAX_HASHES
from dashboard.concurrency.admission_queue import AdmissionQueue, QueueFull
from dashboard.concurrency.quota import PerUserQuota, QuotaExceeded
from dashboard.live.service import LiveReleases
from dashboard.live.topic import Topic
from dashboard.push.hub import (
    STREAM_KEEP_ALIVE_SECONDS,
    Channel,
    Hub,
    PerUserChannelQuota,
    Stream,
    Update,
    event_stream,
    server_sent_event,
)
from dashboard.push.long_poll import MAX_LONG_POLLS, MAX_LONG_POLLS_PER_USER, LongPoll, LongPollHub
from dashboard.push.session_check import SessionCheck
from dashboard.push.stream_views import STREAM_ENVIRON_KEY, is_session_valid, latest
from dashboard.push.wait_view import LONG_POLL_ENVIRON_KEY
from dashboard.server.direct_responses import probe_response, refusal_response
from dashboard.server.in_flight import MAX_REQUESTS_PER_CLIENT, RequestCounter
from dashboard.server.response_cache import ChangeToken, HttpResponse, ResponseCache
from dashboard.server.wsgi_adapter import (
    Receive,
    Send,
    on_disconnect,
    read_body,
    send_response,
    wait_for_disconnect,
    wsgi_environ,
)
from dashboard.web.address import PageAddress
from dashboard.web.export.response import STREAMED_ENVIRON_KEY
from dashboard.web.health import PROBES
from dashboard.web.page_response import PAGE_RESPONSE_ENVIRON_KEY
from dashboard.web.services import services

T = TypeVar("T")

# The maximum number of streams; other pages poll.
MAX_STREAMS = 4_000
# How many may wait until passwords are hashed: they are done in some five seconds.
MAX_QUEUED_HASHES = 128
TOO_MANY_HASHES_ERROR = "too_many_logins", "Too many concurrent sign-ins. Try again in a few seconds."
TOO_MANY_REQUESTS_ERROR = (
    "too_many_requests",
    "Too many open requests from this IP address. Try again in a few seconds.",
)

# An answer, the pieces that follow it, and what is to be done at its end.
FlaskResponse = tuple[HttpResponse, Iterator[bytes] | None, Callable[[], object]]


class ClientDisconnected(Exception):
    """The client disconnected before its turn."""


class HubSubscription:
    """Manages a stream from its request to its end. Thread-safe."""

    def __init__(self, hub: Hub, places: PerUserQuota, channels: PerUserChannelQuota) -> None:
        self.stream = Stream()
        self.first = Update("")
        self.session_id = ""
        self._hub = hub
        self._places = places
        self._channels = channels
        self._user_id: str | None = None
        self._place: Channel | None = None

    def acquire(self, user_id: str, session_id: str) -> QuotaExceeded | None:
        """Reserve a stream for this user; return the reason if the limit is reached."""
        full = self._places.acquire(user_id)
        if not full:
            self._user_id, self.session_id = user_id, session_id
        return full

    def open(self, what: Topic, address: PageAddress) -> None:
        """Subscribe to a topic, together with all viewers of this address."""
        composed = self._channels.acquire(self._user_id or "", address)
        self._place = Channel(what, address, composed)
        self._hub.join(self._place, self.stream)

    def begin(self, version: str, as_of: str) -> None:
        """Send the current version and its time."""
        self.first = Update(version, as_of=as_of)

    def close(self) -> None:
        """Unsubscribe."""
        if self._place:
            self._hub.leave(self._place, self.stream)
            if self._place.composed:
                self._channels.release(self._user_id or "", self._place.address)
        if self._user_id is not None:
            self._places.release(self._user_id)


class AsgiDashboard:
    """The Flask app as an ASGI app. `threads` limits concurrent requests, without open streams.

    `mark` returns the change token of the accounts database.
    """

    def __init__(
        self,
        app: Flask,
        releases: LiveReleases,
        mark: ChangeToken,
        *,
        threads: int,
        max_streams: int = MAX_STREAMS,
        max_waits: int = MAX_LONG_POLLS,
        max_waits_each: int = MAX_LONG_POLLS_PER_USER,
        proxies: int = 0,
        max_requests_each: int = MAX_REQUESTS_PER_CLIENT,
        max_hashes_waiting: int = MAX_QUEUED_HASHES,
    ) -> None:
        self._app = app
        self._hub = Hub(releases.subscribe, self._compose)
        self._waits = LongPollHub(releases, max_waits, max_waits_each)
        self._repeats = ResponseCache(releases.known, mark)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="flask")
        self._places = PerUserQuota(max_streams, services(app).settings.streams_per_user)
        self._channels = PerUserChannelQuota()
        self._checks: WeakValueDictionary[str, SessionCheck] = WeakValueDictionary()
        self._ending = False
        self._turns = AdmissionQueue(MAX_HASHES, max_hashes_waiting)
        self._requests = RequestCounter(proxies, max_requests_each)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Handle an HTTP request; health checks need no thread."""
        if scope["path"] in PROBES and scope["method"] in {"GET", "HEAD"}:
            await send_response(probe_response(self._app, scope["path"]), send)
            return
        with self._requests.of(scope) as few:
            if few:
                await self._any(scope, receive, send)
            else:
                await send_response(refusal_response(503, scope["path"], TOO_MANY_REQUESTS_ERROR), send)

    async def _any(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        body = await read_body(receive)
        if body is None:
            return
        if scope["method"] == "GET" and scope["path"].startswith("/live/"):
            await self._stream(wsgi_environ(scope, body), receive, send)
        elif scope["path"].startswith("/api/releases/") and scope["path"].endswith("/wait"):
            await self._wait(wsgi_environ(scope, body), receive, send)
        else:
            again = self._repeats.find(scope)
            await (send_response(again, send) if again else self._first(scope, body, receive, send))

    def end_streams(self) -> None:
        """Ask all streams and waiting requests to reconnect, and accept no more."""
        self._ending = True
        self._places.close()
        self._hub.end_all()
        self._waits.end_all()

    async def _first(self, scope: MutableMapping[str, Any], body: bytes, receive: Receive, send: Send) -> None:
        """Send Flask's response, then run its deferred work."""
        mark, environ = self._repeats.change_token(), wsgi_environ(scope, body)
        try:
            answer, rest, close = await self._in_turn(scope, environ, receive)
        except QueueFull:
            await send_response(refusal_response(503, scope["path"], TOO_MANY_HASHES_ERROR), send)
            return
        except ClientDisconnected:
            return
        self._repeats.keep(scope, answer, environ.get(PAGE_RESPONSE_ENVIRON_KEY), mark)
        try:
            await (send_response(answer, send) if rest is None else self._say_on(answer, rest, receive, send))
        finally:
            await asyncio.shield(self._in_thread(close))

    async def _in_turn(
        self, scope: MutableMapping[str, Any], environ: dict[str, Any], receive: Receive
    ) -> FlaskResponse:
        """Run Flask in a thread; requests that hash passwords queue first without a thread."""
        if not needs_hash_slot(self._app, scope["method"], environ["PATH_INFO"]):
            return await self._in_thread(self._answer, environ)
        address = self._requests.address(scope)
        leaving = asyncio.create_task(wait_for_disconnect(receive))
        try:
            async with self._turns.acquire(site_network(address) or address):
                if leaving.done():
                    raise ClientDisconnected
                return await self._in_thread(self._answer, environ)
        finally:
            leaving.cancel()

    async def _say_on(self, answer: HttpResponse, rest: Iterator[bytes], receive: Receive, send: Send) -> None:
        """Stream a response piece by piece, using threads only to produce pieces.

        The connection drops clients that read too slowly.
        """
        leaving = asyncio.create_task(wait_for_disconnect(receive))
        try:
            await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
            while not leaving.done() and (piece := await self._in_thread(next, rest, None)) is not None:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            leaving.cancel()

    async def _stream(self, environ: dict[str, Any], receive: Receive, send: Send) -> None:
        channel, mark = HubSubscription(self._hub, self._places, self._channels), self._repeats.change_token()
        try:
            answer, _, close = await self._in_thread(self._answer, environ | {STREAM_ENVIRON_KEY: channel})
            close()
            if answer.status == 200:
                if self._ending:
                    channel.stream.end()
                heard = environ.get("HTTP_LAST_EVENT_ID", "")
                said = event_stream(channel.stream, channel.first, heard, self._welcome(channel, environ, mark))
                await _send_stream(said, answer, channel.stream, receive, send)
            else:
                await send_response(answer, send)
        finally:
            await asyncio.shield(self._in_thread(channel.close))

    async def _wait(self, environ: dict[str, Any], receive: Receive, send: Send) -> None:
        """Repeat a wait request in Flask until it has a response."""
        wait = LongPoll(self._waits)
        leaving = asyncio.create_task(on_disconnect(wait.leave, receive))
        try:
            waits = True
            while waits:
                answer, _, close = await self._in_thread(self._answer, environ | {LONG_POLL_ENVIRON_KEY: wait})
                close()
                waits = await wait.wait_until_due()
            if not wait.gone:
                await send_response(answer, send)
        finally:
            leaving.cancel()
            await asyncio.shield(self._in_thread(wait.close))

    def _welcome(
        self, channel: HubSubscription, environ: dict[str, Any], mark: object
    ) -> Callable[[], Awaitable[bool]]:
        """Return whether the session of this stream is valid, checked after database changes and periodically."""
        check = self._checks.get(channel.session_id)
        if check is None:
            ask = partial(self._in_thread, is_session_valid, self._app, environ)
            check = self._checks[channel.session_id] = SessionCheck(ask, self._repeats.change_token, mark)
        # Without a change token, a recent check for another stream may be reused.
        return lambda: check.lasts(0.0 if channel.stream.has_update else STREAM_KEEP_ALIVE_SECONDS / 2)

    async def _compose(self, place: Channel, known: str) -> Update:
        version, as_of, rows = await self._in_thread(latest, self._app, place.address, known)
        told = b"" if rows is None else server_sent_event("rows", version, known, as_of, rows)
        return Update(version, known, told, as_of)

    async def _in_thread(self, act: Callable[..., T], *given: Any) -> T:  # noqa: ANN401 - what `act` takes
        return await asyncio.get_running_loop().run_in_executor(self._threads, act, *given)

    def _answer(self, environ: dict[str, Any]) -> FlaskResponse:
        """Return Flask's complete response and its closing function, to avoid switching threads per piece.

        The pieces of a streamed response are read in between on demand.
        """
        told: list[tuple[str, list[tuple[str, str]]]] = []

        def start(status: str, headers: list[tuple[str, str]], _exc_info: object = None, /) -> Callable[[bytes], None]:
            told.append((status, headers))
            return _unwritten

        chunks = self._app(environ, start)
        close = getattr(chunks, "close", _do_nothing)
        rest = iter(chunks) if environ.get(STREAMED_ENVIRON_KEY) else None
        try:
            body = b"" if rest else b"".join(chunks)
        except BaseException:
            close()
            raise
        status, headers = told[-1]
        encoded = [(name.lower().encode("latin1"), value.encode("latin1")) for name, value in headers]
        return HttpResponse(int(status.split(" ", 1)[0]), encoded, body), rest, close


def _unwritten(_chunk: bytes) -> None:
    """Reject the legacy WSGI `write` callable, which Flask never uses."""
    raise NotImplementedError


def _do_nothing() -> None:
    """Do nothing: the closing function of most responses."""


async def _send_stream(
    said: AsyncIterator[bytes], answer: HttpResponse, stream: Stream, receive: Receive, send: Send
) -> None:
    """Send a stream until it ends or the client disconnects."""
    headers = [(name, value) for name, value in answer.headers if name != b"content-length"]
    leaving = asyncio.create_task(on_disconnect(stream.end, receive))
    try:
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        async for text in said:
            await send({"type": "http.response.body", "body": text, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        leaving.cancel()
