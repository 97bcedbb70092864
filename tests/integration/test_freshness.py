"""A replica that is behind: who has seen more at another is told no less, whatever they ask and however."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.every_page import ANSWERS
from tests.support.harness import Stage, dashboard_for, logged_in, shut
from tests.support.rollout_makers import hierarchy
from tests.support.silent_proxy import Relay
from tests.support.waiting import eventually

OPEN_PAGE = {"HX-Request": "true", "HX-Source": "div#live"}
LONG = 3600.0


@pytest.fixture
def way() -> Iterator[ExitStack]:
    """Closed, it lets the replica that is behind reach Temporal no more."""
    with ExitStack() as way:
        yield way


@pytest.fixture
def behind(stage: Stage, way: ExitStack, tmp_path: Path) -> Iterator[FlaskClient]:
    """A viewer at a replica that reads nothing twice by itself."""
    relay = way.enter_context(Relay(int(stage.address.rpartition(":")[2])))
    shown = f"WorkflowId STARTS_WITH '{stage.prefix}'"
    app = dashboard_for(relay.address, tmp_path / "behind", shown, max_age=LONG)
    yield logged_in(app)
    shut(app)


@pytest.fixture
def release(stage: Stage) -> str:
    release_id = stage.start("r", ANSWERS)
    stage.listed("r")
    return release_id


def move(stage: Stage, release: str, path: str) -> str:
    """Let the release fail; returns as of when the other replica has seen it."""
    tree = hierarchy(state="failed")
    stage.tell(release, {"get_hierarchy": tree, "get_release_state": tree})
    eventually(lambda: '"failed"' in stage.ask(f"/api/releases/{release}/hierarchy").text, 60)
    since = datetime.now(UTC)
    eventually(lambda: moment(stage.ask(path)) > since, 60)
    return str(stage.ask(path).headers["As-Of"])


def ask(behind: FlaskClient, path: str, **headers: str) -> TestResponse:
    return behind.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})


def moment(answer: TestResponse) -> datetime:
    assert answer.status_code in {200, 304}, answer.text
    return datetime.fromisoformat(answer.headers["As-Of"])


def views_of(release: str, other: str) -> list[str]:
    return [
        f"/releases/{release}",
        f"/releases/{release}?selected=app:a0-0",
        f"/releases/{release}/timeline",
        f"/releases/{release}/entities/app:a0-0",
        f"/compare?left={release}&right={other}",
    ]


@pytest.mark.parametrize("view", range(5))
def test_what_another_replica_has_shown_is_read_before_anything_older_is_said(
    behind: FlaskClient, stage: Stage, release: str, view: int
):
    path = views_of(release, stage.start("other", ANSWERS))[view]
    page, said = behind.get(path), behind.get(f"/api{path}")
    tag = behind.get(path, headers=OPEN_PAGE).headers["HX-PTag"]
    assert page.status_code == said.status_code == 200
    seen = move(stage, release, f"/api{path}")
    etag = said.headers["ETag"]
    assert ask(behind, f"/api{path}", If_None_Match=etag).status_code == 304, "it is behind"

    newest = datetime.fromisoformat(seen)
    answer = ask(behind, f"/api{path}", If_None_Match=etag, As_Of=seen)
    assert (answer.status_code, moment(answer) >= newest) == (200, True)
    assert answer.headers["ETag"] != etag
    open_page = ask(behind, path, **OPEN_PAGE, HX_PTag=tag, As_Of=seen)
    assert (open_page.status_code, moment(open_page) >= newest) == (200, True)
    behind.set_cookie("as_of", seen)
    assert moment(behind.get(path)) >= newest


@pytest.mark.parametrize("path", ["/releases", "/problems", "/kiosk"])
def test_lists_do_not_go_back_either(behind: FlaskClient, stage: Stage, release: str, path: str):
    for viewer in (behind, stage.browser):
        eventually(lambda viewer=viewer: viewer.get(f"/api{path}").status_code == 200, 60)
    before = datetime.now(UTC)
    eventually(lambda: moment(stage.ask(f"/api{path}")) > before, 60)
    seen = stage.ask(f"/api{path}").headers["As-Of"]
    assert moment(ask(behind, f"/api{path}", As_Of=seen)) >= datetime.fromisoformat(seen)


def test_what_cannot_be_read_in_time_is_said_to_be_behind_and_never_to_be_unchanged(
    behind: FlaskClient, stage: Stage, release: str, way: ExitStack
):
    path = f"/releases/{release}"
    said, tag = behind.get(f"/api{path}"), behind.get(path, headers=OPEN_PAGE).headers["HX-PTag"]
    seen = move(stage, release, f"/api{path}")
    way.close()

    refused = ask(behind, f"/api{path}", If_None_Match=said.headers["ETag"], As_Of=seen)
    assert (refused.status_code, refused.get_json()["error"]["code"]) == (503, "behind")
    assert refused.headers["Retry-After"] == "1"
    waits = ask(behind, path, **OPEN_PAGE, HX_PTag=tag, As_Of=seen)
    assert (waits.status_code, waits.data, "HX-PTag" in waits.headers) == (204, b"", False)
    opened = ask(behind, path, As_Of=seen)
    assert (opened.status_code, "Out of date" in opened.text) == (200, True)


@pytest.mark.parametrize("said", ["", "now", "2026", "2026-11-30T06:00:00", "'; --", "x" * 300])
def test_what_is_no_moment_makes_no_difference(behind: FlaskClient, release: str, said: str):
    first = behind.get(f"/api/releases/{release}")
    answer = ask(behind, f"/api/releases/{release}", As_Of=said, If_None_Match=first.headers["ETag"])
    assert (answer.status_code, answer.headers["As-Of"]) == (304, first.headers["As-Of"])


def test_a_moment_to_come_asks_for_nothing_newer_than_now(behind: FlaskClient, release: str):
    before = datetime.now(UTC)
    answer = ask(behind, f"/api/releases/{release}", As_Of=(before + timedelta(days=400)).isoformat())
    assert answer.status_code == 200
    assert before <= moment(answer) < before + timedelta(days=1)
