"""What one client may take of the server that is shipped: sizes, times and connections."""

import asyncio
import http.client
import json
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
import uvicorn
from structlog.testing import capture_logs
from uvicorn.server import ServerState

from dashboard.audit.log import MAX_SUBJECT_LENGTH, AuditEvent, AuditEventType
from dashboard.database.models import Role
from dashboard.server.bounded_http import BoundedHttp
from dashboard.server.connections import ConnectionRegistry
from dashboard.server.limits import (
    MAX_HEADER_COUNT,
    MAX_PIPELINED_REQUESTS,
    MAX_PROBE_CONNECTIONS,
    MAX_TARGET_BYTES,
    MIN_PROGRESS_BYTES,
    ConnectionLimits,
)
from dashboard.server.wsgi_adapter import wait_for_disconnect
from tests.support.harness import EMAIL
from tests.support.served import Served, account, serving
from tests.support.waiting import eventually, in_a_loop

pytestmark = pytest.mark.integration

BOUND = 60.0
# Connections that an address may have here.
FEW = 30
HEAD = b"GET /login HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST /login HTTP/1.1\r\nHost: localhost\r\n"
LENGTH = b"Content-Length: 1000\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
LONG_TABLE = "/api/audit?event=user_added"
BUNDLE = b"GET /static/vendor/swagger-ui-5.35.0/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\n"


@pytest.fixture(scope="module")
def bounded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with little patience."""
    folder = tmp_path_factory.mktemp("bounded")
    account(folder).close()
    settings = {"REQUEST_TIMEOUT": "1", "RESPONSE_TIMEOUT": "1", "MAX_CONNECTIONS_PER_ADDRESS": str(FEW)}
    with serving(folder, **settings) as served:
        yield served


def connect(served: Served, *, small: bool = False) -> socket.socket:
    client = socket.socket()
    if small:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(BOUND)
    client.connect(("127.0.0.1", served.port))
    return client


def answered(client: socket.socket) -> tuple[int, bytes]:
    """The status and the body of an answer; 0 where the connection is closed without any."""
    answer = http.client.HTTPResponse(client)
    try:
        answer.begin()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException):
        return 0, b""


def sent(served: Served, content: bytes) -> tuple[int, bytes]:
    with connect(served) as client:
        client.sendall(content)
        return answered(client)


def headers(count: int, size: int = 1) -> bytes:
    return b"".join(b"x-%d: %s\r\n" % (number, b"y" * size) for number in range(count))


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (HEAD + headers(MAX_HEADER_COUNT - 1) + b"\r\n", 200),
        (HEAD + headers(MAX_HEADER_COUNT) + b"\r\n", 431),
        (HEAD + b"x: y\r\n" * 100_000 + b"\r\n", 431),
        (HEAD + headers(50, 1_200) + b"\r\n", 200),
        (HEAD + headers(50, 1_400) + b"\r\n", 431),
        (HEAD + b"x: " + b"y" * 5_000_000, 431),
        (HEAD + b"x" * 5_000_000, 431),
        (b"GET /login?" + b"x" * (MAX_TARGET_BYTES - 7) + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 200),
        (b"GET /login?" + b"x" * (MAX_TARGET_BYTES - 6) + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
        (b"GET /releases/" + b"/entities/" * 6_000 + b"/panel HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
        (b"GET /" + b"x" * 5_000_000, 414),
        (POST + CHUNKED + b"1;" + b"x" * 5_000_000, 431),
        (b"what is this\r\n\r\n", 400),
    ],
    ids=range(13),
)
def test_a_request_that_is_too_large_is_refused_before_anything_looks_at_it(
    bounded: Served, content: bytes, status: int
) -> None:
    assert sent(bounded, content)[0] == status


def test_what_comes_after_a_body_in_chunks_counts_as_headers(bounded: Served) -> None:
    chunked = POST + CHUNKED + b"1\r\nx\r\n0\r\n"
    assert sent(bounded, chunked + headers(5) + b"\r\n")[0] == 401
    # It may be answered by then.
    assert sent(bounded, chunked + headers(1_000) + b"\r\n")[0] in {0, 431}


@pytest.mark.parametrize("begun", [b"x: ", b"x: y\r\nz", b""], ids=["value", "second", "name"])
def test_a_header_without_an_end_counts_from_its_first_piece_on(bounded: Served, begun: bytes) -> None:
    assert sent(bounded, HEAD + begun + b"y" * 75_000)[0] == 431


def test_a_refusal_says_so_in_the_form_of_the_api_and_has_the_headers_of_every_answer(bounded: Served) -> None:
    status, text, _ = bounded.ask("GET", f"/api/releases?q={'x' * MAX_TARGET_BYTES}")
    assert (status, json.loads(text)["error"]["code"]) == (414, "target_too_long")
    with connect(bounded) as client:
        client.sendall(HEAD + headers(MAX_HEADER_COUNT) + b"\r\n")
        answer = http.client.HTTPResponse(client)
        answer.begin()
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert (answer.headers["Connection"], bool(answer.headers["X-Request-ID"])) == ("close", True)


def test_of_requests_at_once_on_one_connection_a_few_wait_and_no_thousands(bounded: Served) -> None:
    with connect(bounded) as client:
        client.sendall((HEAD + b"\r\n") * MAX_PIPELINED_REQUESTS + HEAD + b"Connection: close\r\n\r\n")
        assert client.makefile("rb").read().count(b"HTTP/1.1 200 ") == MAX_PIPELINED_REQUESTS + 1
    with connect(bounded) as client:
        client.sendall((HEAD + b"\r\n") * 5_000)
        eventually(lambda: "too many pipelined requests" in bounded.log.read_text(), BOUND)


def test_who_does_not_go_on_or_drips_is_not_waited_for(bounded: Served) -> None:
    silent = [HEAD, HEAD + b"x: ", POST + LENGTH, POST + LENGTH + b"username="]
    dripping = {HEAD + b"x: ": b"x", POST + LENGTH: b"x", POST + CHUNKED: b"1\r\nx\r\n"}
    with ExitStack() as stack:
        nothing = stack.enter_context(connect(bounded))
        waiting = {stack.enter_context(connect(bounded)): (start, b"") for start in silent}
        waiting |= {stack.enter_context(connect(bounded)): both for both in dripping.items()}
        for client, (start, _) in waiting.items():
            client.sendall(start)
            client.settimeout(0.01)

        def answers() -> bool:
            """Whether each is answered by now; else those that drip go on."""
            for client, (_, piece) in list(waiting.items()):
                try:
                    client.sendall(piece)
                    assert client.recv(100).startswith(b"HTTP/1.1 408 ")
                    del waiting[client]
                except TimeoutError:
                    continue
            return not waiting

        eventually(answers, BOUND)
        assert nothing.recv(1) == b""


def test_who_takes_nothing_of_an_answer_is_dropped(bounded: Served) -> None:
    with ExitStack() as stack:
        readers = [stack.enter_context(connect(bounded, small=True)) for _ in range(3)]
        for reader in readers:
            reader.sendall(BUNDLE + b"\r\n")
            assert reader.recv(1)
        eventually(lambda: bounded.log.read_text().count("response not read"), BOUND)
        eventually(lambda: all(is_reset(reader) for reader in readers), BOUND)


def is_reset(client: socket.socket) -> bool:
    return client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0


def long_log(folder: Path) -> None:
    """Two thousand entries of the audit log, a thousand of which are read at once: more than 1 MB."""
    accounts = account(folder)
    accounts.set_role(EMAIL, Role.admin)
    details = {str(number): "x" * MAX_SUBJECT_LENGTH for number in range(4)}
    with accounts.transaction():
        for number in range(2_000):
            accounts.audit.add(AuditEvent.from_command_line(AuditEventType.user_added, str(number), **details))
    accounts.close()


def read_slowly(answer: http.client.HTTPResponse, seconds: float) -> bytes:
    """All of an answer, of which only a little is taken in the first seconds, but steadily."""
    body, began = answer.read(MIN_PROGRESS_BYTES), monotonic()
    while monotonic() - began < seconds:
        body += answer.read(MIN_PROGRESS_BYTES)
        sleep(0.25)
    return body + answer.read()


def test_a_long_table_is_for_who_reads_it_slowly_too_while_who_reads_nothing_is_dropped_without_a_traceback(
    tmp_path: Path,
) -> None:
    long_log(tmp_path)
    patience = 5
    with serving(tmp_path, RESPONSE_TIMEOUT=str(patience)) as served, ExitStack() as stack:
        wanted = {"Accept": "application/x-ndjson", "Cookie": served.login()}
        head = "".join(f"{name}: {value}\r\n" for name, value in wanted.items())
        whole = served.ask("GET", LONG_TABLE, **wanted)[1].encode()
        silent, slow = (stack.enter_context(connect(served, small=True)) for _ in range(2))
        silent.sendall(f"GET {LONG_TABLE} HTTP/1.1\r\nHost: localhost\r\n{head}\r\n".encode())
        eventually(lambda: is_reset(silent), BOUND)
        slow.sendall(f"GET {LONG_TABLE} HTTP/1.1\r\nHost: localhost\r\n{head}\r\n".encode())
        answer = http.client.HTTPResponse(slow)
        answer.begin()
        *rows, last = read_slowly(answer, 1.5 * patience).splitlines()
        assert rows == whole.splitlines()[:-1]
        assert json.loads(last)["end"]["missing"] == []
        log = served.log.read_text()
        assert (log.count("client_dropped"), log.count("response not read"), "Traceback" in log) == (1, 1, False)


def test_a_stream_that_is_read_goes_on_while_one_that_is_not_ends() -> None:
    connections, state = ConnectionRegistry(ConnectionLimits(response_seconds=0.5)), ServerState()
    config = uvicorn.Config(stream, lifespan="off", log_config=None)
    config.load()

    def connection() -> BoundedHttp:
        return BoundedHttp(connections, config=config, server_state=state, app_state={})

    async def go(logs: Sequence[Any]) -> None:
        server = await asyncio.get_running_loop().create_server(connection, "127.0.0.1", 0)
        port, watch = server.sockets[0].getsockname()[1], asyncio.create_task(connections.watch())
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with socket.create_connection(("127.0.0.1", port)) as silent:
            for send in (writer.write, silent.sendall):
                send(HEAD + b"\r\n")
            async with asyncio.timeout(BOUND):
                while not logs:
                    assert await reader.read(MIN_PROGRESS_BYTES)
                for _ in range(20):
                    assert await reader.readexactly(MIN_PROGRESS_BYTES)
        writer.close()
        await asyncio.wait(state.tasks)
        watch.cancel()
        server.close()

    with capture_logs() as logs:
        in_a_loop(partial(go, logs))
    assert [(entry["event"], entry["reason"]) for entry in logs] == [("client_dropped", "response not read")]


async def stream(_scope: Any, receive: Any, send: Any) -> None:
    """Send until the client has gone."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    leaving = asyncio.create_task(wait_for_disconnect(receive))
    while not leaving.done():
        await send({"type": "http.response.body", "body": b"x" * MIN_PROGRESS_BYTES, "more_body": True})
        await asyncio.sleep(0.01)


def test_past_the_bound_of_an_address_the_newest_is_refused_and_probes_are_answered(bounded: Served) -> None:
    with ExitStack() as stack:
        for _ in range(FEW):
            stack.enter_context(connect(bounded)).sendall(HEAD)
        # Past those that are kept for probes, too: whoever holds one without a word makes room.
        for _ in range(2 * MAX_PROBE_CONNECTIONS):
            stack.enter_context(connect(bounded))
        assert bounded.ask("GET", "/health")[:2] == (200, '{"status":"ok"}\n')
        assert bounded.ask("GET", "/ready")[0] == 200
        status, text, _ = bounded.ask("GET", "/api/releases")
        assert (status, json.loads(text)["error"]["code"]) == (503, "too_many_connections")
    assert bounded.log.read_text().count("too many from this address") == 1
    eventually(lambda: bounded.ask("GET", "/login")[0] == 200, BOUND)


def test_at_the_limit_of_open_files_probes_are_answered(tmp_path: Path) -> None:
    account(tmp_path).close()
    with ExitStack() as stack:
        served = stack.enter_context(serving(tmp_path, files=256, MAX_CONNECTIONS_PER_ADDRESS="1000"))
        for _ in range(300):
            stack.enter_context(connect(served))
        for _ in range(3):
            assert served.ask("GET", "/health")[0] == 200
        assert "too many in all" in served.log.read_text()
