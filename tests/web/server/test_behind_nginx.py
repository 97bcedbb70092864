"""Two servers behind nginx, which asks them in turn, with one PostgreSQL: nobody is told less than they have seen."""

import http.client
from collections.abc import Iterator
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import pytest

from dashboard.auth.accounts import Accounts
from tests.support.every_page import ANSWERS
from tests.support.harness import CHEAP, EMAIL, PASSWORD, UNHURRIED, Stage
from tests.support.nginx import round_robin
from tests.support.postgres import Postgres
from tests.support.rollout_makers import hierarchy
from tests.support.served import Listener, serving
from tests.support.waiting import eventually


class Viewer:
    """A script that asks through the proxy, and says as of when the newest is that it has seen."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.replicas: set[str] = set()
        self._headers: dict[str, str] = {}
        form = urlencode({"username": EMAIL, "password": PASSWORD})
        _, headers, _ = self._ask("POST", "/login", form, **{"Content-Type": "application/x-www-form-urlencoded"})
        self._headers = {"Cookie": headers["Set-Cookie"].partition(";")[0]}
        self.seen = ""

    def _ask(self, method: str, path: str, body: str | None = None, **headers: str) -> tuple[int, Any, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, self._headers | headers)
            answer = connection.getresponse()
            self.replicas.add(answer.headers["X-Replica"])
            return answer.status, answer.headers, answer.read().decode()
        finally:
            connection.close()

    def ask(self, path: str, tag: str = "") -> tuple[int, str, str]:
        """The status, the tag and the text of an answer that is no older than what was seen before."""

        def answered() -> tuple[int, Any, str] | None:
            found = self._ask("GET", path, **({"As-Of": self.seen} if self.seen else {}), **{"If-None-Match": tag})
            # It says that it is behind, and would be asked again.
            return None if found[0] == 503 else found

        status, headers, text = eventually(answered)
        assert headers["As-Of"] >= self.seen
        self.seen = headers["As-Of"]
        return status, headers["ETag"], text

    def listen(self, path: str) -> Listener:
        """The news of a page, from whichever replica has its turn."""
        return Listener(SimpleNamespace(port=self.port), path, **self._headers)


@pytest.fixture
def viewer(postgres: Postgres, stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Viewer]:
    url = postgres.emptied()
    accounts = Accounts(url, CHEAP, UNHURRIED)
    accounts.add(EMAIL, PASSWORD)
    accounts.close()
    environment = {"DATABASE_URL": url, "SECRET_KEY": "k" * 32, "TRUSTED_PROXIES": "1"}
    environment |= {"RELEASE_FILTER": f"WorkflowId STARTS_WITH '{stage.prefix}'"}
    with ExitStack() as stack:
        folders = [tmp_path_factory.mktemp(name) for name in ("one", "other")]
        ports = [stack.enter_context(serving(each, stage.address, **environment)).port for each in folders]
        yield Viewer(stack.enter_context(round_robin(tmp_path_factory.mktemp("nginx"), ports)))


def test_a_change_that_was_seen_or_heard_of_is_seen_whichever_replica_is_asked_next(viewer: Viewer, stage: Stage):
    release = stage.start("r", ANSWERS)
    path = f"/api/releases/{release}/hierarchy"
    eventually(lambda: viewer.ask(path)[0] == 200)
    listener = viewer.listen(f"/releases/{release}")
    assert listener.status == 200
    for state in ("deployed", "failed", "deploying", "failed", "deployed"):
        tag = viewer.ask(path)[1]
        stage.tell(release, {"get_hierarchy": hierarchy(state=state), "get_release_state": hierarchy(state=state)})
        while (listener.event() or pytest.fail("the stream has ended"))[0] not in {"changed", "rows"}:
            pass
        # Of a change, its version and its moment are told; of rows, what they lead from comes first.
        viewer.seen = max(viewer.seen, listener.data[1])
        for _ in range(2):
            status, _, text = viewer.ask(path, tag)
            assert (status, f'"state":"{state}"' in text.replace(" ", "")) == (200, True)
    listener.close()
    assert len(viewer.replicas) == 2
