"""What is attacked: `serve` with its accounts on one of the databases, a Temporal, and those who look on."""

import http.client
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from dashboard.auth.accounts import Accounts
from dashboard.settings.model import Settings, load_settings
from tests.support.served import Served, serving

PASSWORD = "correct horse battery"
VIEWERS = 20
# Short, so that all of it takes two minutes; the other bounds are those that a dashboard has by itself.
CHOSEN = {"REQUEST_TIMEOUT": "2", "RESPONSE_TIMEOUT": "2", "SECRET_KEY": "k" * 32, "LOG_LEVEL": "ERROR"}


class Stand:
    """A dashboard, two users who attack, and viewers."""

    def __init__(self, served: Served, settings: Settings, folder: Path) -> None:
        self.served, self.port, self.settings = served, served.port, settings
        self._addresses = count(1_000)
        self.cookie = self._login("attacker@example.com")
        file = folder / "cookies"
        file.write_text("\n".join(self._login(f"viewer-{number}@example.com") for number in range(VIEWERS)))
        argv = [sys.executable, "-m", "tests.attack.bystanders", str(self.port), str(file)]
        self._bystanders = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def measured(self) -> dict[str, Any]:
        """What those who look on have had since this was asked last."""
        assert self._bystanders.stdin
        assert self._bystanders.stdout
        self._bystanders.stdin.write("\n")
        self._bystanders.stdin.flush()
        found: dict[str, Any] = json.loads(self._bystanders.stdout.readline())
        return found

    def processor_seconds(self) -> float:
        """What the dashboard has used so far, of all its threads."""
        tasks = Path(f"/proc/{self.served.process.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9

    def address(self) -> str:
        """Another address of this machine, from which nobody has failed to log in."""
        number = next(self._addresses)
        return f"127.1.{number // 250}.{number % 250 + 1}"

    def takes_json(self) -> list[tuple[str, str]]:
        """The methods and paths that take JSON, by the API's own document."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("GET", "/api/openapi.json", headers={"Cookie": self.cookie})
        paths = json.loads(connection.getresponse().read())["paths"]
        connection.close()
        found = [(method, path) for path, item in paths.items() for method in item if "requestBody" in item[method]]
        return [(method.upper(), re.sub(r"\{\w+\}", "x", path)) for method, path in found]

    def close(self) -> None:
        """Send the bystanders home."""
        self._bystanders.kill()
        self._bystanders.wait()

    def _login(self, email: str) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        form, sent = urlencode({"username": email, "password": PASSWORD}), "application/x-www-form-urlencoded"
        connection.request("POST", "/login", form, {"Content-Type": sent})
        cookie = connection.getresponse().headers["Set-Cookie"].partition(";")[0]
        connection.close()
        return cookie


@contextmanager
def standing(folder: Path, temporal: str, database: str) -> Iterator[Stand]:
    """A dashboard whose accounts are in this database, as it starts by itself but for short deadlines."""
    chosen = CHOSEN | {"DATABASE_URL": database, "DASHBOARD_ENV_FILE": os.devnull, "DATA_DIR": str(folder / "data")}
    accounts = Accounts(database)
    accounts.upgrade()
    for name in ("attacker", *(f"viewer-{number}" for number in range(VIEWERS))):
        accounts.ensure(f"{name}@example.com", PASSWORD)
    accounts.close()
    with serving(folder, temporal, **chosen) as served:
        stand = Stand(served, load_settings(chosen), folder)
        try:
            yield stand
        finally:
            stand.close()
