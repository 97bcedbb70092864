"""schemathesis makes requests of its own from the API's reference and finds no answer that it does not describe."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboard.database.models import Role
from dashboard.demo.samples import SAMPLES_QUERY
from tests.conftest import Rollouts
from tests.support.harness import EMAIL, PASSWORD
from tests.support.served import Served, account, serving

CONFIG = Path(__file__).with_name("schemathesis.toml")
SECONDS = 600

pytestmark = pytest.mark.full


@pytest.fixture
def samples_served(rollouts: Rollouts, tmp_path: Path) -> Iterator[Served]:
    """The shipped server in a process of its own, with the sample rollouts and one user."""
    account(tmp_path).close()
    # It is one user, and in more of a hurry than any.
    hurry = {"CHANGES_PER_MINUTE": "10000", "EXPORTS_PER_MINUTE": "10000"}
    with serving(tmp_path, rollouts.address, RELEASE_FILTER=SAMPLES_QUERY, **hurry) as served:
        yield served


def test_schemathesis_finds_no_failure(samples_served: Served, tmp_path: Path):
    find_no_failure(samples_served, tmp_path)


def test_schemathesis_finds_no_failure_in_what_admins_are_shown(samples_served: Served, tmp_path: Path):
    accounts = account(tmp_path)
    accounts.set_role(EMAIL, Role.admin)
    accounts.close()
    find_no_failure(samples_served, tmp_path, "--include-path", "/api/audit")


def find_no_failure(samples_served: Served, tmp_path: Path, *options: str) -> None:
    """Have schemathesis ask this server for all that the reference has, or for some of it."""
    login = json.dumps({"username": EMAIL, "password": PASSWORD})
    status, text, _ = samples_served.ask("POST", "/api/auth/login", login, **{"Content-Type": "application/json"})
    assert status == 200, text
    token = json.loads(text)["access_token"]
    reference = f"http://127.0.0.1:{samples_served.port}/api/openapi.json"
    run = subprocess.run(
        [
            *(sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()"),
            *("--config-file", str(CONFIG), "run", reference),
            *("--header", f"Authorization: Bearer {token}", "--no-color", *options),
        ],
        cwd=tmp_path,
        env=os.environ | {"DASHBOARD_TOKEN": token},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert run.returncode == 0, f"{run.stdout[-20_000:]}\n{run.stderr[-2_000:]}"
    assert "Traceback" not in samples_served.log.read_text()
