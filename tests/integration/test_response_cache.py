"""Answers that are given again by `release-dashboard serve`: the same while they are true, and not a moment longer."""

import gzip
import http.client
import json
from typing import Any

import pytest

from tests.support.every_page import ANSWERS
from tests.support.harness import Stage
from tests.support.rollout_makers import hierarchy
from tests.support.served import Served
from tests.support.waiting import eventually

# Status, headers and body.
Answer = tuple[int, dict[str, str], bytes]


@pytest.fixture
def release(stage: Stage) -> str:
    return stage.start("again", ANSWERS)


def headers(served: Served, path: str, **sent: str) -> Answer:
    """The whole answer."""
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=30)
    try:
        connection.request("GET", path, headers=sent)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


PATHS = (
    "/releases?q={}",
    "/api/releases?q={}",
    "/releases/{}",
    "/api/releases/{}/hierarchy",
    "/compare?left={0}&right={0}",
)
# What the answers to the same question do not have in common.
OWN = {"as-of", "x-request-id", "date", "content-length"}


def is_whole(listed: dict[str, Any]) -> bool:
    """Whether a list has one release, and what is inside it."""
    return listed["total"] == 1 and listed["items"][0]["inside"] is not None


@pytest.mark.parametrize("sent", [{}, {"Accept-Encoding": "gzip"}], ids=["plain", "compressed"])
def test_who_asks_again_is_told_the_same_with_a_later_moment(
    served: Served, release: str, sent: dict[str, str]
) -> None:
    sent = sent | {"Cookie": served.login()}
    paths = [path.format(release) for path in PATHS]
    # Visibility lags: until the list, its count and its row have the release, the next answer says something else.
    eventually(lambda: is_whole(json.loads(served.ask("GET", paths[1], Cookie=sent["Cookie"])[1])))
    firsts = {path: headers(served, path, **sent) for path in paths}
    for path, first in firsts.items():
        eventually(lambda path=path, first=first: headers(served, path, **sent)[1]["as-of"] > first[1]["as-of"])
        check_same(path, release, first, headers(served, path, **sent))


def check_same(path: str, release: str, first: Answer, again: Answer) -> None:
    """Both answers say the same of this release, the second with its own moment and number."""
    assert again[0] == first[0] == 200
    assert {n: v for n, v in again[1].items() if n not in OWN} == {n: v for n, v in first[1].items() if n not in OWN}
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
