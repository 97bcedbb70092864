"""Answers that are given again by `release-dashboard serve`: the same while they are true, and not a moment longer."""

import gzip
import http.client
import json

import pytest

from tests.every_page import ANSWERS
from tests.rollout_makers import hierarchy
from tests.served import Served
from tests.stage import Stage
from tests.waiting import eventually


@pytest.fixture
def release(stage: Stage) -> str:
    return stage.start("again", ANSWERS)


def headers(served: Served, path: str, **sent: str) -> tuple[int, dict[str, str], bytes]:
    """The whole answer."""
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=30)
    try:
        connection.request("GET", path, headers=sent)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize("sent", [{}, {"Accept-Encoding": "gzip"}], ids=["plain", "compressed"])
@pytest.mark.parametrize(
    "path",
    [
        "/releases?q={}",
        "/api/releases?q={}",
        "/releases/{}",
        "/api/releases/{}/hierarchy",
        "/compare?left={0}&right={0}",
    ],
)
def test_who_asks_again_is_told_the_same_with_a_later_moment(
    served: Served, release: str, path: str, sent: dict[str, str]
) -> None:
    path, sent = path.format(release), sent | {"Cookie": served.login()}
    first = headers(served, path, **sent)

    def later() -> bool:
        return headers(served, path, **sent)[1]["as-of"] > first[1]["as-of"]

    eventually(later)
    again = headers(served, path, **sent)
    own = {"as-of", "x-request-id", "date", "content-length"}
    assert {n: v for n, v in again[1].items() if n not in own} == {n: v for n, v in first[1].items() if n not in own}
    assert again[1]["x-request-id"] != first[1]["x-request-id"]
    bodies = [gzip.decompress(body) if "content-encoding" in told else body for _, told, body in (first, again)]
    assert release.encode() in bodies[0]
    if path.startswith("/api"):
        told = [json.loads(body) for body in bodies]
        assert told[1]["as_of"] == again[1]["as-of"]
        moments = {"as_of": "", "counted_at": ""}
        assert told[0] | moments == told[1] | moments


def test_a_changed_release_is_never_told_as_it_was(served: Served, stage: Stage, release: str) -> None:
    path, cookie = f"/api/releases/{release}", served.login()
    for state in ("deployed", "failed", "in_progress"):
        for _ in range(20):
            served.ask("GET", path, Cookie=cookie)
        tree = hierarchy(state=state) | {"state": state}
        stage.tell(release, {"get_hierarchy": tree, "get_release_state": tree})
        eventually(lambda state=state: json.loads(served.ask("GET", path, Cookie=cookie)[1])["state"] == state)
        told = [json.loads(served.ask("GET", path, Cookie=cookie)[1])["state"] for _ in range(20)]
        assert set(told) == {state}


def test_nothing_is_told_again_to_a_user_whose_sessions_ended_a_moment_ago(served: Served, release: str) -> None:
    path, cookie = f"/api/releases/{release}", served.login()
    assert {served.ask("GET", path, Cookie=cookie)[0] for _ in range(20)} == {200}
    served.end_sessions()
    assert served.ask("GET", path, Cookie=cookie)[0] == 401


def test_nobody_is_told_what_another_was(served: Served, release: str) -> None:
    path, cookie = f"/releases/{release}", served.login()
    for _ in range(5):
        assert served.ask("GET", path, Cookie=cookie)[0] == 200
        assert served.ask("GET", path)[0] == 302
        assert served.ask("GET", path, Cookie=cookie + "x")[0] == 302
        assert "<html" not in served.ask("GET", path, Cookie=cookie, **{"HX-Request": "true"})[1]
