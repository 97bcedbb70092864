"""No input takes more than linear time: every address, query, header, cookie, form and JSON that a stranger can send.

What the app reads is found by watching it read. What one request costs is measured in processor time of its own thread.
"""

import json
import re
import sys
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from itertools import count, product
from time import thread_time
from typing import Any, ClassVar, NamedTuple
from urllib.parse import quote_plus, urlencode

import pytest
from flask import Flask
from werkzeug.datastructures import ImmutableMultiDict
from werkzeug.exceptions import HTTPException
from werkzeug.routing import MapAdapter, RequestRedirect, Rule
from werkzeug.test import EnvironBuilder, run_wsgi_app

from dashboard.auth.accounts import Accounts
from dashboard.database.models import Role
from dashboard.server.limits import MAX_HEAD_BYTES, MAX_TARGET_BYTES
from dashboard.web.request_limits import MAX_BODY_BYTES
from tests.support.api_document import reference

pytestmark = pytest.mark.timing

EMAIL, PASSWORD = "rita@example.com", "correct horse battery"
# What takes less than so many seconds at its longest is looked at no further, and may grow as it likes.
FLOOR = 0.02
# Of four times as much: linear is four times the time, and quadratic sixteen times.
FACTOR = 8
TRIES = 3
# Each of these is repeated: separators, what is escaped, white space, and marks that Unicode puts into another order.
COMBINING = "\N{COMBINING ACUTE ACCENT}\N{COMBINING GRAVE ACCENT BELOW}"
PIECES = (
    "a",
    "/",
    "~",
    "%2F",
    ";",
    ",",
    "=",
    "&",
    " ",
    '"',
    "\\",
    ".",
    "@",
    "-",
    "1",
    ":",
    "<",
    "[",
    "a,",
    "a=b; ",
    "\t",
    COMBINING,
    "\N{LATIN SMALL LIGATURE FFI}",
    "q=0.1,",
)
# What views go on with, so that one field is not refused for another.
WELL = (
    *(("username", EMAIL), ("email", "x@example.com"), ("role", "viewer"), ("current", PASSWORD)),
    *(("password", "staple horse battery"), ("new", "staple horse battery"), ("again", "staple horse battery")),
)


class Cost(NamedTuple):
    """What was sent, and the seconds that a quarter of its length and all of it add to a request."""

    name: str
    quarter: float
    whole: float


class Noted(ImmutableMultiDict[str, Any]):
    """Values by name; it is noted for which names somebody asks."""

    names: ClassVar[set[str]] = set()

    def __getitem__(self, name: str) -> Any:
        self.names.add(name)
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        self.names.add(str(name))
        return super().__contains__(name)

    def getlist(self, name: str, *args: Any, **options: Any) -> list[Any]:
        self.names.add(name)
        return super().getlist(name, *args, **options)


class NotedHeaders(dict[str, Any]):
    """A WSGI environment; it is noted which headers somebody reads."""

    names: ClassVar[set[str]] = set()

    def __getitem__(self, name: str) -> Any:
        self.names.add(name)
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        self.names.add(str(name))
        return super().__contains__(name)

    def get(self, name: str, *default: Any) -> Any:
        self.names.add(name)
        return super().get(name, *default)

    def copy(self) -> "NotedHeaders":
        return NotedHeaders(self)


class Asker:
    """Asks an app as an admin, each time from another address, so that no throttle stands before what is measured."""

    def __init__(self, app: Flask) -> None:
        noting = {"parameter_storage_class": Noted, "dict_storage_class": Noted}
        app.request_class = type("NotingRequest", (app.request_class,), noting)
        app.testing = False
        self.app = app
        self._numbers = count()
        answer = app.test_client().post("/api/auth/login", data={"username": EMAIL, "password": PASSWORD})
        self._bearer = {"Authorization": f"Bearer {answer.get_json()['access_token']}"}
        secret = app.test_client().post("/login", data={"username": EMAIL, "password": PASSWORD}).headers["Set-Cookie"]
        self._cookie = {"Cookie": secret.partition(";")[0]}

    def ask(self, method: str, path: str, *, known: bool = True, **options: Any) -> int:
        """The status of the answer."""
        number = next(self._numbers)
        headers = (self._bearer if path.startswith("/api/") else self._cookie) if known else {}
        builder = EnvironBuilder(path, method=method, headers=headers | options.pop("headers", {}), **options)
        environ = NotedHeaders(builder.get_environ())
        builder.close()
        environ["REMOTE_ADDR"] = f"198.51.{number // 250 % 250}.{number % 250}"
        _, status, _ = run_wsgi_app(self.app, environ, buffered=True)
        return int(status.split()[0])

    def names(self, method: str, path: str, well: Iterable[tuple[str, str]]) -> set[str]:
        """The parameters or fields that are read at this address, and one that is not."""
        found = {"unknown"}
        while True:
            Noted.names = set()
            asked = dict.fromkeys(found, "x") | {name: value for name, value in well if name in found}
            self.ask(method, path, **({"data": asked} if method == "POST" else {"query_string": asked}))
            if Noted.names <= found:
                return found - {"release_dashboard"}
            found |= Noted.names

    def ask_for(self, path: str, name: str, text: str) -> int:
        return self.ask("GET", f"{path}?{name}={quote_plus(text)}")

    def ask_with(self, method: str, path: str, header: str, start: str, text: str) -> int:
        known = header not in {"AUTHORIZATION", "COOKIE"}
        return self.ask(method, path, known=known, headers={header: start + text})

    def send_form(self, path: str, name: str, text: str) -> int:
        # As they are where they may be: escaped, they take more room.
        raw = text.translate({ord(character): quote_plus(character) for character in "%&+=; "})
        body = urlencode(dict(WELL) | {name: ""}).replace(f"{name}=", f"{name}={raw}", 1)
        return self.ask("POST", path, data=body.encode(), content_type="application/x-www-form-urlencoded")

    def send_json(self, method: str, path: str, fields: Mapping[str, str], field: str, text: str) -> int:
        well = {name: value for name, value in WELL if name in fields}
        return self.send(method, path, json.dumps({**fields, **well, field: text}, ensure_ascii=False))

    def send(self, method: str, path: str, text: str) -> int:
        return self.ask(method, path, data=text.encode(), content_type="application/json")


@pytest.fixture
def asker(app: Flask, accounts: Accounts) -> Asker:
    accounts.add(EMAIL, PASSWORD, role=Role.admin)
    return Asker(app)


def cost(name: str, act: Callable[[str], object], piece: str, longest: int, floor: float = FLOOR) -> Iterator[Cost]:
    """What an input costs, if it costs much: of this piece, repeated as often as it fits in."""
    if seconds(act, piece * (longest // len(piece))) > floor:
        none, quarter, whole = (
            min(seconds(act, piece * (length // len(piece))) for _ in range(TRIES))
            for length in (0, longest // 4, longest)
        )
        # What any request costs is no part of it.
        if whole - none > max(floor, FACTOR * (quarter - none)):
            yield Cost(f"{name}: {piece!r}", quarter - none, whole - none)


def seconds(act: Callable[[str], object], text: str) -> float:
    # What measures coverage holds on to locals, so that a text is made anew for each character that is added to it.
    tracer = sys.gettrace()
    sys.settrace(None)
    try:
        began = thread_time()
        act(text)
        return thread_time() - began
    finally:
        sys.settrace(tracer)


def rules(app: Flask, method: str) -> list[Rule]:
    return [rule for rule in app.url_map.iter_rules() if method in (rule.methods or ())]


def parts(rule: Rule) -> list[str]:
    """What stands between the values of an address."""
    found, rest = [], rule.rule
    while "<" in rest:
        before, _, rest = rest.partition("<")
        found.append(before)
        rest = rest.partition(">")[2]
    return [*found, rest]


def address(rule: Rule) -> str:
    return "app:x".join(parts(rule))


def test_an_address_is_matched_in_linear_time(app: Flask) -> None:
    routes = app.url_map.bind("x")
    between = {part for rule in app.url_map.iter_rules() for part in parts(rule) if part.startswith("/")}
    pieces = sorted({*PIECES[:4], *between, *(f"x{part}x" for part in between if part != "/")})

    def costs() -> Iterator[Cost]:
        for first, last in sorted({(parts(rule)[0], parts(rule)[-1]) for rule in app.url_map.iter_rules()}):
            match = partial(_match, routes, first, f"{last}/")
            for piece in pieces:
                yield from cost(first, match, piece, MAX_TARGET_BYTES, FLOOR / 10)

    assert list(costs()) == []


def _match(routes: MapAdapter, first: str, last: str, text: str) -> None:
    with suppress(HTTPException, RequestRedirect):
        routes.match(first + text + last, "GET")


def test_a_parameter_is_read_in_linear_time(asker: Asker) -> None:
    def costs() -> Iterator[Cost]:
        for rule in rules(asker.app, "GET"):
            path = address(rule)
            for number, name in enumerate(sorted(asker.names("GET", path, ()))):
                # One after the other, so that each of them is tried somewhere.
                for piece in PIECES[number % 6 :: 6]:
                    longest = (MAX_TARGET_BYTES - len(f"{path}?{name}=")) // len(quote_plus(piece)) * len(piece)
                    yield from cost(f"{path} {name}", partial(asker.ask_for, path, name), piece, longest)

    assert list(costs()) == []


def test_a_header_and_a_cookie_are_read_in_linear_time(asker: Asker) -> None:
    places = (("GET", "/settings"), ("POST", "/login"), ("GET", "/api/settings"), ("GET", "/static/css/dashboard.css"))
    NotedHeaders.names, Noted.names = set(), set()
    for (method, path), known in product(places, (False, True)):
        asker.ask(method, path, known=known)
    headers = {name for name in NotedHeaders.names if name.startswith("HTTP_")} | {"HTTP_COOKIE"}
    assert {"HTTP_HOST", "HTTP_AUTHORIZATION", "HTTP_ACCEPT_ENCODING", "HTTP_IF_NONE_MATCH"} <= headers
    starts = {"HTTP_AUTHORIZATION": ("Bearer ", "Basic "), "HTTP_COOKIE": ("", *(f"{name}=" for name in Noted.names))}
    pieces = [piece for piece in PIECES if piece.isascii()]

    def costs() -> Iterator[Cost]:
        for number, name in enumerate(sorted(headers)):
            # Each header has others, and more of them on a page and where anybody may send something.
            for (method, path), some in zip(
                places, (*[slice(number % 2, None, 2)] * 2, *[slice(number % 6, None, 6)] * 2), strict=True
            ):
                for start in starts.get(name, ("",)):
                    ask = partial(asker.ask_with, method, path, name.removeprefix("HTTP_").replace("_", "-"), start)
                    for piece in pieces[some]:
                        yield from cost(f"{method} {path} {name}", ask, piece, MAX_HEAD_BYTES - 1_000)

    assert list(costs()) == []


def test_a_form_is_read_in_linear_time(asker: Asker) -> None:
    def costs() -> Iterator[Cost]:
        for rule in rules(asker.app, "POST"):
            path = address(rule)
            for number, name in enumerate(sorted(asker.names("POST", path, WELL))):
                for piece in {*PIECES[number % 6 :: 6], COMBINING}:
                    size = 3 if piece in "%&+=; " else len(piece.encode())
                    longest = (MAX_BODY_BYTES - 1_000) // size * len(piece)
                    yield from cost(f"{path} {name}", partial(asker.send_form, path, name), piece, longest)

    assert list(costs()) == []


def taking_json() -> Iterator[tuple[str, str, list[str]]]:
    """Each operation that takes JSON: its method, its path, and the fields that it takes."""
    for path, operations in reference().document["paths"].items():
        for method, said in operations.items():
            if "requestBody" in said:
                schema = said["requestBody"]["content"]["application/json"]["schema"]
                named = reference().document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
                yield method.upper(), re.sub(r"{[^}]*}", "x", path), list(named["properties"])


def test_json_is_read_in_linear_time(asker: Asker) -> None:
    def costs() -> Iterator[Cost]:
        for method, path, fields in taking_json():
            for piece in (*PIECES[::6], "[", '{"a":', "9", "[],", '"a":1,', '"\\u0301\\u0316'):
                yield from cost(f"{method} {path}", partial(asker.send, method, path), piece, MAX_BODY_BYTES - 1_000)
            for number, field in enumerate(fields):
                ask = partial(asker.send_json, method, path, dict.fromkeys(fields, "x"), field)
                for piece in {*PIECES[number % 6 :: 6], COMBINING}:
                    longest = (MAX_BODY_BYTES - 1_000) // len(piece.encode()) * len(piece)
                    yield from cost(f"{method} {path} {field}", ask, piece, longest)

    assert list(costs()) == []


@pytest.mark.parametrize("depth", [100, 900, 1_000, 12_000])
@pytest.mark.parametrize(("before", "after"), [("[", "]"), ('{"a":', "}"), ('{"username":', "}")])
def test_json_that_is_nested_too_deeply_is_an_error_in_what_was_sent(
    asker: Asker, depth: int, before: str, after: str
) -> None:
    for method, path, _ in taking_json():
        for text in (before * (depth // 2) + "1" + after * (depth // 2), before * (depth // 2)):
            assert asker.send(method, path, text[:MAX_BODY_BYTES]) in {400, 422}, (method, path)


@pytest.mark.parametrize("piece", ["[", '{"a":'])
def test_a_token_that_is_nested_too_deeply_lets_nobody_in(asker: Asker, piece: str) -> None:
    part = urlsafe_b64encode(piece.encode() * 9_000).decode().rstrip("=")
    for token in (f"{part}.{part}.x", f"{part}..", part):
        assert asker.ask_with("GET", "/api/settings", "AUTHORIZATION", "Bearer ", token) == 401
