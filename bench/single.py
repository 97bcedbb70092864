"""One client: what it is answered beside the bare call of the SDK, with nothing known of a release and with all."""

from functools import partial

from bench.client import Client
from bench.stand import Stand
from bench.table import Bound, Table, at_most, in_turn, milliseconds

ROUNDS = 21
TREE = "/api/releases/{}/hierarchy"
COLD = (
    ("release JSON, 1,000 entities, cold", "/api/releases/{}", at_most(1.25)),
    ("release page, 1,000 entities, cold", "/releases/{}", at_most(1.25)),
    ("hierarchy JSON, 1,000 entities, cold", TREE, None),
)


def one_client(stand: Stand, table: Table, thousand: str) -> None:
    """The rows of one client."""
    before = stand.release("before", 1_000)
    ids = [[stand.release(f"cold-{row}-{number}", 1_000) for number in range(2 * ROUNDS)] for row in range(len(COLD))]
    stand.wait_for(ids[-1][-1])
    stand.renew()
    viewer = stand.viewer()
    _first_of_all(stand, viewer, before)
    for (what, path, bound), each in zip(COLD, ids, strict=True):
        _cold(stand, table, viewer, what, path, bound, each)
    _warm(
        stand,
        table,
        viewer,
        "release hierarchy JSON, warm, 1,000 entities, 1 client",
        TREE.format(thousand),
        at_most(0.1),
    )
    _warm(stand, table, viewer, "release page, warm, 1,000 entities, 1 client", f"/releases/{thousand}", None)
    _lists(stand, table, viewer)


def _first_of_all(stand: Stand, viewer: Client, before: str) -> None:
    """A dashboard connects and compiles its templates once in its life: let it have done so."""
    for _, path, _ in COLD:
        viewer.get(path.format(before))
    viewer.get("/releases?q=nowhere")
    stand.query(before)
    stand.listed()


def _cold(
    stand: Stand, table: Table, viewer: Client, what: str, path: str, bound: Bound | None, ids: list[str]
) -> None:
    """Each release is asked for once: one by the dashboard, the next, its twin, by the SDK."""
    ours, bare = in_turn(
        ROUNDS,
        lambda number: milliseconds(partial(viewer.get, path.format(ids[2 * number]))),
        lambda number: milliseconds(partial(stand.query, ids[2 * number + 1])),
    )
    _row(table, viewer, what, (ours, bare), "SDK query get_hierarchy", bound)


def _warm(stand: Stand, table: Table, viewer: Client, what: str, path: str, bound: Bound | None) -> None:
    # Who asks twice looks: from then on it is kept current in the background.
    release_id = path.removeprefix("/api").split("/")[2]
    for _ in range(3):
        viewer.get(path)
    ours, bare = in_turn(
        ROUNDS,
        lambda _: milliseconds(partial(viewer.get, path)),
        lambda _: milliseconds(partial(stand.query, release_id)),
    )
    _row(table, viewer, what, (ours, bare), "SDK query get_hierarchy", bound)


def _lists(stand: Stand, table: Table, viewer: Client) -> None:
    """A filter that nobody has asked for yet is cold; these all find the same."""
    for what, path in (("cold", "/releases?since=2001-01-{:02}"), ("warm", "/releases")):
        for _ in range(3):
            viewer.get(path.format(31))
        ours, bare = in_turn(
            ROUNDS,
            lambda number, path=path: milliseconds(partial(viewer.get, path.format(number + 1))),
            lambda _: milliseconds(stand.listed),
        )
        _row(table, viewer, f"list page of 20, {what}, 1 client", (ours, bare), "SDK list of 20", None)


def _row(
    table: Table, viewer: Client, what: str, times: tuple[float, float], reference: str, bound: Bound | None
) -> None:
    ours, bare = times
    figure = f"{ours:.1f} ms, {len(viewer.body) / 1000:.1f} KB"
    table.ratio(what, figure, f"{reference} {bare:.1f} ms", ours / bare, bound)
