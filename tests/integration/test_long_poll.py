"""Waiting for a release, at `release-dashboard serve`: when it is answered, with what, and what that takes."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.every_page import ANSWERS
from tests.support.harness import Stage
from tests.support.rollout_makers import hierarchy
from tests.support.served import Served
from tests.support.waiting import eventually

# An answer that came only when the time was over took the 60 s for which is waited.
LATE = 45.0


def token(served: Served) -> dict[str, str]:
    return {"Authorization": f"Bearer {served.token()}"}


def say(stage: Stage, release: str, state: str) -> None:
    stage.tell(release, {"get_hierarchy": hierarchy() | {"state": state}})


class Waiter:
    """Asks for one release with one token, some of it in threads of its own."""

    def __init__(self, served: Served, release: str) -> None:
        self.served, self.release, self.token = served, release, token(served)
        self.threads = ThreadPoolExecutor(120)

    def ask(self, query: str) -> tuple[int, dict[str, Any], float]:
        status, text, seconds = self.served.ask("GET", f"/api/releases/{self.release}/wait?{query}", **self.token)
        return status, json.loads(text), seconds

    def later(self, query: str) -> "Future[tuple[int, dict[str, Any], float]]":
        """The answer to a request that waits by now: one that was sent after it has waited for a second."""
        answer = self.threads.submit(self.ask, query)
        assert self.ask("phase=timed_out&timeout=1")[1]["reached"] is False
        assert not answer.done()
        return answer

    def close(self) -> None:
        self.threads.shutdown()


@pytest.fixture
def waiter(served: Served, stage: Stage) -> Iterator[Waiter]:
    waiter = Waiter(served, stage.start("awaited", ANSWERS))
    yield waiter
    waiter.close()


def test_it_is_answered_when_the_release_gets_there(waiter: Waiter, stage: Stage) -> None:
    answer = waiter.later("phase=failed,succeeded&timeout=60")
    stage.end(waiter.release, "well")
    ended = time.monotonic()
    status, page, _ = answer.result()
    assert time.monotonic() - ended < LATE
    assert (status, page["reached"], page["phase"], page["stale"]) == (200, True, "succeeded", False)
    assert page["waited"] >= 1.0
    twin = json.loads(waiter.served.ask("GET", f"/api/releases/{waiter.release}", **waiter.token)[1])
    assert {name: value for name, value in page.items() if name not in {"reached", "waited", "as_of"}} == {
        name: value for name, value in twin.items() if name != "as_of"
    }


def test_it_is_answered_at_once_where_the_release_is_there(waiter: Waiter) -> None:
    status, page, seconds = waiter.ask("phase=running&timeout=60")
    assert (status, page["reached"], page["phase"]) == (200, True, "running")
    assert seconds < LATE


def test_it_is_answered_at_once_where_the_release_has_ended_elsewhere(waiter: Waiter, stage: Stage) -> None:
    answer = waiter.later("phase=succeeded&timeout=60")
    stage.end(waiter.release, "the disk is full")
    for page in (answer.result()[1], waiter.ask("phase=succeeded&timeout=60")[1]):
        assert (page["reached"], page["phase"], page["stale"]) == (False, "failed", False)


def test_a_release_may_come_to_it_by_its_own_word_and_go_on(waiter: Waiter, stage: Stage) -> None:
    answer = waiter.later("phase=paused&timeout=60")
    say(stage, waiter.release, "awaiting_approval")
    assert (answer.result()[1]["reached"], answer.result()[1]["phase"]) == (True, "paused")
    answer = waiter.later("phase=running&timeout=60")
    say(stage, waiter.release, "in_progress")
    assert (answer.result()[1]["reached"], answer.result()[1]["phase"]) == (True, "running")


def test_when_the_time_is_over_it_says_how_the_release_stands(waiter: Waiter) -> None:
    status, page, seconds = waiter.ask("phase=succeeded&timeout=1")
    assert (status, page["reached"], page["phase"]) == (200, False, "running")
    assert seconds >= 1.0
    assert page["waited"] >= 1.0


def test_a_hundred_that_wait_take_no_thread_and_are_all_answered(waiter: Waiter, stage: Stage) -> None:
    answers = [waiter.threads.submit(waiter.ask, "phase=succeeded&timeout=60") for _ in range(99)]
    answers.append(waiter.later("phase=succeeded&timeout=60"))
    for _ in range(5):
        assert waiter.served.ask("GET", "/login")[2] < LATE
    stage.end(waiter.release, "well")
    assert {(answer.result()[0], answer.result()[1]["reached"]) for answer in answers} == {(200, True)}


def test_what_cannot_be_waited_for_is_refused(waiter: Waiter) -> None:
    for query, field in (
        ("", "phase"),
        ("phase=", "phase"),
        ("phase=done", "phase"),
        ("phase=succeeded,unknown", "phase"),
        ("phase=succeeded&timeout=0", "timeout"),
        ("phase=succeeded&timeout=301", "timeout"),
        ("phase=succeeded&timeout=1.5", "timeout"),
        ("phase=succeeded&run=odd", "run"),
    ):
        status, page, _ = waiter.ask(query)
        assert (status, [each["field"] for each in page["error"]["fields"]]) == (422, [field]), query
    for release, status, code in (("x" * 1001, 422, "malformed_id"), (f"{waiter.release}-nowhere", 404, "not_found")):
        answer = waiter.served.ask("GET", f"/api/releases/{release}/wait?phase=failed", **waiter.token)
        assert (answer[0], json.loads(answer[1])["error"]["code"]) == (status, code)
    assert waiter.served.ask("GET", f"/api/releases/{waiter.release}/wait?phase=failed")[0] == 401


def test_a_login_that_has_ended_meanwhile_is_told_nothing(waiter: Waiter, stage: Stage) -> None:
    answer = waiter.later("phase=succeeded&timeout=60")
    waiter.served.end_sessions()
    stage.end(waiter.release, "well")
    status, page, _ = answer.result()
    assert (status, page["error"]["code"]) == (401, "invalid_token")


def test_a_server_that_stops_says_so_instead_of_how_the_release_stands(served_alone: Served, stage: Stage) -> None:
    waiter = Waiter(served_alone, stage.start("going", ANSWERS))
    answer = waiter.later("phase=succeeded&timeout=60")
    assert served_alone.end() == 0
    status, page, _ = answer.result()
    assert (status, page["error"]["code"]) == (503, "server_stopping")
    waiter.close()


def test_where_threads_hold_requests_a_few_of_one_user_wait_and_the_rest_are_told_to_come_again(stage: Stage) -> None:
    release = stage.start("held", ANSWERS)
    stage.json(f"/releases/{release}")
    path = f"/api/releases/{release}/wait?phase=succeeded&timeout=60"
    key = stage.app.config["SESSION_COOKIE_NAME"]
    cookie = stage.browser.get_cookie(key)
    assert cookie is not None

    def ask() -> Any:
        browser = stage.app.test_client()
        browser.set_cookie(key, cookie.value)
        return browser.get(path)

    with ThreadPoolExecutor(6) as pool:
        answers = [pool.submit(ask) for _ in range(6)]
        eventually(lambda: sum(answer.done() for answer in answers) == 3)
        refused = [answer.result() for answer in answers if answer.done()]
        stage.end(release, "well")
        reached = [answer.result().get_json().get("reached") for answer in answers]
    assert [(answer.status_code, answer.headers["Retry-After"]) for answer in refused] == [(429, "5")] * 3
    assert refused[0].get_json()["error"]["code"] == "too_many_waits"
    assert sorted(reached, key=bool) == [None] * 3 + [True] * 3
    assert stage.json(f"/releases/{release}/wait?phase=failed")["reached"] is False
