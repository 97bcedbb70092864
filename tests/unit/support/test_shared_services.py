"""One of something for several processes."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

USE = """
import sys
from contextlib import contextmanager
from pathlib import Path
from tests.support.shared_services import shared

place = Path(sys.argv[1])

@contextmanager
def started():
    with place.with_suffix(".log").open("a") as log:
        print("started", file=log, flush=True)
        yield "where it is"
        print("ended", file=log, flush=True)

with shared(place, started) as said:
    print(said, flush=True)
    sys.stdin.read()
"""


@contextmanager
def user(place: Path) -> Iterator["subprocess.Popen[str]"]:
    """A process that uses it until it is told to end."""
    argv = [sys.executable, "-c", USE, str(place)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "where it is\n"
        yield process


def test_it_is_started_once_and_ended_by_who_started_it_when_the_last_has_gone(tmp_path: Path):
    place, log = tmp_path / "it", tmp_path / "it.log"
    with user(place) as first:
        with user(place):
            assert first.stdin
            first.stdin.close()
            with user(place):
                assert log.read_text() == "started\n"
            assert first.poll() is None
        assert first.wait(60) == 0
    assert log.read_text() == "started\nended\n"


def test_who_comes_after_the_last_has_gone_starts_it_anew(tmp_path: Path):
    place, log = tmp_path / "it", tmp_path / "it.log"
    for _ in range(2):
        with user(place):
            pass
    assert log.read_text() == "started\nended\n" * 2
