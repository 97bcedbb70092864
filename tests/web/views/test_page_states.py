"""What pages say when there is nothing to show: first starts, nothing found, errors, and what is no longer current."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from bs4 import BeautifulSoup, Tag
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.exceptions import InternalServerError, RequestEntityTooLarge, TooManyRequests
from werkzeug.wrappers import Response

from dashboard.app import create_app
from dashboard.auth.accounts import Accounts
from dashboard.concurrency.loop_thread import LoopThread
from dashboard.database.models import User
from dashboard.domain.entities import Status
from dashboard.domain.problems import Problem, ProblemCode, ReleaseNotFound, RunNotFound, SourceUnavailable
from dashboard.domain.source import ReleaseListing, ReleaseReading
from dashboard.live.service import LiveReleases
from dashboard.settings.model import Settings
from dashboard.web.errors import ApiError, error_response
from tests.support.fake_source import FakeSource
from tests.support.rollout_makers import STARTED, execution, release
from tests.support.waiting import eventually
from tests.web.conftest import PASSWORD

DOWN = SourceUnavailable(Problem(ProblemCode.UNAVAILABLE, "Temporal cannot be reached.", "connection refused"))
RUN = "01234567-89ab-4def-8123-456789abcdef"


class Unfilled(FakeSource):
    """A Temporal in which there is no release."""

    async def page(self, *_: Any) -> ReleaseListing:
        """An empty list, or what asking for it raises."""
        self.reads += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return ReleaseListing((), {})


@pytest.fixture
def source() -> FakeSource:
    return FakeSource()


@pytest.fixture
def serve(
    settings: Settings, accounts: Accounts, user: User
) -> Iterator[Callable[[FakeSource], tuple[Flask, FlaskClient]]]:
    """Makes a dashboard that reads a source, and a browser that is logged in to it."""
    opened: list[LiveReleases] = []

    def made(source: FakeSource) -> tuple[Flask, FlaskClient]:
        given: Any = source
        live = LiveReleases(given, LoopThread(), timeout=2, max_age=0)
        opened.append(live)
        named = {
            "TEMPORAL_ADDRESS": "temporal.internal:7233",
            "TEMPORAL_NAMESPACE": "prod",
            "TEMPORAL_API_KEY": "s3cr3t",
        }
        read = {"release_workflow_type": "Rollout", "temporal_environment": named}
        app = create_app(settings.model_copy(update=read), releases=live, accounts=accounts)
        app.testing = False
        browser = app.test_client()
        assert browser.post("/login", data={"username": user.email, "password": PASSWORD}).status_code == 303
        return app, browser

    yield made
    for live in opened:
        live.close()


def words(tag: Tag | None) -> str:
    assert tag is not None
    return " ".join(tag.get_text(" ").split())


def card(page: Response, status: int) -> Tag:
    """The error on a page, which has a heading, what to do next, a way on and the request's id."""
    assert page.status_code == status
    found = BeautifulSoup(page.get_data(as_text=True), "html.parser").select_one(".error")
    assert found is not None
    assert words(found.h1)
    assert words(found.select_one(".next"))
    assert found.select(".ways a")
    assert page.headers["X-Request-ID"] in words(found)
    return found


def links(found: Tag) -> dict[str, str]:
    return {words(link): str(link["href"]) for link in found.select("a")}


def test_without_any_account_the_login_page_says_how_to_make_the_first(client: FlaskClient, accounts: Accounts):
    assert "release-dashboard users add you@example.com --admin" in client.get("/login").text
    refused = client.post("/login", data={"username": "a@example.com", "password": "wrong horse battery"})
    assert "No account exists yet" in refused.text
    accounts.add("gone@example.com", PASSWORD)
    accounts.disable("gone@example.com")
    assert "No account exists yet" not in client.get("/login").text, "a disabled account is one"
    assert "users add" not in client.get("/login").text


def test_of_a_release_of_which_it_is_not_known_what_came_before_it_no_row_says_since_when(
    serve: Callable[..., Any], source: FakeSource
):
    run = execution(began_unread=True)
    source.answer = ReleaseReading(run, said=release("release:r", "deploying"))
    _, browser = serve(source)
    item = browser.get("/api/releases?q=release:r").get_json()["items"][0]
    assert (item["began_at"], item["state"], item["summary"]) == (None, "deploying", "running")
    page = BeautifulSoup(browser.get("/releases?q=release:r").text, "html.parser")
    assert words(page.select_one("#live li[data-entity-id] .times")) == ""
    ended = replace(run, status=Status.COMPLETED, closed_at=STARTED + timedelta(hours=1))
    source.answer = ReleaseReading(ended, said=release("release:r", "deploying"))
    page = BeautifulSoup(browser.get("/releases?q=release:r&page_size=9").text, "html.parser")
    assert words(page.select_one("#live li[data-entity-id] .times")).startswith("finished")
    assert browser.get("/releases/release:r/strip").status_code == 200


def test_without_any_release_the_list_says_what_it_looks_for_and_where(serve: Callable[..., Any]):
    _, browser = serve(Unfilled())
    said = words(BeautifulSoup(browser.get("/releases").text, "html.parser").select_one(".empty"))
    for told in (
        "No releases yet",
        "Namespace prod at temporal.internal:7233",
        "WorkflowType = 'Rollout'",
        "RELEASE_WORKFLOW_TYPE",
        "RELEASE_FILTER",
        "release-dashboard demo",
    ):
        assert told in said
    assert "s3cr3t" not in said


def test_with_a_filter_an_empty_list_says_what_was_asked_for_and_clears_it(serve: Callable[..., Any]):
    _, browser = serve(Unfilled())
    found = BeautifulSoup(browser.get("/releases?q=shop").text, "html.parser").select_one(".empty")
    assert words(found).startswith("No results")
    assert links(found)["Show all releases"] == "/releases"
    assert "RELEASE_FILTER" not in words(found), "nobody has to look at the settings for that"


def test_nothing_broken_says_what_was_looked_at_and_what_was_not(serve: Callable[..., Any]):
    _, browser = serve(Unfilled())
    page = BeautifulSoup(browser.get("/problems").text, "html.parser")
    assert words(page.select_one(".empty h2")) == "No problems"
    assert "No release is in progress, and none has failed in the last 24 hours" in words(page.select_one(".empty"))
    looked = words(page.select_one(".looked"))
    assert "0 of 0 releases: those in progress" in looked
    assert "Not checked" in looked


def test_a_first_start_without_temporal_names_what_is_tried_and_recovers_by_itself(serve: Callable[..., Any]):
    source = Unfilled()
    source.answer = DOWN
    _, browser = serve(source)
    for path in ("/releases", "/problems", "/releases/release:r", "/entities/app:a"):
        answer = browser.get(path)
        found = card(answer, 503)
        assert words(found.h1) == "Temporal is unavailable"
        assert "temporal.internal:7233 ( TEMPORAL_ADDRESS )" in words(found)
        assert "namespace prod ( TEMPORAL_NAMESPACE )" in words(found)
        assert "s3cr3t" not in answer.text
        assert found["data-retry"] == answer.headers["Retry-After"]
        assert f"retries automatically every {found['data-retry']} seconds" in words(found)
    source.answer = None
    eventually(lambda: browser.get("/releases").status_code == 200, 60)


def test_where_temporal_is_looked_for_is_told_to_nobody_without_a_login(serve: Callable[..., Any]):
    app, _ = serve(Unfilled())
    for path in ("/login", "/releases", "/nowhere"):
        assert "temporal.internal" not in app.test_client().get(path, follow_redirects=True).text


def test_what_is_not_there_offers_where_it_may_be(serve: Callable[..., Any], source: FakeSource):
    _, browser = serve(source)
    assert browser.get("/releases/release:r").status_code == 200
    found = card(browser.get("/releases/release:r/entities/app:nowhere"), 404)
    assert words(found.h1) == "Entity not found"
    assert links(found)["Open release:r"] == "/releases/release:r"
    assert links(found)["Find app:nowhere in other releases"] == "/entities/app:nowhere"
    source.answer = ReleaseNotFound("release:checkout-2026-47")
    found = card(browser.get("/releases/release:checkout-2026-47"), 404)
    assert links(found)["Releases starting with release:chec"] == "/releases?q=release:chec"
    source.answer = RunNotFound("release:r", RUN)
    found = card(browser.get(f"/releases/release:r?run={RUN}"), 404)
    assert links(found)["Latest run"] == "/releases/release:r"
    assert words(card(browser.get("/nowhere"), 404).h1) == "Not found"


@pytest.mark.parametrize(
    ("raised", "status"),
    [
        (ApiError(401, "not_logged_in", "Your session has ended. Sign in again."), 401),
        (ApiError(403, "cross_site", "The request came from another site."), 403),
        (RequestEntityTooLarge(), 413),
        (ApiError(422, "invalid_parameter", "q: takes less"), 422),
        (TooManyRequests(), 429),
        (InternalServerError(), 500),
        (SourceUnavailable(Problem(ProblemCode.DENIED, "Temporal refuses.")), 503),
        (SourceUnavailable(Problem(ProblemCode.BUSY, "Many wait.")), 503),
    ],
)
def test_each_error_says_what_happened_and_what_to_do_next(serve: Callable[..., Any], raised: Exception, status: int):
    source = Unfilled()
    source.answer = raised
    app, browser = serve(source)
    if isinstance(raised, SourceUnavailable):
        card(browser.get("/releases"), status)
        return
    with app.test_request_context("/releases?q=x"):
        app.preprocess_request()
        made = app.process_response(error_response(raised))
    card(made, status)


def test_a_method_that_a_page_does_not_take_is_405_with_a_way_back(serve: Callable[..., Any]):
    _, browser = serve(Unfilled())
    found = card(browser.post("/releases"), 405)
    assert links(found)["All releases"] == "/releases"


def test_a_page_that_is_not_the_latest_says_since_when_why_and_that_it_renews_itself(
    serve: Callable[..., Any], source: FakeSource
):
    _, browser = serve(source)
    assert browser.get("/releases/release:r").status_code == 200
    source.answer = DOWN
    page = BeautifulSoup(browser.get("/releases/release:r").text, "html.parser")
    said = words(page.select_one(".notice.stale"))
    assert said.startswith("Out of date. Showing data from ")
    assert "Temporal cannot be reached." in said
    assert "updates automatically when newer data is available" in said
    assert page.select_one("#as-of")["data-stale"] == "true"
