"""Runs the dashboard on granian, a WSGI server that slow clients cannot block and that drains when it is stopped."""

from collections.abc import Callable

import click
from flask import Flask
from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server import Server

from dashboard import ports
from dashboard.live.seats import SEATS

# A page waits for Temporal, not for the processor: more threads than cores are of use. At most SEATS of them wait.
THREADS = SEATS + 8
BACKLOG = 512
DRAIN_SECONDS = 5


def serve(make_app: Callable[[], Flask], host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT, then answer what is under way and return.

    The app is made once here, so that settings that it refuses stop the start, and again in the process that serves.
    Raises what `make_app` raises, or PortRefused, before anything listens; SystemExit if the serving process dies.
    """
    address = ports.check(host, port)
    make_app()
    server = Server(
        "dashboard",
        address=address,
        port=port,
        interface=Interfaces.WSGI,
        blocking_threads=THREADS,
        backlog=BACKLOG,
        websockets=False,
        # Its own lines are about its processes; at a lower level it warns of THREADS at every start.
        log_level=LogLevels.error,
        workers_kill_timeout=DRAIN_SECONDS,
    )
    shown = f"[{host}]" if ":" in host else host
    server.on_startup(lambda: click.echo(f"Serving on http://{shown}:{port}"))
    server.serve(target_loader=make_app, wrap_loader=False)
