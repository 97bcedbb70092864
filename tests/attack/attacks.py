"""The slow, the many, the long and the deep."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from tests.attack.stand import Stand
from tests.attack.wire import FORM, Outcome, all_of, ask, request

# How many do it at once, where no setting says how many are too many.
CLIENTS = 200
LONG = 60_000
DEEP = 20_000
# The largest file that anybody may have.
LARGE_FILE = "/static/vendor/swagger-ui-5.35.0/swagger-ui-bundle.js"

Attack = Callable[[Stand], Awaitable[Outcome]]


def bound_of(stand: Stand, name: str, otherwise: int) -> int:
    """What a setting says, or what is tried where there is no such setting."""
    return int(getattr(stand.settings, name, otherwise))


async def _many(stand: Stand, count: int, sent: bytes, at_once: int = CLIENTS, **how: Any) -> Outcome:
    return await all_of([partial(ask, stand.port, sent, **how)] * count, at_once)


async def drip_heads(stand: Stand) -> Outcome:
    """A head that comes byte by byte."""
    return await _many(stand, CLIENTS, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ", drip=b"a")


async def drip_bodies(stand: Stand) -> Outcome:
    """A body that comes byte by byte."""
    sent = request("POST", "/login", length=9_999, Content_Type=FORM)
    return await _many(stand, CLIENTS, sent, drip=b"a")


async def silent_bodies(stand: Stand) -> Outcome:
    """A body that never comes."""
    return await _many(stand, CLIENTS, request("POST", "/login", length=9_999, Content_Type=FORM))


async def slow_readers(stand: Stand) -> Outcome:
    """A large file of which nothing is read."""
    return await _many(stand, CLIENTS, request("GET", LARGE_FILE), read=False)


async def connections(stand: Stand) -> Outcome:
    """Connections that say nothing, more than one address may have."""
    most = bound_of(stand, "max_connections_per_address", 500)
    return await _many(stand, most + CLIENTS, b"", at_once=most + CLIENTS, seconds=4)


async def headers(stand: Stand) -> Outcome:
    """5,000 headers of one name."""
    sent = b"GET /login HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"x: a\r\n" * 5_000 + b"\r\n"
    return await _many(stand, 40, sent, at_once=10)


async def large_heads(stand: Stand) -> Outcome:
    """A head of 4 MB."""
    return await _many(stand, 20, b"GET /login HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"a" * 4_000_000, at_once=10)


async def logins(stand: Stand) -> Outcome:
    """300 logins at once, each from an address and for a user of its own."""
    forms = (f"username=nobody-{number}@example.com&password=a-wrong-password" for number in range(300))
    sent = [request("POST", "/login", form, Content_Type=FORM) for form in forms]
    return await all_of([partial(ask, stand.port, each, source=stand.address(), seconds=6) for each in sent], 300)


async def streams(stand: Stand) -> Outcome:
    """One user's streams, more than a user may have."""
    most = bound_of(stand, "streams_per_user", 50)
    return await _many(stand, most + 50, request("GET", "/live/releases", Cookie=stand.cookie), stay=2)


async def made_up_queries(stand: Stand) -> Outcome:
    """Pages and streams of parameters that mean nothing."""
    targets = [f"{path}?x={number}" for number in range(150) for path in ("/releases", "/live/releases")]
    asks = [partial(ask, stand.port, request("GET", target, Cookie=stand.cookie), stay=1) for target in targets]
    return await all_of(asks, 100)


async def changes(stand: Stand) -> Outcome:
    """Changes that the audit log tells of: another name, again and again."""
    most = bound_of(stand, "changes_per_minute", 30)
    own = {"Content_Type": FORM, "Cookie": stand.cookie, "Origin": "http://127.0.0.1"}
    sent = [request("POST", "/profile/name", f"name=Mallory+{number}", **own) for number in range(2 * most)]
    return await all_of([partial(ask, stand.port, each) for each in sent], 4)


async def long_paths(stand: Stand) -> Outcome:
    """60 KB of path."""
    return await _many(stand, 40, request("GET", f"/releases/{'a/' * (LONG // 2)}", Cookie=stand.cookie), at_once=10)


async def long_queries(stand: Stand) -> Outcome:
    """60 KB of query."""
    return await _many(stand, 40, request("GET", f"/releases?q={'a' * LONG}", Cookie=stand.cookie), at_once=10)


async def long_headers(stand: Stand) -> Outcome:
    """60 KB of header, and of cookie."""
    kinds = [request("GET", "/login", X="a" * LONG), request("GET", "/login", Cookie=f"session={'a' * LONG}")]
    return await all_of([partial(ask, stand.port, sent) for sent in kinds * 20], 10)


async def long_passwords(stand: Stand) -> Outcome:
    """60 KB of password, of characters that can be written in two ways."""
    sent = request("POST", "/login", f"username=a@example.com&password={'e%CC%81' * (LONG // 7)}", Content_Type=FORM)
    return await _many(stand, 20, sent, at_once=10, source=stand.address())


async def long_forms(stand: Stand) -> Outcome:
    """60 KB of form fields."""
    sent = request("POST", "/login", "a=&" * (LONG // 3), Content_Type=FORM)
    return await _many(stand, 20, sent, at_once=10, source=stand.address())


async def deep_json(stand: Stand) -> Outcome:
    """JSON of 20,000 levels, wherever some is taken."""
    body = "[" * DEEP + "]" * DEEP
    own = {"Content_Type": "application/json", "Cookie": stand.cookie, "Origin": "http://127.0.0.1"}
    kinds = [request(method, path, body, **own) for method, path in stand.takes_json()]
    return await all_of([partial(ask, stand.port, sent, source=stand.address()) for sent in kinds * 3], 10)


ATTACKS: dict[str, tuple[Attack, ...]] = {
    "slow": (drip_heads, drip_bodies, silent_bodies, slow_readers),
    "many": (connections, headers, large_heads, logins, streams, made_up_queries, changes),
    "long": (long_paths, long_queries, long_headers, long_passwords, long_forms),
    "deep": (deep_json,),
}
