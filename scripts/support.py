"""What the scripts share: a Temporal with rollouts, and the dashboard's environment with users who may sign in."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent
PASSWORD = "correct horse battery"
ADMIN = "ada@example.com"
VIEWER = "rita@example.com"
START_SECONDS = 240.0


def eventually(done: Callable[[], object]) -> None:
    """Wait until something is so; raise TimeoutError if that takes too long."""
    end = time.monotonic() + START_SECONDS
    while not done():
        if time.monotonic() > end:
            raise TimeoutError(f"Not done after {START_SECONDS:g} s")
        time.sleep(0.2)


@contextmanager
def running(log: Path, *argv: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that writes to this log, and is ended with the context."""
    with log.open("wb") as out:
        process = subprocess.Popen(argv, env=os.environ | environment, stdout=out, stderr=out)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def temporal(folder: Path) -> Iterator[str]:
    """The address of an embedded Temporal, which keeps its state in memory."""
    beside, port = Path(sys.executable).with_name("temporal"), free_port()
    argv = [str(beside) if beside.exists() else "temporal", "server", "start-dev", "--ip", "127.0.0.1", "--headless"]
    argv += ["--log-level", "error", "--disable-config-file", "--port", str(port), "--http-port", str(free_port())]
    with running(folder / "temporal.log", *argv) as process:
        eventually(lambda: answers(port) or process.poll() is not None)
        yield f"127.0.0.1:{port}"


@contextmanager
def worker(folder: Path, address: str, ready: str, *argv: str) -> Iterator[None]:
    """A worker, a Python program in a process of its own, that has said that it is `ready`."""
    log = folder / "worker.log"
    settings = {"TEMPORAL_ADDRESS": address, "TEMPORAL_CONFIG_FILE": os.devnull}
    with running(log, sys.executable, "-m", *argv, **settings) as process:
        eventually(lambda: ready in log.read_text().split() or process.poll() is not None)
        if process.poll() is not None:
            raise RuntimeError(log.read_text())
        yield


def prepare(folder: Path, address: str, **settings: str) -> None:
    """Set the environment of a dashboard with its data in this folder, and add an admin and a viewer."""
    for name in [name for name in os.environ if name.startswith("TEMPORAL_")]:
        del os.environ[name]
    os.environ |= {
        "DASHBOARD_ENV_FILE": os.devnull,
        "DATA_DIR": str(folder / "data"),
        "SECRET_KEY": "k" * 32,
        "LOG_LEVEL": "ERROR",
        "TEMPORAL_ADDRESS": address,
        "TEMPORAL_CONFIG_FILE": os.devnull,
        "TEMPORAL_TIMEOUT": "20",
        **settings,
    }
    release_dashboard("db", "upgrade")
    release_dashboard("users", "add", ADMIN, "--password-stdin", "--name", "Ada", "--admin")
    release_dashboard("users", "add", VIEWER, "--password-stdin", "--name", "Rita")


def release_dashboard(*argv: str) -> None:
    """Run the command in a process of its own; one that asks for a password gets it."""
    command = [sys.executable, "-m", "dashboard.cli", *argv]
    subprocess.run(command, input=f"{PASSWORD}\n", text=True, check=True, stdout=subprocess.DEVNULL)


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def answers(port: int) -> bool:
    """Whether somebody listens on a port of this machine."""
    with socket.socket() as asked:
        return asked.connect_ex(("127.0.0.1", port)) == 0
