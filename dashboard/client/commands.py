"""`release-dashboard releases`, `show` and `wait`: a dashboard somewhere, from a terminal or a script."""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from io import TextIOWrapper
from math import ceil
from typing import Any

import click

from dashboard import __version__
from dashboard.client.api import Answer, Api, Away, Trouble, Unknown, Unreachable
from dashboard.client.drawing import cause, list_lines, not_current, overall, parts_failed, tree_lines
from dashboard.client.screen import JsonLines, Screen
from dashboard.client.terminal import Terminal, clean, one_json
from dashboard.web.converters import path_of

# The exit status for each phase in which a release may end. 2 is wrong use, 7 that it could not be found out.
STATUS = {"succeeded": 0, "failed": 1, "cancelled": 3, "terminated": 4, "timed_out": 5}
# The statuses in Temporal of what has ended for good: what continues as new goes on.
ENDED = frozenset({"COMPLETED", "FAILED", "CANCELED", "TERMINATED", "TIMED_OUT"})
# For any other phase, and where what was waited for did not come.
OTHER = 6
# For a release that succeeded while parts of it failed, whatever else was waited for.
PARTS_FAILED = 8
INTERRUPTED = 130
# How often it is looked whether anything is new, in seconds; most of that is answered by 304.
EVERY = 1.0
# Seconds that one request waits: proxies commonly close what says nothing for a minute.
AT_ONCE = 50


class ClientCommand(click.Command):
    """A command whose every end is a sentence and a status of its own."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command."""
        if isinstance(sys.stdout, TextIOWrapper):
            # Names may have characters that the terminal has not.
            sys.stdout.reconfigure(errors="replace")
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)
        except (KeyError, TypeError, ValueError) as exc:
            raise Trouble(
                f"Unexpected response for release-dashboard {__version__}. Use the dashboard's version of this command."
            ) from exc


command = partial(
    click.command, cls=ClientCommand, epilog="Requires the environment variables DASHBOARD_URL and DASHBOARD_TOKEN."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print the API response as JSON.")
release_argument = click.argument("release", metavar="RELEASE")


@command()
@click.option("-q", "--query", "q", default="", help="List releases whose ID starts with this text.")
@click.option("--phase", multiple=True, help="Phase, such as running, succeeded or failed. Repeatable.")
@click.option("--since", default="", help="Started since: a date, 24h or 7d.")
@click.option("--limit", type=click.IntRange(1, 100), default=20, show_default=True, help="Maximum number of releases.")
@json_option
def releases(q: str, phase: tuple[str, ...], since: str, limit: int, as_json: bool) -> None:
    """List releases: those in progress, then those that have ended."""
    given = {"q": q, "phase": ",".join(phase), "since": since, "page_size": str(limit)}
    page = Api.from_environment().get("/releases", {name: value for name, value in given.items() if value}).page
    click.echo(one_json(page) if as_json else "\n".join(list_lines(page, Terminal.now())))


@command()
@release_argument
@click.option("--watch", is_flag=True, help="Update until the release ends. The exit status depends on its phase.")
@json_option
def show(release: str, watch: bool, as_json: bool) -> None:
    """Show a release as a tree."""
    api = Api.from_environment()
    path, answer = _first(api, [f"{path}/hierarchy" for path in _paths(release)])
    if watch:
        sys.exit(_watch(api, path, answer, JsonLines() if as_json else Screen()))
    page = answer.page
    terminal = Terminal.now()
    # What scrolls has room for every row.
    shown = "\n".join(tree_lines(page, Terminal(terminal.colour, columns=terminal.columns)))
    click.echo(one_json(page) if as_json else shown)


@command()
@release_argument
@click.option(
    "--phase", multiple=True, default=("succeeded",), show_default=True, help="Phase to wait for. Repeatable."
)
@click.option(
    "--timeout",
    type=click.IntRange(1, 7 * 86_400),
    default=600,
    show_default=True,
    help="Maximum time to wait, in seconds.",
)
@json_option
def wait(release: str, phase: tuple[str, ...], timeout: int, as_json: bool) -> None:
    """Wait until a release is in a phase: exit status 0, or 8 if it succeeded with failed parts.

    Stop waiting as soon as the release ends in a different phase.
    """
    began = time.monotonic()
    paths = [f"{path}/wait" for path in _paths(release)]
    page = _wait(Api.from_environment(), paths, ",".join(phase), began + timeout)
    if as_json:
        click.echo(one_json(page))
    else:
        awaited, why = ("", "") if page["reached"] else (f", not {' or '.join(phase)}", cause(page))
        said = f"{clean(page['id'])}: {overall(page)}{awaited}, after {round(time.monotonic() - began)} s"
        click.echo("\n".join([*not_current(page, Terminal()), said, *filter(None, [why])]))
    if parts_failed(page):
        sys.exit(PARTS_FAILED)
    if not page["reached"]:
        sys.exit((STATUS.get(page["phase"]) if _ended(page) else None) or OTHER)


def _paths(release: str) -> list[str]:
    """Where a release may be: by its id, or by what follows `release:` in it."""
    ids = [release] if ":" in release else [release, f"release:{release}"]
    return [f"/releases/{path_of(each)}" for each in ids]


def _first(api: Api, paths: Sequence[str]) -> tuple[str, Answer]:
    """The first of these paths at which there is something, with its answer; raises Unknown."""
    *others, last = paths
    for path in others:
        with suppress(Unknown):
            return path, api.get(path)
    return last, api.get(last)


def _ended(page: Mapping[str, Any]) -> bool:
    """Whether a release has ended, as far as is known now."""
    return not page["stale"] and page["status"] in ENDED


def _wait(api: Api, paths: Sequence[str], phases: str, until: float) -> Mapping[str, Any]:
    """The answer that ends a wait. A server that goes or comes meanwhile is waited for as well."""
    known = False
    path, *others = paths
    while True:
        left = max(until - time.monotonic(), 0.0)
        seconds = min(max(ceil(left), 1), AT_ONCE)
        try:
            page = api.get(path, {"phase": phases, "timeout": str(seconds)}, waiting=seconds).page
        except Unknown:
            if not others:
                raise
            path = others.pop(0)
            continue
        except Away as exc:
            # A wrong address is told at once; one that was right may be away for a while.
            if left <= exc.again or (isinstance(exc, Unreachable) and not known):
                raise
            known = True
            time.sleep(exc.again)
            continue
        known = True
        if page["reached"] or _ended(page) or time.monotonic() >= until:
            return page


def _watch(api: Api, path: str, answer: Answer, tell: Callable[[Mapping[str, Any]], None]) -> int:
    """Tell of a release until it has ended; the exit status of its phase. The first answer is known already."""
    page, pause = answer.page, EVERY
    tell(page)
    while not _ended(page):
        time.sleep(pause)
        try:
            answer = api.get(path, known=answer)
            page, pause = answer.page, EVERY
        except Away as exc:
            page = {**answer.page, "stale": True, "reason": {"message": exc.message}}
            pause = max(exc.again, EVERY)
        tell(page)
    return PARTS_FAILED if parts_failed(page) else STATUS.get(page["phase"], OTHER)
