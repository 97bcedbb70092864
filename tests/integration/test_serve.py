"""`release-dashboard serve` as a process: it answers without Temporal, and ends when it is told to."""

import http.client
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboard import ports
from tests.waiting import eventually


class Served:
    """A dashboard in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.port = ports.find_free()
        argv = [sys.executable, "-P", "-m", "dashboard.cli", "serve", "--port", str(self.port)]
        env = os.environ | {"DATA_DIR": str(folder / "data"), "TEMPORAL_ADDRESS": "127.0.0.1:1"}
        self.log = folder / "serve.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(argv, cwd=folder, env=env, stdout=log, stderr=log)
        eventually(lambda: ports.answers(self.port, "/health") or self.process.poll() is not None, 60)
        assert self.process.poll() is None, self.log.read_text()

    def end(self) -> int:
        """Tell it to end; return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    served = Served(tmp_path)
    yield served
    if served.process.poll() is None:
        served.end()


def test_it_says_where_and_answers_without_temporal(served: Served) -> None:
    assert served.log.read_text() == f"Serving on http://127.0.0.1:{served.port}\n"
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=30)
    connection.request("GET", "/login")
    assert connection.getresponse().status == 200
    connection.close()


def test_it_ends_well_although_a_client_is_slow(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.port)) as slow:
        slow.sendall(b"GET /login HTTP/1.1\r\nHost:")
        assert served.end() == 0
    assert not ports.answers(served.port, "/health")


def test_a_port_that_it_listens_on_is_busy(served: Served) -> None:
    with pytest.raises(ports.PortBusy):
        ports.check("127.0.0.1", served.port)
