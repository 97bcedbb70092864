"""What the documentation shows works as it stands there: its worker, and its commands against the sample rollouts."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboard.auth.accounts import Accounts
from dashboard.database.models import Role
from dashboard.demo.children import spawn_process, stop_processes
from dashboard.demo.samples import SAMPLES_QUERY
from dashboard.demo.stack import DEMO_EMAIL, DEMO_PASSWORD
from tests.conftest import Rollouts
from tests.support.harness import UNHURRIED, dashboard_for, logged_in, shut
from tests.support.served import Served, serving
from tests.support.waiting import eventually
from tests.test_docs import DOCS, ROOT, blocks

PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
SCRIPTS = [
    pytest.param(block, id=f"{page.stem}-{number}")
    for page in PAGES
    for number, block in enumerate(blocks("sh", page))
    if not block.startswith(("make ", "export DASHBOARD_URL"))
]
SIGN_IN = next(block for block in blocks("sh", DOCS / "api" / "index.md") if "export DASHBOARD_TOKEN" in block)


@pytest.fixture(scope="module")
def demo(rollouts: Rollouts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A dashboard with the sample rollouts and the account of the demo."""
    folder = tmp_path_factory.mktemp("docs")
    (folder / "data").mkdir()
    accounts = Accounts(f"sqlite:///{folder / 'data' / 'accounts.db'}", bounds=UNHURRIED)
    accounts.prepare()
    accounts.ensure(DEMO_EMAIL, DEMO_PASSWORD, name="Admin", role=Role.admin)
    accounts.close()
    with serving(folder, rollouts.address, RELEASE_FILTER=SAMPLES_QUERY) as served:
        yield served


def run(script: str, served: Served, folder: Path) -> str:
    """Run a block after the one that signs in, as somebody would who reads on; return what it prints."""
    here = f"http://127.0.0.1:{served.port}"
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    whole = "set -eu\n" + SIGN_IN.replace("http://127.0.0.1:8000", here) + script
    env = {**os.environ, "PATH": path, "NO_PROXY": "*"}
    done = subprocess.run(["bash", "-c", whole], cwd=folder, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_commands_work_against_the_sample_rollouts(script: str, demo: Served, tmp_path: Path):
    printed = run(script, demo, tmp_path)
    assert '"error":{' not in printed.replace(" ", ""), printed
    assert printed or list(tmp_path.iterdir())


def test_the_example_worker_is_shown_with_all_that_it_deploys(temporal_address: str, tmp_path: Path):
    (example,) = blocks("python", DOCS / "rollouts.md")
    program = tmp_path / "worker.py"
    program.write_text(example.replace("localhost:7233", temporal_address))
    log = tmp_path / "worker.log"
    worker = spawn_process("example worker", [sys.executable, str(program)], env=os.environ, log=log)
    app = dashboard_for(temporal_address, tmp_path, "WorkflowId = 'release:shop-1.4.2'")
    browser = logged_in(app)
    path = "/api/releases/release:shop-1.4.2/hierarchy"
    try:
        eventually(lambda: worker.alive and browser.get(path).status_code == 200, 60)
        eventually(lambda: browser.get(path).get_json()["phase"] == "succeeded", 60)
        tree = browser.get(path).get_json()
        assert tree["waves"][0]["clusters"][0]["bundle"]["apps"][0]["version"] == "1.4.2"
        assert tree["progress"] == {**tree["progress"], "total": 1, "succeeded": 1}
        assert [row for row in [tree, *tree["waves"]] if row["problem"]] == []
    finally:
        stop_processes([worker], 10)
        shut(app)


def test_the_commands_that_are_run_are_more_than_a_few():
    assert len(SCRIPTS) >= 6
    assert re.search(r"curl .*/wait", "\n".join(script.values[0].replace("\\\n", " ") for script in SCRIPTS))
