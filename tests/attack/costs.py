"""How much processor time a request costs, by the length of what a stranger sends."""

import asyncio
import time
from collections.abc import Callable, Iterator

from tests.attack.stand import Stand
from tests.attack.wire import FORM, ask, request

LENGTHS = (1_000, 4_000, 16_000, 60_000)
ROUNDS, SECONDS = 20, 1.0
JSON = "application/json"

INPUTS: dict[str, Callable[[int], bytes]] = {
    "path": lambda size: request("GET", f"/releases/{'a/' * (size // 2)}"),
    "query": lambda size: request("GET", f"/login?{'a=b&' * (size // 4)}"),
    "header": lambda size: request("GET", "/login", X="a" * size),
    "headers": lambda size: request("GET", "/login")[:-2] + b"x: a\r\n" * (size // 6) + b"\r\n",
    "cookie": lambda size: request("GET", "/login", Cookie="a=b; " * (size // 5)),
    "form": lambda size: request("POST", "/login", "a=b&" * (size // 4), Content_Type=FORM),
    "password": lambda size: request("POST", "/login", f"password={'e%CC%81' * (size // 7)}", Content_Type=FORM),
    "JSON, long": lambda size: request("POST", "/api/auth/login", f"[{'1,' * (size // 2)}1]", Content_Type=JSON),
    "JSON, deep": lambda size: request("POST", "/api/auth/login", "[" * size, Content_Type=JSON),
}


async def costs(stand: Stand) -> Iterator[tuple[str, list[str]]]:
    """For each input, milliseconds of the server and the status, by length."""
    rows = []
    for name, made in INPUTS.items():
        rows.append((name, [await _cost(stand, made(size)) for size in LENGTHS]))
    return iter(rows)


async def _cost(stand: Stand, sent: bytes) -> str:
    await ask(stand.port, sent, source=stand.address())
    began, before, done, status = time.monotonic(), stand.processor_seconds(), 0, ""
    while done < ROUNDS and time.monotonic() < began + SECONDS:
        status = await ask(stand.port, sent, source=stand.address())
        done += 1
    await asyncio.sleep(0.02)
    return f"{1000 * (stand.processor_seconds() - before) / done:.1f} ({status})"
