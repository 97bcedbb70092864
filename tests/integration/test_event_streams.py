"""Streams of news from `release-dashboard serve`: who may hear, what is heard, and how a stream ends."""

import http.client
import socket
import statistics
from contextlib import ExitStack

import pytest

from tests.support.every_page import ANSWERS
from tests.support.harness import Stage
from tests.support.rollout_makers import hierarchy
from tests.support.served import Listener, Served
from tests.support.waiting import eventually


@pytest.fixture
def release(stage: Stage) -> str:
    return stage.start("heard", ANSWERS)


def change(stage: Stage, release: str, state: str) -> None:
    tree = hierarchy(state=state) | {"state": state}
    app = {"by_id": {"app:a0-0": {"id": "app:a0-0", "state": state}}}
    stage.tell(release, {"get_hierarchy": tree, "get_release_state": tree, "get_app_state": app})


def rows_after_a_change(listener: Listener, stage: Stage, release: str) -> tuple[str, str]:
    """Change a release until its rows come: two versions that come close together are one event without rows."""
    for state in ("deployed", "failed", "deploying", "verifying", "failed", "deployed"):
        change(stage, release, state)
        event = listener.event()
        assert event is not None
        if event[0] == "rows":
            return event
    raise AssertionError("no rows came")


def test_a_page_hears_of_a_change_and_of_what_is_the_latest_before(served: Served, stage: Stage, release: str) -> None:
    listener = Listener(served, f"/releases/{release}", Cookie=served.login())
    assert listener.status == 200
    assert listener.answer.headers["Content-Type"].startswith("text/event-stream")
    assert listener.answer.headers["X-Content-Type-Options"] == "nosniff"
    first = listener.event()
    assert first is not None
    assert first[0] == "version"
    change(stage, release, "deployed")
    second = listener.event()
    assert second is not None
    assert second[0] == "rows"
    assert second[1] != first[1]
    assert listener.data[0] == first[1]
    assert 'data-state="deployed"' in "".join(listener.data[2:])
    listener.close()


@pytest.mark.parametrize("path", ["/releases", "/problems", "/entities/app:a0-0"])
def test_other_pages_hear_too(served: Served, stage: Stage, release: str, path: str) -> None:
    cookie = served.login()
    eventually(lambda: release in served.ask("GET", "/releases", Cookie=cookie)[1])
    listener = Listener(served, path, Cookie=cookie)
    first = listener.event()
    assert first is not None
    assert first[0] == "version"
    if path == "/problems":
        # What is broken comes as a new list.
        change(stage, release, "failed")
        second = listener.event()
        assert second is not None
        assert second[0] == "changed"
    else:
        rows_after_a_change(listener, stage, release)
    listener.close()


@pytest.mark.parametrize("moving", [0, 1], ids=["left", "right"])
def test_a_comparison_hears_when_either_release_moves(served: Served, stage: Stage, release: str, moving: int) -> None:
    sides = release, stage.start("compared", ANSWERS)
    listener = Listener(served, "/compare?left={}&right={}".format(*sides), Cookie=served.login())
    first = listener.event()
    assert first is not None
    assert first[0] == "version"
    change(stage, sides[moving], "failed")
    second = listener.event()
    assert second is not None
    assert (second[0], second[1] != first[1]) == ("changed", True)
    listener.close()


def test_who_comes_back_hears_only_of_what_they_have_not_heard(served: Served, stage: Stage, release: str) -> None:
    cookie = served.login()
    listener = Listener(served, f"/releases/{release}", Cookie=cookie)
    first = listener.event()
    assert first is not None
    listener.close()
    same = Listener(served, f"/releases/{release}", Cookie=cookie, **{"Last-Event-ID": first[1]})
    told = rows_after_a_change(same, stage, release)
    assert told[1] != first[1]
    same.close()
    late = Listener(served, f"/releases/{release}", Cookie=cookie, **{"Last-Event-ID": first[1]})
    assert late.event() == ("changed", told[1])
    late.close()


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/releases/{release}-nowhere", 404),
        ("/releases/{release}/entities/app:nowhere", 404),
        ("/nowhere", 404),
        (f"/releases/{'x' * 1001}", 422),
        ("/releases/{release}?run=nonsense", 422),
        ("/releases?page=0", 422),
    ],
)
def test_a_stream_is_refused_as_its_page_is(served: Served, release: str, path: str, status: int) -> None:
    cookie = served.login()
    path = path.format(release=release)
    assert served.ask("GET", path, Cookie=cookie)[0] == status
    assert served.ask("GET", f"/live{path}", Cookie=cookie)[0] == status


def test_a_stream_takes_a_session(served: Served, release: str) -> None:
    assert served.ask("GET", f"/live/releases/{release}")[0] == 401
    assert served.ask("HEAD", f"/live/releases/{release}", Cookie=served.login())[0] == 501


def test_when_the_session_ends_the_stream_says_so_and_closes(served: Served, stage: Stage, release: str) -> None:
    listener = Listener(served, f"/releases/{release}", Cookie=served.login())
    assert listener.event() is not None
    served.end_sessions()
    told = listener.event()
    assert told is not None
    assert told[0] == "ended"
    assert listener.event() is None
    listener.close()


@pytest.mark.timing
def test_half_sent_headers_and_silent_sockets_hold_up_nobody(served_alone: Served) -> None:
    with ExitStack() as sockets:
        for number in range(1_200):
            client = sockets.enter_context(socket.create_connection(("127.0.0.1", served_alone.port)))
            if number < 200:
                client.sendall(b"GET /login HTTP/1.1\r\nHost: here\r\nX-Slow:")
        took = [served_alone.ask("GET", "/health")[2] for _ in range(100)]
        assert statistics.quantiles(took, n=20)[-1] < 1.0
        assert served_alone.end() == 0


@pytest.mark.timing
def test_a_body_that_does_not_come_holds_no_thread(served: Served) -> None:
    with ExitStack() as sockets:
        for _ in range(100):
            client = sockets.enter_context(socket.create_connection(("127.0.0.1", served.port)))
            client.sendall(b"POST /login HTTP/1.1\r\nHost: here\r\nContent-Length: 50\r\n\r\nusername")
        took = [served.ask("GET", "/login")[2] for _ in range(20)]
        assert statistics.median(took) < 1.0, "were threads held, all of them had to wait"


def test_an_address_that_is_no_text_and_a_body_without_a_length_are_answered(served: Served) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=30)
    connection.putrequest("GET", "/login?next=%ff")
    connection.endheaders()
    assert connection.getresponse().status == 200
    connection.close()
    with socket.create_connection(("127.0.0.1", served.port)) as client:
        form = b"username=nobody%40example.com&password=wrong"
        head = b"POST /api/auth/login HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n"
        client.sendall(head + b"Content-Type: application/x-www-form-urlencoded\r\n\r\n")
        client.sendall(b"%x\r\n%b\r\n0\r\n\r\n" % (len(form), form))
        assert client.recv(64).startswith(b"HTTP/1.1 401 ")
