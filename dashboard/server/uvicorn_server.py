"""Run the dashboard on uvicorn with graceful shutdown."""

import asyncio
import gc
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from functools import partial
from types import FrameType

import click
import structlog
import uvicorn
import uvloop
from flask import Flask

from dashboard.concurrency.bulkhead import BULKHEAD_SIZE
from dashboard.database.url_masking import SecretMask
from dashboard.server import ports
from dashboard.server.asgi import AsgiDashboard
from dashboard.server.bounded_http import BoundedHttp
from dashboard.server.connections import ConnectionRegistry
from dashboard.server.limits import ConnectionLimits, limit_connections, raise_file_limit
from dashboard.web.services import services
from dashboard.web.static_files import compile_templates

# A page waits for Temporal, not for the processor: more threads than cores are of use. At most BULKHEAD_SIZE wait.
SERVER_THREADS = BULKHEAD_SIZE + 8
LISTEN_BACKLOG = 2_048
# Longer than proxies keep a connection for the next request, so that it is they who close it.
IDLE_CONNECTION_SECONDS = 75
# How long `/ready` says that this process goes while it still takes everything: balancers ask about once a second.
DRAIN_NOTICE_SECONDS = 1.0
# After that, what is in progress has this long to finish.
DRAIN_SECONDS = 20


def serve(make_app: Callable[[], Flask], host: str, port: int, bounds: ConnectionLimits | None = None) -> None:
    """Serve until SIGTERM or SIGINT, then finish requests in progress and exit.

    Raises what `make_app` raises, or PortUnavailable, before listening; SystemExit if the port is taken.
    """
    address = ports.check_port(host, port)
    app = make_app()
    _capture_library_logs(services(app).mask)
    compile_templates(app)
    bounds = limit_connections(bounds or ConnectionLimits(), raise_file_limit())
    # What the app is made of stays for good: left out of collections, which would hold up every answer for 60 ms.
    gc.collect()
    gc.freeze()
    shown = f"[{host}]" if ":" in host else host
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run_server(app, address, port, bounds, f"Serving on http://{shown}:{port}"))
        # A process that has used Temporal's client may crash in the interpreter's own shutdown, after all is done.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


async def _run_server(app: Flask, address: str, port: int, bounds: ConnectionLimits, greeting: str) -> None:
    dashboard = AsgiDashboard(
        app,
        services(app).live,
        services(app).accounts.change_token,
        threads=SERVER_THREADS,
        proxies=bounds.proxies,
        max_requests_each=bounds.connections_per_address,
    )
    connections = ConnectionRegistry(bounds)
    config = uvicorn.Config(
        dashboard,
        host=address,
        port=port,
        # It takes any class, or what makes one.
        http=partial(BoundedHttp, connections),  # type: ignore[arg-type]
        ws="none",
        lifespan="off",
        backlog=LISTEN_BACKLOG,
        log_config=None,
        access_log=False,
        server_header=False,
        # The app reads them itself, from as many proxies as the settings trust.
        proxy_headers=False,
        timeout_keep_alive=IDLE_CONNECTION_SECONDS,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    watch = asyncio.create_task(connections.watch())
    await _Server(config, services(app).draining, dashboard.end_streams, greeting).serve()
    watch.cancel()


class _Server(uvicorn.Server):
    """Announces shutdown for a moment before it stops accepting requests."""

    def __init__(
        self, config: uvicorn.Config, draining: threading.Event, end_streams: Callable[[], None], greeting: str
    ) -> None:
        super().__init__(config)
        self._draining = draining
        self._end_streams = end_streams
        self._greeting = greeting
        self._loop = asyncio.get_running_loop()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and print the address."""
        await super().startup(sockets)
        click.echo(self._greeting)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Drain on the first signal, stop immediately on the second."""
        if self._draining.is_set():
            self.should_exit = self.force_exit = True
        self._draining.set()
        # With Ctrl-C, there is no load balancer to notify.
        notice = 0.0 if sig == signal.SIGINT else DRAIN_NOTICE_SECONDS
        self._loop.call_soon_threadsafe(self._loop.call_later, notice, self._stop)

    def _stop(self) -> None:
        self._end_streams()
        self.should_exit = True


def _capture_library_logs(mask: SecretMask) -> None:
    """Write warnings of libraries to the structured log as JSON lines."""
    written = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=(structlog.stdlib.add_log_level, structlog.processors.TimeStamper(fmt="iso", utc=True)),
        processors=(
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            mask,
            structlog.processors.JSONRenderer(),
        ),
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(written)
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    logging.captureWarnings(capture=True)
    # What is no request is refused, and says nothing of this server: strangers could fill the log with it.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
