"""The commands `release-dashboard releases`, `show` and `wait`."""

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
from dashboard.client.api import (
    ApiClient,
    ApiResponse,
    ClientError,
    DashboardUnreachable,
    NoSuchResource,
    RetryableError,
)
from dashboard.client.drawing import (
    cause_text,
    has_failed_parts,
    list_lines,
    overall_phase,
    stale_line,
    tree_lines,
)
from dashboard.client.screen import JsonLines, LiveScreen
from dashboard.client.terminal import Terminal, safe_json, single_line
from dashboard.web.url_ids import escape_id

# The exit status for each phase in which a release may end. 2 is wrong use, 7 that it could not be found out.
EXIT_STATUS_BY_PHASE = {"succeeded": 0, "failed": 1, "cancelled": 3, "terminated": 4, "timed_out": 5}
# The final statuses in Temporal: a release that continued as new is not final.
FINAL_STATUSES = frozenset({"COMPLETED", "FAILED", "CANCELED", "TERMINATED", "TIMED_OUT"})
# For any other phase, and where what was waited for did not come.
OTHER_EXIT_STATUS = 6
# For a release that succeeded while parts of it failed, whatever else was waited for.
PARTS_FAILED_EXIT_STATUS = 8
INTERRUPTED_EXIT_STATUS = 130
# How often it is looked whether anything is new, in seconds; most of that is answered by 304.
POLL_INTERVAL_SECONDS = 1.0
# Seconds that one request waits: proxies commonly close what says nothing for a minute.
LONG_POLL_SECONDS = 50


class ClientCommand(click.Command):
    """A command with a message and an exit status for every outcome."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command."""
        if isinstance(sys.stdout, TextIOWrapper):
            # Names may have characters that the terminal has not.
            sys.stdout.reconfigure(errors="replace")
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED_EXIT_STATUS)
        except (KeyError, TypeError, ValueError) as exc:
            raise ClientError(
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
    page = ApiClient.from_environment().get("/releases", {name: value for name, value in given.items() if value}).page
    click.echo(safe_json(page) if as_json else "\n".join(list_lines(page, Terminal.now())))


@command()
@release_argument
@click.option("--watch", is_flag=True, help="Update until the release ends. The exit status depends on its phase.")
@json_option
def show(release: str, watch: bool, as_json: bool) -> None:
    """Show a release as a tree."""
    api = ApiClient.from_environment()
    path, answer = _first(api, [f"{path}/hierarchy" for path in _paths(release)])
    if watch:
        sys.exit(_watch(api, path, answer, JsonLines() if as_json else LiveScreen()))
    page = answer.page
    terminal = Terminal.now()
    # What scrolls has room for every row.
    shown = "\n".join(tree_lines(page, Terminal(terminal.colour, columns=terminal.columns)))
    click.echo(safe_json(page) if as_json else shown)


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
    page = _wait(ApiClient.from_environment(), paths, ",".join(phase), began + timeout)
    if as_json:
        click.echo(safe_json(page))
    else:
        awaited, why = ("", "") if page["reached"] else (f", not {' or '.join(phase)}", cause_text(page))
        said = f"{single_line(page['id'])}: {overall_phase(page)}{awaited}, after {round(time.monotonic() - began)} s"
        click.echo("\n".join([*stale_line(page, Terminal()), said, *filter(None, [why])]))
    if has_failed_parts(page):
        sys.exit(PARTS_FAILED_EXIT_STATUS)
    if not page["reached"]:
        sys.exit((EXIT_STATUS_BY_PHASE.get(page["phase"]) if _has_ended(page) else None) or OTHER_EXIT_STATUS)


def _paths(release: str) -> list[str]:
    """Return the possible paths of a release, with or without `release:`."""
    ids = [release] if ":" in release else [release, f"release:{release}"]
    return [f"/releases/{escape_id(each)}" for each in ids]


def _first(api: ApiClient, paths: Sequence[str]) -> tuple[str, ApiResponse]:
    """Return the first existing path with its response; raises NoSuchResource."""
    *others, last = paths
    for path in others:
        with suppress(NoSuchResource):
            return path, api.get(path)
    return last, api.get(last)


def _has_ended(page: Mapping[str, Any]) -> bool:
    """Return whether a release is known to have ended."""
    return not page["stale"] and page["status"] in FINAL_STATUSES


def _wait(api: ApiClient, paths: Sequence[str], phases: str, until: float) -> Mapping[str, Any]:
    """Wait for a release and return the final response, retrying while the server is unavailable."""
    known = False
    path, *others = paths
    while True:
        left = max(until - time.monotonic(), 0.0)
        seconds = min(max(ceil(left), 1), LONG_POLL_SECONDS)
        try:
            page = api.get(path, {"phase": phases, "timeout": str(seconds)}, waiting=seconds).page
        except NoSuchResource:
            if not others:
                raise
            path = others.pop(0)
            continue
        except RetryableError as exc:
            # Report a wrong address immediately; a known dashboard may be unavailable for a while.
            if left <= exc.again or (isinstance(exc, DashboardUnreachable) and not known):
                raise
            known = True
            time.sleep(exc.again)
            continue
        known = True
        if page["reached"] or _has_ended(page) or time.monotonic() >= until:
            return page


def _watch(api: ApiClient, path: str, answer: ApiResponse, tell: Callable[[Mapping[str, Any]], None]) -> int:
    """Show a release until it ends, starting with a first response; return the exit status of its phase."""
    page, pause = answer.page, POLL_INTERVAL_SECONDS
    tell(page)
    while not _has_ended(page):
        time.sleep(pause)
        try:
            answer = api.get(path, known=answer)
            page, pause = answer.page, POLL_INTERVAL_SECONDS
        except RetryableError as exc:
            page = {**answer.page, "stale": True, "reason": {"message": exc.message}}
            pause = max(exc.again, POLL_INTERVAL_SECONDS)
        tell(page)
    return (
        PARTS_FAILED_EXIT_STATUS
        if has_failed_parts(page)
        else EXIT_STATUS_BY_PHASE.get(page["phase"], OTHER_EXIT_STATUS)
    )
