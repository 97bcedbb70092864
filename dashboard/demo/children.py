"""Child processes that end with this one and do not receive the terminal's Ctrl-C."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

# Runs before the program itself. Linux sends the signal that is asked for here when the parent dies, even by SIGKILL,
# which no handler of the parent could pass on. A `preexec_fn` would do the same after a fork of a process that may
# have threads; this asks in a process of its own. The parent may have died before the question: then there is no
# signal to come. Elsewhere there is no such thing, and only an orderly end reaches the children.
_CHILD_PRELUDE = """
import os, signal, sys
if sys.platform == "linux":
    import ctypes
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
if os.getppid() != int(sys.argv[1]):
    sys.exit("the process that wanted this one is gone")
os.execv(sys.argv[2], sys.argv[2:])
"""


class DemoError(Exception):
    """The demo cannot start or continue. The message says why and what to do."""


@dataclass(frozen=True)
class ChildProcess:
    """A process in its own session, with its log."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path | None

    @property
    def alive(self) -> bool:
        """Return whether it is running."""
        return self.process.poll() is None

    def check(self) -> None:
        """Raise DemoError if it has ended."""
        if not self.alive:
            place = f"; its log is {self.log}" if self.log else ""
            raise DemoError(f"The {self.name} has ended, with exit code {self.process.returncode}{place}")


def spawn_process(
    name: str,
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    log: Path | None = None,
    keep: Iterable[int] = (),
) -> ChildProcess:
    """Start a process, by default with this process's environment.

    `keep` are file descriptors that it keeps open. Call it in the main thread: Linux treats the end of the starting
    thread as the end of the parent.
    """
    before = [sys.executable, "-I", "-S", "-c", _CHILD_PRELUDE, str(os.getpid())]
    with open(log or os.devnull, "wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own programs
            [*before, *argv],
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=tuple(keep),
        )
    return ChildProcess(name, process, log)


def stop_processes(children: Iterable[ChildProcess], seconds: float) -> None:
    """Terminate processes together and, after `seconds`, kill those left with their children."""
    children = list(children)
    for child in children:
        if child.alive:
            child.process.terminate()
    end = time.monotonic() + seconds
    for child in children:
        with suppress(subprocess.TimeoutExpired):
            child.process.wait(max(0.0, end - time.monotonic()))
        # Its session is its process group: what it has started is in it.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.process.pid, signal.SIGKILL)
        child.process.wait()
