"""The processes of `release-dashboard demo`: Temporal, the worker of the sample rollouts, and the dashboard.

This process starts, monitors and stops them. Their data is in `<DATA_DIR>/demo`, so that the demo account and samples
never appear in a real deployment.
"""

import fcntl
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import click

from dashboard.auth.accounts import Accounts
from dashboard.database.models import Role
from dashboard.demo.children import ChildProcess, DemoError, spawn_process, stop_processes
from dashboard.demo.reload import FileWatcher
from dashboard.demo.samples import SAMPLES_QUERY
from dashboard.demo.server import EmbeddedTemporal
from dashboard.server import ports
from dashboard.settings.model import EXPECTED, Settings, SettingsError, load_settings

DEMO_EMAIL = "admin@example.com"
DEMO_PASSWORD = "admin123"  # noqa: S105 - it opens a demo that listens on this machine only

STACK_START_SECONDS = 90.0
STACK_POLL_SECONDS = 0.05
# Together less than 5 s: first those that use Temporal, then Temporal.
USERS_STOP_SECONDS = 2.5
TEMPORAL_STOP_SECONDS = 2.0


@dataclass(frozen=True)
class DemoOptions:
    """The command line options. Without `temporal_port`, a free one is used."""

    data_dir: Path
    port: int
    temporal_port: int | None = None
    fresh: bool = False
    reload: bool = False


def run_demo(options: DemoOptions) -> int:
    """Run the demo until a signal or the failure of a part; return the exit code."""
    asked_to_stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # Under nohup, the end of the terminal is not to be the end of the demo.
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda *_: asked_to_stop.set())
    try:
        ports.check_port("127.0.0.1", options.port)
        with _hold_data_dir_lock(options.data_dir) as lock:
            return DemoStack(options, lock, asked_to_stop).run()
    except ports.PortUnavailable as exc:
        _say(f"{exc}. Choose another port: PORT=9000 make demo, or release-dashboard demo --port 9000", err=True)
    except (DemoAlreadyRunning, SettingsError) as exc:
        _say(str(exc), err=True)
    return 2


class DemoAlreadyRunning(Exception):
    """The demo is already running on the same data."""


@contextmanager
def _hold_data_dir_lock(data_dir: Path) -> Iterator[int]:
    """Lock the data folder. Temporal inherits the descriptor and keeps the lock until it ends."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(data_dir / "demo.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as exc:
        text = f"DATA_DIR: got {str(data_dir)!r}. Expected: {EXPECTED['DATA_DIR']} ({exc.strerror})"
        raise SettingsError(text) from exc
    try:
        if not _lock(descriptor):
            raise DemoAlreadyRunning(f"The demo is already running with the data in {data_dir / 'demo'}")
        yield descriptor
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class DemoStack:
    """The parts of the demo. The main thread starts them and waits for signals."""

    def __init__(self, options: DemoOptions, lock: int, asked_to_stop: threading.Event) -> None:
        self._options = options
        self._asked_to_stop = asked_to_stop
        self._began = time.monotonic()
        self._folder = (options.data_dir / "demo").resolve()
        self._logs = self._folder / "logs"
        db, log = self._folder / "temporal.db", self._logs / "temporal.log"
        self._temporal = EmbeddedTemporal(port=options.temporal_port, db=db, log=log, keep=(lock,), ui=True)
        self._parts: dict[str, ChildProcess] = {}

    def run(self) -> int:
        """Start, monitor and stop all parts; return the exit code."""
        try:
            self._start()
            self._watch()
        except DemoError as exc:
            _say(f"{exc}. Stopping the demo.", err=True)
            return 1
        finally:
            stop_processes([child for name, child in self._parts.items() if name != "temporal"], USERS_STOP_SECONDS)
            self._temporal.stop(TEMPORAL_STOP_SECONDS)
        return 0

    def _start(self) -> None:
        if self._options.fresh:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._logs.mkdir(parents=True, exist_ok=True)
        self._parts["temporal"] = self._temporal.start()
        self._parts["worker"] = self._python("worker", "dashboard.demo.worker")
        # Before the dashboard starts, so that neither waits for the other's tables.
        accounts = Accounts(load_settings(self._environment()).accounts_url)
        accounts.prepare()
        accounts.ensure(DEMO_EMAIL, DEMO_PASSWORD, name="Demo", role=Role.admin)
        accounts.close()
        self._start_dashboard()
        self._wait(
            {
                f"Temporal ready on {self._temporal.address}": self._temporal.answers,
                f"Temporal UI on {self._temporal.ui_address}": self._temporal.shows,
                "Sample releases started": self._samples_started,
                "Dashboard ready": self._dashboard_answers,
            }
        )
        if not self._asked_to_stop.is_set():
            _say(
                f"\n  http://127.0.0.1:{self._options.port}\n  Sign in as {DEMO_EMAIL} with password {DEMO_PASSWORD}\n"
            )

    def _start_dashboard(self) -> None:
        port = str(self._options.port)
        self._parts["dashboard"] = self._python("dashboard", "dashboard.cli", "serve", "--port", port)

    def _python(self, name: str, module: str, *arguments: str) -> ChildProcess:
        # -P: not the current folder's modules, whatever their names.
        argv = [sys.executable, "-P", "-m", module, *arguments]
        return spawn_process(name, argv, env=self._environment(), log=self._logs / f"{name}.log")

    def _environment(self) -> dict[str, str]:
        """Return the environment without settings of the dashboard, which concern another deployment."""
        settings = {name.upper() for name in Settings.model_fields} - {"LOG_LEVEL", "DEBUG"}
        kept = {k: v for k, v in os.environ.items() if k not in settings and not k.startswith("TEMPORAL_")}
        return kept | {
            "DASHBOARD_ENV_FILE": os.devnull,
            "DATA_DIR": str(self._folder),
            "LISTEN_HOST": "127.0.0.1",
            "RELEASE_FILTER": SAMPLES_QUERY,
            "STYLEGUIDE": "true",
            "TEMPORAL_ADDRESS": self._temporal.address,
            "TEMPORAL_CONFIG_FILE": os.devnull,
            "TEMPORAL_NAMESPACE": "default",
            "TEMPORAL_UI_URL": self._temporal.ui_address,
            # The password is public. A page of another site whose name resolves to this machine would use that name.
            "TRUSTED_HOSTS": "localhost,127.0.0.1,[::1]",
        }

    def _wait(self, steps: dict[str, Callable[[], bool]]) -> None:
        """Print each step with its time when it is complete."""
        while steps:
            for child in self._parts.values():
                child.check()
            for step in [step for step, done in steps.items() if done()]:
                del steps[step]
                _say(f"{step} ({time.monotonic() - self._began:.1f} s)")
            if time.monotonic() - self._began > STACK_START_SECONDS:
                raise DemoError(
                    f"Not ready after {STACK_START_SECONDS:g} s: {', '.join(steps)}; logs are in {self._logs}"
                )
            if self._asked_to_stop.wait(STACK_POLL_SECONDS):
                return

    def _samples_started(self) -> bool:
        log = self._parts["worker"].log
        return log is not None and b"started" in log.read_bytes().splitlines()

    def _dashboard_answers(self) -> bool:
        return ports.http_answers(self._options.port, "/health")

    def _watch(self) -> None:
        files = FileWatcher() if self._options.reload else None
        while not self._asked_to_stop.wait(STACK_POLL_SECONDS):
            for name, child in self._parts.items():
                # The dashboard may crash while it is being edited: the next change restarts it.
                if not (files and name == "dashboard"):
                    child.check()
            if files and files.changed():
                self._reload()

    def _reload(self) -> None:
        began = time.monotonic()
        stop_processes([self._parts["dashboard"]], USERS_STOP_SECONDS)
        self._start_dashboard()
        dashboard = self._parts["dashboard"]
        while dashboard.alive and not self._dashboard_answers():
            if self._asked_to_stop.wait(STACK_POLL_SECONDS):
                return
        if dashboard.alive:
            _say(f"Dashboard reloaded ({time.monotonic() - began:.1f} s)")
        else:
            _say(f"The dashboard cannot start; see its log {dashboard.log}. Waiting for the next change.", err=True)


def _say(text: str, *, err: bool = False) -> None:
    # The terminal may be gone; that must not keep anything from being stopped.
    with suppress(OSError):
        click.echo(text, err=err)
