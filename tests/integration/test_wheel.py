"""A built wheel in an empty environment, run from an empty folder, serves the pages with their styles."""

import os
import re
import subprocess
import sys
import tarfile
import urllib.error
import urllib.request
import zipfile
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from dashboard.demo.children import spawn_process, stop_processes
from dashboard.server import ports
from tests.support.waiting import eventually

ROOT = Path(__file__).parents[2]
# The one that runs the tests: the empty environment needs none. What is never imported need not be compiled.
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet"]


def run(*argv: str | Path, cwd: Path) -> None:
    done = subprocess.run([str(word) for word in argv], cwd=cwd, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stdout + done.stderr


def link_what_is_locked(packages: Path) -> None:
    """Put what the lock file names, and nothing else, into this folder as it is installed here: with those hashes."""
    lines = re.findall(r"^(\S+==[^\\]+?) \\$", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    for requirement in map(Requirement, lines):
        if requirement.marker and not requirement.marker.evaluate():
            continue
        installed = metadata.distribution(requirement.name)
        assert requirement.specifier.contains(installed.version, prereleases=True), requirement
        for file in installed.files or ():
            if ".." not in file.parts:
                (packages / file).parent.mkdir(parents=True, exist_ok=True)
                (packages / file).symlink_to(file.locate())


def fetch(url: str) -> tuple[int, str, str]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.headers.get_content_type(), answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers.get_content_type(), error.read().decode()


def answers(url: str) -> bool:
    try:
        return fetch(url)[0] == 200
    except OSError:
        return False


def test_what_is_distributed_has_the_licence_and_says_that_it_is_typed(tmp_path: Path):
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", tmp_path, ROOT, cwd=tmp_path)
    (wheel,), (sdist,) = tmp_path.glob("*.whl"), tmp_path.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (described,) = [name for name in names if name.endswith(".dist-info/METADATA")]
        assert "License-Expression: MIT\n" in archive.read(described).decode()
    assert "dashboard/py.typed" in names
    assert described.replace("METADATA", "licenses/LICENSE") in names
    with tarfile.open(sdist) as archive:
        files = {name.partition("/")[2] for name in archive.getnames()}
    assert {"LICENSE", "CHANGELOG.md", "README.md", "pyproject.toml", "dashboard/py.typed"} <= files


def test_the_wheel_serves_pages_with_their_styles(tmp_path: Path):
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path, ROOT, cwd=tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    run(sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv", cwd=tmp_path)
    python = tmp_path / "venv" / "bin" / "python"
    (packages,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    link_what_is_locked(packages)
    # Without an index: what it depends on has to be there.
    run(*PIP, "--python", python, "install", "--no-compile", "--no-index", wheel, cwd=tmp_path)
    empty = tmp_path / "empty"
    empty.mkdir()
    port = ports.find_free_port()
    command = [str(python.with_name("release-dashboard")), "serve", "--port", str(port)]
    env = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    log = tmp_path / "serve.log"
    argv = ["/bin/sh", "-c", 'cd "$0" && exec "$@"', str(empty), *command]
    server = spawn_process("dashboard", argv, env=env | {"DATA_DIR": str(empty / "var")}, log=log)
    base = f"http://127.0.0.1:{port}"
    try:
        eventually(lambda: answers(f"{base}/health") or server.check(), 60)
        status, kind, page = fetch(f"{base}/login")
        assert (status, kind) == (200, "text/html")
        style = re.search(r'<link rel="stylesheet" href="([^"]+)"', page)
        assert style is not None
        status, kind, sheet = fetch(base + style[1])
        assert (status, kind) == (200, "text/css")
        assert "--accent" in sheet
        for script in re.findall(r'<script defer src="([^"]+)"', page):
            assert fetch(base + script)[0] == 200
    finally:
        stop_processes([server], 10)
    assert {path.name for path in empty.iterdir()} == {"var"}
