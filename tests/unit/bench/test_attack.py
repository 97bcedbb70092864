"""What an attack says came of it, is what came of it."""

import asyncio
from functools import partial

from tests.attack.wire import CLOSED, HELD, REFUSED, all_of, ask, request
from tests.support.waiting import in_a_loop


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer a request for a status with it; close on another, and say nothing to what is no request yet."""
    line = await reader.readline()
    if line.endswith(b"\n"):
        status = line.split()[1][1:]
        writer.write(b"HTTP/1.1 %s\r\n\r\n" % status if status.isdigit() else b"")
    writer.close()


def test_each_end_of_a_connection_is_told_from_the_others():
    async def try_all() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        asks = [partial(ask, port, request("GET", f"/{status}")) for status in (200, 431, 500, "close")]
        outcome = await all_of([*asks, partial(ask, port, b"GET /", drip=b"a", seconds=0.5)])
        assert outcome.counts == {"200": 1, "431": 1, "500": 1, CLOSED: 1, HELD: 1}
        assert outcome.faults == 1
        server.close()
        await server.wait_closed()
        assert await ask(port, request("GET", "/200")) == REFUSED

    in_a_loop(try_all)
