"""Measures the dashboard as it is served, under load, and prints one table: python -m bench.live.

BENCH_VIEWERS (1,000) and BENCH_QUIET_SECONDS (60) make it smaller.
"""

import os
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from temporalio.client import Client

from bench.stand import Load, Stand

VIEWERS = int(os.environ.get("BENCH_VIEWERS", "1000"))
QUIET_SECONDS = int(os.environ.get("BENCH_QUIET_SECONDS", "60"))


def rate(url: str, cookie: str, *more: str) -> dict[str, Any]:
    """Answers a second for 100 clients at once."""
    return Load("requests", url, cookie, *more).end()


def row(what: str, figure: str, reference: str, compared: str, bound: str) -> None:
    """Print one row."""
    print(f"{what:<52} {figure:>14}   {reference:<34} {compared:>9}   {bound}", flush=True)


def rates(stand: Stand, thousand: str) -> None:
    """What 100 clients at once are answered, beside the bare server."""
    path = f"/api/releases/{thousand}/hierarchy"
    size = len(stand.get(path).text)  # type: ignore[attr-defined]
    ours = rate(f"{stand.base}{path}", stand.cookie)
    bare = rate(f"{stand.bare}/bytes/{size}", stand.bare_cookie)
    row(
        "hierarchy JSON, 1,000 entities, warm, 100 clients",
        f"{ours['rate']:.0f}/s",
        f"bare view, as many bytes {bare['rate']:.0f}/s",
        f"{ours['rate'] / bare['rate']:.2f}",
        ">= 0.7",
    )
    tag = stand.get(f"/releases/{thousand}", **{"HX-Request": "true"}).getheader("HX-PTag") or ""
    headers = ("--header", "HX-Request: true", "--header", f"HX-PTag: {tag}")
    ours = rate(f"{stand.base}/releases/{thousand}", stand.cookie, *headers)
    bare = rate(f"{stand.bare}/unchanged", stand.bare_cookie, "--header", "If-None-Match: x")
    row(
        f"unchanged poll, 100 clients {ours['statuses']}",
        f"{ours['rate']:.0f}/s",
        f"bare view, 304 {bare['rate']:.0f}/s",
        f"{ours['rate'] / bare['rate']:.2f}",
        ">= 0.7",
    )
    ours = rate(f"{stand.base}/releases", stand.cookie)

    async def listed(client: Client) -> None:
        await client.list_workflows("WorkflowType = 'ReleaseWorkflow'", page_size=20).fetch_next_page()

    once = 1 / stand.timed(listed)
    row(
        "list page of 20, warm, 100 clients",
        f"{ours['rate']:.0f}/s",
        f"SDK list, one at a time {once:.0f}/s",
        f"{ours['rate'] / once:.1f}",
        ">= 25",
    )


def seen_by(stand: Stand, release_id: str, viewers: int, word: str, seconds: float) -> tuple[dict[str, Any], Any]:
    """Let so many look for a while and let an app change: what they saw, and what Temporal was asked meanwhile."""
    url = f"{stand.base}/releases/{release_id}?open=cluster:c0"
    looking = Load("viewers", url, stand.cookie, "--clients", str(viewers), "--mark", word)
    looking.ready()
    before = stand.calls()
    time.sleep(seconds / 2)
    told = stand.change(release_id, word)
    time.sleep(seconds / 2)
    asked = stand.asked(before)
    found = looking.end()
    found["late"] = [at - told for at in found["at"]]
    return found, asked


def changes(stand: Stand, thousand: str) -> None:
    """How soon a change reaches everybody, what it costs Temporal, and how many bytes it is."""
    _, asked_by_one = seen_by(stand, thousand, 1, "verifying", 10)
    found, asked = seen_by(stand, thousand, VIEWERS, "rolling-back", 10)
    late = found["late"]
    if not late:
        row(
            "change of one app in 1,000 to the answer",
            "none came",
            f"{found['lost']} viewers lost",
            "",
            "p50 0.5, p95 1",
        )
    else:
        p50, p95 = statistics.median(late), late[int(len(late) * 0.95)]
        reached = f"{len(late):,} of {found['connected']:,} viewers, {found['lost']} lost"
        row("change of one app in 1,000 to the answer", f"p50 {p50:.2f} s", reached, f"p95 {p95:.2f}", "p50 0.5, p95 1")
    total, by_one = sum(asked.values()), sum(asked_by_one.values())
    row(
        f"calls to Temporal in 10 s, {VIEWERS:,} viewers",
        str(total),
        f"1 viewer {by_one} {asked_by_one}",
        f"{total / max(by_one, 1):.2f}",
        "<= 1.2",
    )
    whole = stand.get(f"/releases/{thousand}/hierarchy", **{"HX-Request": "true"})
    size = len(whole.text)  # type: ignore[attr-defined]
    row(
        "bytes per viewer for that change",
        str(found["bytes"]),
        f"whole tree fragment {size:,}",
        f"{found['bytes'] / size:.3f}",
        "<= 0.05",
    )


def quiet(stand: Stand) -> None:
    """Ten watched releases in which nothing happens."""
    ids = [stand.release(f"quiet-{number}", 1_000, "awaiting_approval") for number in range(10)]
    looking = [Load("viewers", f"{stand.base}/releases/{one}", stand.cookie, "--clients", "1") for one in ids]
    for each in looking:
        each.ready()
    time.sleep(5)
    before, used = stand.calls(), stand.processor_seconds()
    time.sleep(QUIET_SECONDS)
    asked, used = stand.asked(before), stand.processor_seconds() - used
    for each in looking:
        each.end()
    row(f"10 quiet releases, queries in {QUIET_SECONDS} s", str(asked["QueryWorkflow"]), f"{asked}", "", "0")
    row("their processor time", f"{100 * used / QUIET_SECONDS:.1f} %", "of one core", "", "< 5 %")


def cost_of_changes(stand: Stand, release_id: str) -> float:
    """The dashboard's processor time for one change that one viewer sees, in seconds."""
    looking = Load("viewers", f"{stand.base}/releases/{release_id}?open=cluster:c0", stand.cookie, "--clients", "1")
    looking.ready()
    time.sleep(3)
    quiet_before = stand.processor_seconds()
    time.sleep(5)
    rest = stand.processor_seconds() - quiet_before
    before = stand.processor_seconds()
    for number in range(5):
        stand.change(release_id, "deployed" if number % 2 else "verifying")
        time.sleep(2)
    used = stand.processor_seconds() - before - 2 * rest
    looking.end()
    return used / 5


def sizes(stand: Stand, thousand: str) -> None:
    """What a change of one app costs in a release of 7,000 entities beside one of 1,000."""
    large = stand.release("seven", 7_000)
    small_cost, large_cost = cost_of_changes(stand, thousand), cost_of_changes(stand, large)
    row(
        "processor time per change, 7,000 entities",
        f"{1000 * large_cost:.0f} ms",
        f"1,000 entities {1000 * small_cost:.0f} ms",
        f"{large_cost / max(small_cost, 0.001):.1f}",
        "<= 8",
    )


def main() -> None:
    """Start everything, print the table, stop everything."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stand = Stand(stack, folder)
        for number in range(20):
            stand.release(f"small-{number}", 25)
        thousand = stand.release("thousand", 1_000)
        stand.get(f"/releases/{thousand}")
        print(f"{'what':<52} {'figure':>14}   {'beside':<34} {'ratio':>9}   must be")
        rates(stand, thousand)
        changes(stand, thousand)
        quiet(stand)
        sizes(stand, thousand)


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)
