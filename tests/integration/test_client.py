"""`release-dashboard releases`, `show` and `wait`, asked of `release-dashboard serve`."""

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Self

import pytest
from click.testing import CliRunner, Result

from dashboard.cli import main
from dashboard.client.terminal import display_width
from tests.support.every_page import ANSWERS
from tests.support.harness import Stage
from tests.support.rollout_makers import hierarchy
from tests.support.served import Served, serving
from tests.support.waiting import eventually

ROWS, COLUMNS = 14, 60
ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")

Run = Callable[..., Result]


def environment(served: Served) -> dict[str, str]:
    return {"DASHBOARD_URL": f"http://127.0.0.1:{served.port}", "DASHBOARD_TOKEN": served.token()}


@pytest.fixture(scope="module")
def given(served: Served) -> dict[str, str]:
    """What a command has to be told. Nothing here ends the sessions of the user."""
    return environment(served)


@pytest.fixture
def run(given: dict[str, str]) -> Run:
    """Runs a command as a script does, with its output in a file."""

    def invoked(*args: str) -> Result:
        result = CliRunner().invoke(main, args, env=given)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return invoked


@contextmanager
def keys_heard() -> Iterator[None]:
    """Let what is started take Ctrl-C: one that a job in the background starts would not."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class Terminal:
    """A command in a terminal of its own, and all that it has written there."""

    def __init__(self, given: dict[str, str], *args: str) -> None:
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        env = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "COLUMNS", "LINES"}}
        argv = [sys.executable, "-P", "-m", "dashboard.cli", *args]
        with keys_heard():
            self.process = subprocess.Popen(argv, env=env | {"TERM": "xterm"} | given, stdout=theirs, stderr=theirs)
        os.close(theirs)
        self.written = b""
        self._reader = Thread(target=self._read, args=(ours,))
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_args: object) -> None:
        with self.process:
            self.process.kill()
        self._reader.join()

    @property
    def text(self) -> str:
        return self.written.decode(errors="replace").replace("\r\n", "\n")

    @property
    def drawings(self) -> list[str]:
        """What was drawn, one after another in the same place, without colours."""
        return [ESCAPES.sub("", drawn) for drawn in re.split(r"\x1b\[\d+F\x1b\[J", self.text)]

    def end(self) -> int:
        """The exit status, once it has ended by itself."""
        status = self.process.wait(30)
        self._reader.join()
        return status

    def _read(self, ours: int) -> None:
        while True:
            try:
                read = os.read(ours, 65_536)
            except OSError:
                break
            self.written += read
        os.close(ours)


@contextmanager
def background(given: dict[str, str], log: Path, *args: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A command that writes all that it says to a file; it has ended when the context ends."""
    argv = [sys.executable, "-P", "-m", "dashboard.cli", *args]
    with log.open("wb") as file:
        process = subprocess.Popen(argv, env=os.environ | given, stdout=file, stderr=file)
    with process:
        try:
            yield process
        finally:
            process.kill()


def test_releases_are_listed(run: Run, stage: Stage) -> None:
    release, other = stage.start("listed", ANSWERS), stage.start("other", ANSWERS)
    stage.end(other, "disk full")
    eventually(lambda: {release, other} <= set(run("releases", "-q", stage.prefix).output.split()))
    eventually(lambda: "failed" in run("releases", "-q", stage.prefix).output)
    first, second = run("releases", "-q", stage.prefix).output.splitlines()
    assert first.split()[:3] == [release, "●", "running"]
    assert second.split()[:3] == [other, "✗", "failed"]
    assert run("releases", "-q", stage.prefix, "--phase", "failed").output.split() == second.split()
    assert "1 of 2 releases" in run("releases", "-q", stage.prefix, "--limit", "1").output
    assert run("releases", "-q", f"{stage.prefix}-no").output == "No results.\n"
    found = json.loads(run("releases", "-q", stage.prefix, "--json").output)
    assert [item["id"] for item in found["items"]] == [release, other]


def test_a_release_is_shown_as_a_tree_with_every_row(run: Run, stage: Stage) -> None:
    release = stage.start("tree", ANSWERS)
    shown = run("show", release)
    assert shown.exit_code == 0
    name = release.removeprefix("release:")
    assert re.sub(r"for \d+ s", "for N s", shown.output).splitlines()[:-1] == [
        f"{name}  ● running  0/4 apps  for N s",
        "└─ one  ● running  0/4 apps",
        "   ├─ c0  ● running  0/2 apps",
        "   │  └─ web  ● running  0/2 apps",
        "   │     ├─ a0-0 (to 1.0.0)  ● running",
        "   │     └─ a0-1 (to 1.0.0)  ● running",
        "   └─ c1  ● running  0/2 apps",
        "      └─ web  ● running  0/2 apps",
        "         ├─ a1-0 (to 1.0.0)  ● running",
        "         └─ a1-1 (to 1.0.0)  ● running",
    ]
    assert re.fullmatch(r"as of \d\d:\d\d:\d\d UTC", shown.output.splitlines()[-1])
    assert run("show", name).output.partition("  for ")[0] == shown.output.partition("  for ")[0]
    assert json.loads(run("show", release, "--json").output)["waves"][0]["clusters"][0]["bundle"]["apps"]


def test_a_terminal_gets_colours_unless_they_are_not_wanted_and_lines_that_fit(
    given: dict[str, str], stage: Stage
) -> None:
    tree = hierarchy() | {"error_message": "a cause that is longer than the terminal is wide, " * 3}
    release = stage.start("wide", ANSWERS | {"get_hierarchy": tree})
    with (
        Terminal(given, "show", release) as coloured,
        Terminal(given | {"NO_COLOR": "1"}, "show", release) as plain,
    ):
        assert (coloured.end(), plain.end()) == (0, 0)
    assert "\x1b[34m  ● running" in coloured.text
    assert "\x1b" not in plain.text
    assert ESCAPES.sub("", coloured.text).splitlines()[1:-1] == plain.text.splitlines()[1:-1]
    assert max(map(display_width, plain.text.splitlines())) == COLUMNS


def test_a_release_is_watched_in_place_until_it_has_ended(given: dict[str, str], stage: Stage) -> None:
    release = stage.start("watched", ANSWERS)
    with Terminal(given, "show", release, "--watch") as terminal:
        eventually(lambda: "running" in terminal.drawings[0])
        stage.tell(release, {"get_hierarchy": hierarchy(clusters=20, state="deployed")})
        eventually(lambda: "40/40 apps" in terminal.drawings[-1])
        stage.end(release, "disk full")
        assert terminal.end() == 1
    last = terminal.drawings[-1].splitlines()
    assert "✗ failed" in last[0]
    assert "RolloutFa" in last[0], "the cause, as far as the line has room"
    for drawn in terminal.drawings:
        assert len(drawn.splitlines()) < ROWS, "more would scroll away what is drawn over"
        assert max(map(display_width, drawn.splitlines())) <= COLUMNS
    heights = [len(drawn.splitlines()) for drawn in terminal.drawings]
    assert [int(up) for up in re.findall(r"\x1b\[(\d+)F", terminal.text)] == heights[:-1]


def test_in_a_file_watching_writes_a_line_when_the_release_has_moved(
    given: dict[str, str], stage: Stage, tmp_path: Path
) -> None:
    release = stage.start("logged", ANSWERS)
    log, told = tmp_path / "log", tmp_path / "json"
    with background(given, log, "show", release, "--watch") as watching:
        eventually(lambda: "running  0/4 apps" in log.read_text())
        with background(given, told, "show", release, "--watch", "--json") as as_json:
            stage.tell(release, {"get_hierarchy": hierarchy(state="deployed")})
            eventually(lambda: "running  4/4 apps" in log.read_text())
            stage.end(release, "well")
            assert (watching.wait(30), as_json.wait(30)) == (0, 0)
    lines = [line.partition("  ")[2].partition("  ")[2] for line in log.read_text().splitlines()]
    assert lines[0] == "running  0/4 apps"
    assert lines[-1] == "succeeded  4/4 apps"
    assert len(lines) == len(set(lines))
    assert json.loads(told.read_text().splitlines()[-1])["phase"] == "succeeded"


def test_watching_ends_by_a_key_press_with_a_status_of_its_own(given: dict[str, str], stage: Stage) -> None:
    with Terminal(given, "show", stage.start("left", ANSWERS), "--watch") as terminal:
        eventually(lambda: "running" in terminal.text)
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.end() == 130
    assert "Traceback" not in terminal.text


@pytest.mark.parametrize(
    ("how", "phase", "status", "said"),
    [
        ("well", "succeeded", 0, "succeeded, after"),
        ("disk full", "succeeded", 1, "failed, not succeeded, after"),
        ("disk full", "failed", 0, "failed, after"),
        ("well", "failed", 6, "succeeded, not failed, after"),
        ("cancel", "succeeded", 3, "cancelled, not succeeded, after"),
        ("terminate", "succeeded", 4, "terminated, not succeeded, after"),
    ],
)
def test_waiting_ends_with_a_status_that_tells_the_phase(
    run: Run, stage: Stage, how: str, phase: str, status: int, said: str
) -> None:
    release = stage.start("waited", ANSWERS)
    if how in {"cancel", "terminate"}:
        stage.on(release, lambda handle: getattr(handle, how)())
        stage.wait_until_closed(release)
    else:
        stage.end(release, how)
    result = run("wait", release, "--phase", phase)
    assert result.exit_code == status
    assert result.output.startswith(f"{release}: {said} ")
    assert ("disk full" in result.output) == (how == "disk full" and phase == "succeeded")


def test_a_release_that_succeeded_with_failed_parts_has_a_status_of_its_own(run: Run, stage: Stage) -> None:
    tree = hierarchy(clusters=1, apps=3, state="deployed") | {"state": "completed"}
    tree["waves"][0]["clusters"][0]["bundle"]["apps"][1]["state"] = "failed"
    release = stage.start("partly", {"get_hierarchy": tree, "get_release_state": {**tree, "waves": []}})
    stage.end(release, "well")
    waited = run("wait", release, "--phase", "succeeded")
    assert waited.exit_code == 8
    assert waited.output.startswith(f"{release}: succeeded with 1 of 3 failed")
    answer = json.loads(run("wait", release, "--json").output)
    assert (answer["reached"], answer["failed"]) == (True, 1)
    watched = run("show", release, "--watch")
    assert watched.exit_code == 8
    assert "succeeded with 1 of 3 failed" in watched.output


def test_waiting_ends_when_the_time_is_over(run: Run, stage: Stage) -> None:
    release = stage.start("slow", ANSWERS)
    result = run("wait", release, "--timeout", "1")
    assert result.exit_code == 6
    assert re.fullmatch(rf"{release}: running, not succeeded, after [1-9]\d* s\n", result.output)
    assert json.loads(run("wait", release, "--timeout", "1", "--json").output)["reached"] is False


class Stopping(BaseHTTPRequestHandler):
    """What a server says to who waits while it stops: it breaks off, and then has no time."""

    heard: list[str]

    def do_GET(self) -> None:
        self.heard.append(self.path)
        if len(self.heard) == 1:
            self.close_connection = True
            return
        self.send_response(503)
        self.send_header("Retry-After", "1")
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


def test_waiting_outlasts_a_restart_of_the_server(
    served: Served, given: dict[str, str], stage: Stage, temporal_address: str, tmp_path: Path
) -> None:
    release, log, heard = stage.start("restarted", ANSWERS), tmp_path / "log", list[str]()
    # The server that comes back has the accounts of the other one, and so takes its token.
    again = {"RELEASE_FILTER": "WorkflowType = 'ScriptedRelease'", "DATA_DIR": str(served.folder / "data")}
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Old", (Stopping,), {"heard": heard})) as old:
        port = old.server_address[1]
        Thread(target=old.serve_forever, args=(0.02,)).start()
        there = given | {"DASHBOARD_URL": f"http://127.0.0.1:{port}"}
        with background(there, log, "wait", release, "--timeout", "300") as process:
            eventually(lambda: len(heard) > 1)
            old.shutdown()
            old.server_close()
            # For a while nobody answers there at all.
            with serving(tmp_path, temporal_address, port=port, **again):
                stage.end(release, "well")
                assert process.wait(180) == 0
    assert log.read_text().startswith(f"{release}: succeeded, after ")


def test_nothing_that_a_rollout_says_reaches_the_terminal_as_a_command(run: Run, stage: Stage) -> None:
    tree = hierarchy()
    tree["waves"][0]["clusters"][0]["name"] = "\x1b[2Jgone\x9b31m\r\u202e"
    release = stage.start("nasty", ANSWERS | {"get_hierarchy": tree})
    stage.end(release, "\x1b]0;title\x07")
    for args in (("show", release), ("show", release, "--watch"), ("wait", release), ("releases", "-q", release)):
        output = run(*args).output
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", output), args
    assert "�[2Jgone�31m�‹U+202E›" in run("show", release).output


@pytest.mark.parametrize(
    ("wrong", "status", "said"),
    [
        ({"DASHBOARD_URL": ""}, 2, "Set DASHBOARD_URL to the address of the dashboard"),
        ({"DASHBOARD_URL": "dashboard.example.com"}, 2, "DASHBOARD_URL must be an address such as https://"),
        ({"DASHBOARD_URL": "http://rita:secret@localhost"}, 2, "DASHBOARD_URL must be an address such as https://"),
        ({"DASHBOARD_TOKEN": ""}, 2, "Set DASHBOARD_TOKEN to an API token"),
        ({"DASHBOARD_TOKEN": "a\r\nX-Other: b"}, 2, "DASHBOARD_TOKEN contains invalid characters"),
        ({"DASHBOARD_TOKEN": "wrong"}, 7, "The token in DASHBOARD_TOKEN is invalid or has expired."),
        (
            {"DASHBOARD_URL": "http://127.0.0.1:1"},
            7,
            "Cannot reach a dashboard at http://127.0.0.1:1: connection refused.",
        ),
        ({"DASHBOARD_URL": "http://nowhere.invalid"}, 7, "Cannot reach a dashboard at http://nowhere.invalid: "),
    ],
)
@pytest.mark.parametrize("command", [("releases",), ("show", "x"), ("show", "x", "--watch"), ("wait", "x")])
def test_what_goes_wrong_is_one_sentence_that_says_what_to_do(
    given: dict[str, str], wrong: dict[str, str], status: int, said: str, command: tuple[str, ...]
) -> None:
    result = CliRunner().invoke(main, command, env=given | wrong)
    assert (result.exit_code, result.stdout) == (status, "")
    assert result.stderr.startswith(f"Error: {said}")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["show", "wait"])
def test_what_the_dashboard_refuses_is_told_in_its_own_words(run: Run, stage: Stage, command: str) -> None:
    missing = run(command, f"{stage.prefix}-none")
    assert (missing.exit_code, missing.stdout) == (7, "")
    assert missing.stderr.startswith(f"Error: {stage.prefix}-none: Temporal has no release with this ID.")
    odd = run(command, "x" * 1001)
    assert odd.exit_code == 2
    assert "1,000 bytes" in odd.stderr
    assert run("wait", stage.prefix, "--phase", "done").stderr.startswith(
        "Error: phase: must be one or more of pending,"
    )


def test_tls_where_there_is_none_is_told(served: Served, given: dict[str, str]) -> None:
    over_tls = {"DASHBOARD_URL": f"https://127.0.0.1:{served.port}"}
    result = CliRunner().invoke(main, ["releases"], env=given | over_tls)
    assert result.exit_code == 7
    assert "TLS failed" in result.stderr
