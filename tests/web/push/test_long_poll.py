"""Requests that wait for a release: what wakes them, that nothing stale counts, and what is left when they go."""

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask

from dashboard.app import create_app
from dashboard.auth.accounts import Accounts
from dashboard.concurrency.loop_thread import LoopThread
from dashboard.database.models import User
from dashboard.domain.problems import Problem, ProblemCode, SourceUnavailable
from dashboard.live.service import LiveReleases
from dashboard.live.topic import Topic
from dashboard.server.asgi import AsgiDashboard
from dashboard.settings.model import Settings
from dashboard.web.services import services
from tests.support.fake_source import FakeSource
from tests.support.waiting import in_a_loop
from tests.web.conftest import PASSWORD

DOWN = SourceUnavailable(Problem(ProblemCode.UNAVAILABLE, "Temporal cannot be reached."))
PATH = "/api/releases/release:r/wait"


class Counted(LiveReleases):
    """Counts who hears of what, and how often it was asked for a release."""

    open = 0
    asked = 0

    def subscribe(self, what: Topic, notify: Callable[[str], None]) -> Callable[[], None]:
        self.open += 1
        end = super().subscribe(what, notify)

        def ended() -> None:
            self.open -= 1
            end()

        return ended

    def release(self, *args: Any, **options: Any) -> Any:
        self.asked += 1
        return super().release(*args, **options)


@pytest.fixture
def source() -> FakeSource:
    return FakeSource()


@pytest.fixture
def live(source: FakeSource) -> Iterator[Counted]:
    given: Any = source
    live = Counted(given, LoopThread(), timeout=1.0, max_age=0.1)
    yield live
    live.close()


@pytest.fixture
def app(settings: Settings, accounts: Accounts, live: Counted) -> Flask:
    return create_app(settings, accounts=accounts, releases=live)


class Client:
    """One request to the ASGI app, by a script with a token."""

    def __init__(self, dashboard: AsgiDashboard, bearer: dict[str, str], query: str) -> None:
        self.sent: list[Any] = []
        self.leaves = asyncio.Event()
        self._came = False
        headers = [(b"host", b"localhost"), (b"authorization", bearer["Authorization"].encode())]
        scope = {"type": "http", "http_version": "1.1", "method": "GET", "path": PATH, "raw_path": PATH.encode()}
        self.task = asyncio.create_task(
            dashboard(scope | {"query_string": query.encode(), "headers": headers}, self.receive, self.send)
        )

    async def receive(self) -> dict[str, Any]:
        if not self._came:
            self._came = True
            return {"type": "http.request"}
        await self.leaves.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    async def answer(self) -> tuple[int, Any]:
        async with asyncio.timeout(10):
            await self.task
        return self.sent[0]["status"], json.loads(self.sent[1]["body"])


def serve(app: Flask, **options: Any) -> AsgiDashboard:
    return AsgiDashboard(app, services(app).live, services(app).accounts.change_token, threads=2, **options)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what is waited for comes from other threads
            await asyncio.sleep(0.01)


def test_who_goes_away_is_answered_nothing_and_leaves_nothing(app: Flask, live: Counted, bearer: dict[str, str]):
    async def go() -> None:
        dashboard = serve(app, max_waits=1)
        leaver = Client(dashboard, bearer, "phase=failed&timeout=300")
        await until(lambda: live.open == 1)
        status, page = await Client(dashboard, bearer, "phase=failed&timeout=300").answer()
        assert (status, page["error"]["code"]) == (503, "too_many_waits")
        leaver.leaves.set()
        async with asyncio.timeout(10):
            await leaver.task
        assert (leaver.sent, live.open) == ([], 0)
        stayer = Client(dashboard, bearer, "phase=failed&timeout=1")
        assert (await stayer.answer())[1]["reached"] is False
        assert live.open == 0

    in_a_loop(go)


def test_one_user_leaves_places_for_the_others(app: Flask, live: Counted, accounts: Accounts, bearer: dict[str, str]):
    other = accounts.add("olga@example.com", PASSWORD)
    token, _ = services(app).tokens.issue(other, by_password=True)

    async def go() -> None:
        dashboard = serve(app, max_waits_each=1)
        first = Client(dashboard, bearer, "phase=failed&timeout=300")
        await until(lambda: live.open == 1)
        status, page = await Client(dashboard, bearer, "phase=failed&timeout=300").answer()
        assert (status, page["error"]["code"]) == (429, "too_many_waits")
        theirs = Client(dashboard, {"Authorization": f"Bearer {token}"}, "phase=failed&timeout=1")
        assert (await theirs.answer())[0] == 200
        first.leaves.set()
        await first.task
        assert (await Client(dashboard, bearer, "phase=failed&timeout=1").answer())[0] == 200

    in_a_loop(go)


def test_all_who_wait_for_a_release_share_one_subscription_and_cost_nothing_while_it_only_moves(
    app: Flask, live: Counted, source: FakeSource, bearer: dict[str, str]
):
    async def go() -> None:
        dashboard = serve(app)
        clients = [Client(dashboard, bearer, "phase=failed,succeeded&timeout=300") for _ in range(3)]
        # Each asks when it comes, and once more when it is heard of.
        await until(lambda: live.asked == 3 and live.open == 1)
        for word in ("verifying", "deploying", "retrying"):
            source.state = word
            await until(lambda: (seen := live.cached("release:r")) and seen.value.root.state == source.state)
        assert live.asked == 3
        source.state = "failed"
        assert [(await client.answer())[1]["reached"] for client in clients] == [True] * 3
        assert (live.asked, live.open) == (6, 0)

    in_a_loop(go)


def test_what_may_be_out_of_date_is_not_taken_for_how_it_is(
    app: Flask, live: Counted, source: FakeSource, bearer: dict[str, str]
):
    async def go() -> None:
        dashboard = serve(app)
        waits = Client(dashboard, bearer, "phase=failed&timeout=300")
        await until(lambda: live.open == 1)
        source.answer = DOWN
        await until(lambda: (seen := live.cached("release:r")) and seen.stale)
        status, page = await Client(dashboard, bearer, "phase=running&timeout=1").answer()
        assert (status, page["phase"], page["stale"], page["reached"]) == (200, "running", True, False)
        assert page["reason"]["code"] == "temporal_unavailable"
        source.state, source.answer = "failed", None
        assert (await waits.answer())[1]["reached"] is True

    in_a_loop(go)


def test_a_release_of_which_nothing_was_known_is_waited_for(
    app: Flask, live: Counted, source: FakeSource, bearer: dict[str, str]
):
    async def go() -> None:
        source.answer = DOWN
        waits = Client(serve(app), bearer, "phase=running&timeout=300")
        await until(lambda: live.open == 1)
        source.answer = None
        status, page = await waits.answer()
        assert (status, page["reached"]) == (200, True)

    in_a_loop(go)


def test_an_answer_is_not_kept(app: Flask, bearer: dict[str, str], user: User):
    answer = app.test_client().get(f"{PATH}?phase=running", headers=bearer)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert answer.headers["As-Of"] == answer.get_json()["as_of"]
    assert "ETag" not in answer.headers


def test_a_thread_that_has_waited_asks_again_who_it_was(
    app: Flask, accounts: Accounts, live: Counted, source: FakeSource, bearer: dict[str, str], user: User
):
    async def go() -> None:
        waits = asyncio.create_task(
            asyncio.to_thread(app.test_client().get, f"{PATH}?phase=failed&timeout=60", headers=bearer)
        )
        await until(lambda: live.open == 1)
        accounts.set_password(user.email, PASSWORD)
        source.state = "failed"
        answer = await waits
        assert (answer.status_code, answer.get_json()["error"]["code"]) == (401, "invalid_token")
        assert live.open == 0

    in_a_loop(go)
