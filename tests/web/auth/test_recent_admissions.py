"""Who is let in from memory while the database is away: for ten minutes, and never past an end of their own."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from time import monotonic

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from pydantic import SecretStr
from werkzeug.test import EnvironBuilder

from dashboard.auth.accounts import Accounts
from dashboard.auth.recent_admissions import MAX_OUTAGE_SECONDS, RecentAdmissions
from dashboard.database.models import User
from dashboard.database.timeouts import DatabaseTimeouts
from dashboard.push.stream_views import is_session_valid
from dashboard.settings.model import Settings
from tests.support.harness import CHEAP
from tests.support.postgres import Postgres
from tests.support.prepared_databases import make_ready
from tests.support.silent_proxy import Relay
from tests.support.waiting import eventually

# What a silent database holds up the first who ask, and no machine is too slow for.
BOUNDS = DatabaseTimeouts(connect=4, statement=4, pool=4)
UNAVAILABLE = "The accounts database is unavailable."
EVERYBODY = {"session", "stream", "access token", "personal token", "screen"}


class StandingClock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = monotonic()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def relay(postgres: Postgres) -> Iterator[Relay]:
    with Relay(postgres.port) as relay:
        yield relay


@pytest.fixture
def settings(settings: Settings, postgres: Postgres, relay: Relay) -> Settings:
    postgres.emptied()
    url = SecretStr(postgres.url(postgres.made, relay.port))
    return settings.model_copy(update={"database_url": url, "access_token_minutes": 30, "session_idle_minutes": 60})


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


@pytest.fixture
def accounts(settings: Settings, clock: StandingClock) -> Iterator[Accounts]:
    make_ready(settings)
    accounts = Accounts(settings.accounts_url, CHEAP, BOUNDS)
    accounts.admissions = RecentAdmissions(accounts, clock)
    yield accounts
    accounts.close()


@pytest.fixture
def admitted(
    app: Flask, accounts: Accounts, logged_in: FlaskClient, bearer: dict[str, str], user: User
) -> Callable[[], set[str]]:
    """Tell who is let in. The access token lasts half an hour, the session an hour, the personal token a day."""
    made = logged_in.post("/api/tokens", json={"name": "Deploy job", "days": 1}).get_json()["token"]
    personal, screen, stranger = {"Authorization": f"Bearer {made}"}, app.test_client(), app.test_client()
    screen.set_cookie("release_dashboard_kiosk", accounts.kiosk_links.add(user, "Wall"))
    cookie = logged_in.get_cookie("release_dashboard")
    assert cookie
    stream = EnvironBuilder("/live/releases", headers={"Cookie": f"release_dashboard={cookie.value}"}).get_environ()

    def who() -> set[str]:
        seen = {
            "session": logged_in.get("/api/auth/me").status_code == 200,
            "stream": is_session_valid(app, dict(stream)),
            "access token": stranger.get("/api/auth/me", headers=bearer).status_code == 200,
            "personal token": stranger.get("/api/auth/me", headers=personal).status_code == 200,
            "screen": UNAVAILABLE not in screen.get("/kiosk").text,
        }
        return {name for name, let_in in seen.items() if let_in}

    return who


def test_nobody_is_let_in_for_longer_than_ten_minutes_by_whatever_way(
    relay: Relay, clock: StandingClock, admitted: Callable[[], set[str]]
):
    assert admitted() == EVERYBODY
    relay.hush()
    try:
        assert admitted() == EVERYBODY
        clock.now += MAX_OUTAGE_SECONDS - 1
        assert admitted() == EVERYBODY
        clock.now += 1
        assert admitted() == set()
        clock.now += 86_400
        assert admitted() == set()
    finally:
        relay.speak()
    eventually(lambda: admitted() == EVERYBODY, 60)


@pytest.mark.parametrize(
    "by", [timedelta(0), timedelta(days=400), timedelta(days=-400)], ids=["right", "ahead", "behind"]
)
def test_who_has_an_end_of_their_own_is_not_let_in_after_it_whatever_this_machines_clock_says(
    relay: Relay, admitted: Callable[[], set[str]], by: timedelta
):
    here = datetime.now(UTC) + by

    def after(**passed: int) -> set[str]:
        with time_machine.travel(here + timedelta(**passed), tick=True):
            return admitted()

    assert after() == EVERYBODY
    relay.hush()
    try:
        assert after(minutes=20) == EVERYBODY
        assert after(minutes=40) == EVERYBODY - {"access token"}
        assert after(minutes=61) == EVERYBODY - {"access token", "session", "stream"}
        assert after(hours=25) == {"screen"}
    finally:
        relay.speak()
