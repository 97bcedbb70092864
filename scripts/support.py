"""What the scripts share: a Temporal with rollouts, and the dashboard's environment with users who may sign in."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dashboard.demo.children import spawn_process, stop_processes
from dashboard.demo.server import EmbeddedTemporal

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
def temporal(folder: Path) -> Iterator[str]:
    """The address of an embedded Temporal."""
    with EmbeddedTemporal(log=folder / "temporal.log") as server:
        yield server.address


@contextmanager
def worker(folder: Path, address: str, ready: str, *argv: str) -> Iterator[None]:
    """A worker, a Python program in a process of its own, that has said that it is `ready`."""
    log = folder / "worker.log"
    env = os.environ | {"TEMPORAL_ADDRESS": address, "TEMPORAL_CONFIG_FILE": os.devnull}
    child = spawn_process("worker", [sys.executable, "-m", *argv], env=env, log=log)
    try:
        eventually(lambda: ready in log.read_text().split() or not child.alive)
        child.check()
        yield
    finally:
        stop_processes([child], 5)


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
