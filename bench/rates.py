"""A hundred clients at once, each with a session of its own: answers a second beside the bare server's."""

import time
from dataclasses import dataclass

from bench.client import Load
from bench.stand import SESSIONS, Stand
from bench.table import Bound, Table, at_least, in_turn

ROUNDS = 5
SECONDS = 3.0


@dataclass(frozen=True)
class Asked:
    """What all clients ask for, and what they must be answered: a status, and about so many bytes."""

    url: str
    cookies: str
    status: int
    length: int
    headers: tuple[str, ...] = ()


def hundred_clients(stand: Stand, table: Table, thousand: str) -> None:
    """The rows of 100 clients."""
    stand.renew()
    _tree(stand, table, f"/api/releases/{thousand}/hierarchy")
    _unchanged(stand, table, f"/releases/{thousand}")
    # The last: looking at 20 releases, again and again, would be in the way of the other rows.
    _list(stand, table, "/releases")


def _tree(stand: Stand, table: Table, path: str) -> None:
    length = _length(stand, path)
    ours = Asked(stand.base + path, stand.cookies, 200, length)
    bare = Asked(f"{stand.bare}/bytes/{length}", stand.bare_cookies, 200, length)
    _beside_bare(
        table, f"release hierarchy JSON, warm, {SESSIONS} clients", ours, bare, f"bare view of {length:,} bytes"
    )


def _unchanged(stand: Stand, table: Table, path: str) -> None:
    fragment = {"HX-Request": "true"}
    tag = stand.viewer().get(path, **fragment).getheader("HX-PTag") or ""
    headers = (*(f"{name}: {value}" for name, value in fragment.items()), f"HX-PTag: {tag}")
    ours = Asked(stand.base + path, stand.cookies, 304, 0, headers)
    bare = Asked(f"{stand.bare}/unchanged", stand.bare_cookies, 304, 0, ("If-None-Match: x",))
    _beside_bare(table, f"unchanged poll (304), {SESSIONS} clients", ours, bare, "bare view that answers 304")


def _list(stand: Stand, table: Table, path: str) -> None:
    ours = Asked(stand.base + path, stand.cookies, 200, _length(stand, path))
    troubles: set[str] = set()
    rates = in_turn(ROUNDS, lambda _: _rate(ours, troubles), lambda _: _listed(stand))
    what = f"list page of 20, warm, {SESSIONS} clients"
    _row(table, what, rates, "SDK list of 20, one at a time", at_least(25), troubles)


def _beside_bare(table: Table, what: str, ours: Asked, bare: Asked, reference: str) -> None:
    troubles: set[str] = set()
    rates = in_turn(ROUNDS, lambda _: _rate(ours, troubles), lambda _: _rate(bare, troubles))
    _row(table, what, rates, reference, at_least(0.7), troubles)


def _row(table: Table, what: str, rates: tuple[float, float], reference: str, bound: Bound, troubles: set[str]) -> None:
    ours, bare = rates
    figure = ", ".join([f"{ours:,.0f}/s", *sorted(troubles)])
    table.ratio(what, figure, f"{reference} {bare:,.0f}/s", ours / bare, bound, spoilt=bool(troubles))


def _rate(asked: Asked, troubles: set[str]) -> float:
    """Answers a second; whatever is not the answer that was asked for is a trouble, and is told."""
    headers = [word for header in asked.headers for word in ("--header", header)]
    given = ["--cookies", asked.cookies, "--clients", str(SESSIONS), "--seconds", str(SECONDS), *headers]
    found = Load("rate", asked.url, *given).end()
    troubles |= {f"status {status}" for status in found["statuses"] if status != str(asked.status)}
    if found["errors"]:
        troubles.add("broken connections")
    # What an answer says of its own time may be a few bytes longer or shorter.
    if any(abs(length - asked.length) > 100 for length in found["lengths"]):
        troubles.add("other lengths")
    return float(found["rate"])


def _listed(stand: Stand) -> float:
    count, started = 0, time.perf_counter()
    while time.perf_counter() - started < SECONDS:
        stand.listed()
        count += 1
    return count / (time.perf_counter() - started)


def _length(stand: Stand, path: str) -> int:
    """How long the answer is; who asks more than once looks, and from then on it is kept current."""
    viewer = stand.viewer()
    for _ in range(3):
        viewer.get(path)
    return len(viewer.body)
