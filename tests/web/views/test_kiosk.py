"""Links of wall screens: how people make and end them, what they open, and what is kept of them."""

import sqlite3
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
import time_machine
from bs4 import BeautifulSoup
from flask import Flask, render_template
from flask.testing import FlaskClient

from dashboard.auth.accounts import Accounts
from dashboard.auth.kiosk_links import MAX_KIOSK_LINKS_PER_USER, InvalidKioskLink
from dashboard.database.models import Role, User
from dashboard.domain.entities import Release, Status
from dashboard.domain.kiosk import kiosk_rotation
from dashboard.domain.snapshot import Snapshot
from dashboard.settings.model import Settings
from dashboard.views.kiosk.page import KioskPage, KioskRotationView
from tests.unit.domain.test_overview import NOW, listing, release

PASSWORD = "correct horse battery"
RUN = "01234567-89ab-cdef-0123-456789abcdef"


def make(browser: FlaskClient, name: str = "Kitchen") -> str:
    """Make a link by the page; returns its path."""
    answer = browser.post("/screens", data={"name": name})
    assert answer.status_code == 201
    field = BeautifulSoup(answer.text, "html.parser").select_one("input.link")
    assert field is not None
    return urlsplit(str(field["value"])).path


def is_let_in(screen: FlaskClient) -> bool:
    """Whether it is shown something, or would be if Temporal were there."""
    status = screen.get("/kiosk").status_code
    assert status in {401, 503}
    return status == 503


def test_a_link_lets_a_screen_in_and_leaves_its_address(app: Flask, logged_in: FlaskClient):
    screen = app.test_client()
    answer = screen.get(f"{make(logged_in)}?every=20&theme=dark&kiosk=1")
    assert (answer.status_code, answer.location) == (302, "/kiosk?every=20&theme=dark")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    cookie = answer.headers["Set-Cookie"]
    assert "; Path=/kiosk" in cookie
    assert "; HttpOnly" in cookie
    assert "; SameSite=Lax" in cookie
    assert is_let_in(screen)
    assert screen.get("/api/auth/me").status_code == 401


def test_a_link_may_lead_to_one_release(app: Flask, logged_in: FlaskClient):
    path = make(logged_in)
    screen = app.test_client()
    assert screen.get(f"{path}?release=release:a").location == "/kiosk/releases/release:a"
    assert screen.get(f"{path}?release=//elsewhere").location == "/kiosk/releases/~2F~2Felsewhere"
    assert screen.get(f"{path}?release={'x' * 1001}").status_code == 422


def test_over_https_the_cookie_stays_there(app: Flask, logged_in: FlaskClient):
    answer = app.test_client().get(make(logged_in), base_url="https://localhost")
    assert "; Secure" in answer.headers["Set-Cookie"]


def test_revoking_a_link_ends_it_at_once(app: Flask, logged_in: FlaskClient):
    path, screen = make(logged_in), app.test_client()
    screen.get(path)
    assert is_let_in(screen)
    form = BeautifulSoup(logged_in.get("/screens").text, "html.parser").select_one("form[action$=revoke]")
    assert form is not None
    assert logged_in.post(str(form["action"])).status_code == 303
    assert not is_let_in(screen)
    page = screen.get("/kiosk")
    assert "This screen link is no longer valid" in page.text
    assert "The screen retries automatically" not in page.text
    assert screen.get(path).status_code == 401
    assert "No links yet" in logged_in.get("/screens").text


@pytest.mark.parametrize("act", ["disable", "set_password"])
def test_what_ends_the_sessions_of_its_maker_ends_a_link(
    app: Flask, logged_in: FlaskClient, accounts: Accounts, user: User, act: str
):
    path, screen = make(logged_in), app.test_client()
    screen.get(path)
    assert is_let_in(screen)
    if act == "disable":
        accounts.disable(user.email)
    else:
        accounts.set_password(user.email, PASSWORD)
    assert not is_let_in(screen)
    assert screen.get(path).status_code == 401
    (link,) = accounts.kiosk_links.of(accounts.known(user.email))
    assert not link.valid


def test_only_a_hash_of_the_token_is_kept(app: Flask, logged_in: FlaskClient, settings: Settings):
    token = make(logged_in).rpartition("/")[2]
    app.test_client().get(f"/kiosk/open/{token}")
    with sqlite3.connect(settings.data_dir / "accounts.db") as database:
        kept = "\n".join(database.iterdump())
    assert "Kitchen" in kept
    assert token not in kept


def test_a_fragment_is_told_that_the_link_has_ended_and_led_nowhere(app: Flask, accounts: Accounts, user: User):
    screen = app.test_client()
    screen.set_cookie("release_dashboard_kiosk", accounts.kiosk_links.add(user, "Hall"), path="/kiosk")
    accounts.disable(user.email)
    answer = screen.get("/kiosk", headers={"HX-Request": "true", "HX-PTag": "v.1"})
    assert answer.status_code == 401
    assert "HX-Redirect" not in answer.headers
    assert answer.headers["HX-PTag"] == "error", "or what is shown again would be taken for known"
    assert "<html" not in answer.text
    assert 'data-live="false"' in answer.text, "it asks no more: somebody has to let it in"


def test_a_session_that_has_ended_is_told_so_in_place(client: FlaskClient):
    answer = client.get("/kiosk?every=30&q=pay")
    page = BeautifulSoup(answer.text, "html.parser")
    assert answer.status_code == 401
    assert "Your session has ended" in answer.text
    assert page.select_one("noscript meta[http-equiv=refresh]") is None, "nor does it ask without a script"
    assert page.select_one("main a")["href"] == "/login?next=/kiosk?every%3D30%26q%3Dpay"


@pytest.mark.parametrize("name", ["", "  ", "x" * 81, "a\nb"])
def test_a_name_that_cannot_be_one_is_said(logged_in: FlaskClient, name: str):
    answer = logged_in.post("/screens", data={"name": name})
    assert answer.status_code == 422
    assert "The name must have 1 to 80 printable characters" in answer.text


def test_a_user_has_so_many_links_and_no_more(accounts: Accounts, user: User):
    for number in range(MAX_KIOSK_LINKS_PER_USER):
        accounts.kiosk_links.add(user, f"Screen {number}")
    with pytest.raises(InvalidKioskLink, match=str(MAX_KIOSK_LINKS_PER_USER)):
        accounts.kiosk_links.add(user, "One more")


def test_each_sees_and_ends_their_own_links_and_an_admin_all(accounts: Accounts, user: User):
    links = accounts.kiosk_links
    links.add(user, "Kitchen")
    other = accounts.add("zoe@example.com", PASSWORD)
    admin = accounts.add("ada@example.com", PASSWORD, role=Role.admin)
    (link,) = links.of(user)
    assert links.of(other) == []
    assert not links.revoke(other, link.id)
    assert links.of(admin) == [link]
    assert links.revoke(admin, link.id)
    assert links.of(user) == []
    assert not links.revoke(admin, link.id)


def test_the_last_use_is_noted_seldom_so_that_answers_can_be_given_again(accounts: Accounts, user: User):
    token = accounts.kiosk_links.add(user, "Kitchen")
    now = datetime.now(UTC)
    with time_machine.travel(now, tick=False) as clock:
        assert accounts.kiosk_links.of(user)[0].used_at is None
        assert accounts.kiosk_links.verify(token)
        assert accounts.kiosk_links.of(user)[0].used_at == now
        mark = accounts.change_token()
        clock.shift(timedelta(minutes=9))
        assert accounts.kiosk_links.verify(token)
        assert accounts.change_token() == mark
        clock.shift(timedelta(minutes=2))
        assert accounts.kiosk_links.verify(token)
        assert accounts.change_token() != mark
        assert accounts.kiosk_links.of(user)[0].used_at == now + timedelta(minutes=11)


@pytest.mark.parametrize("token", ["", "x", "x" * 5000, "ä\udc80"])
def test_a_made_up_token_opens_nothing(accounts: Accounts, token: str):
    assert not accounts.kiosk_links.verify(token)


@pytest.mark.parametrize(
    ("asked", "wall"),
    [
        ("/releases?kiosk=1", "/kiosk"),
        ("/releases?q=a&phase=failed&phase=running&page=3&kiosk=1&every=9", "/kiosk?q=a&phase=failed,running&every=9"),
        ("/releases/release:a?kiosk=1&open=cluster:b", "/kiosk/releases/release:a"),
        (f"/releases/release:a?kiosk=1&run={RUN}", f"/kiosk/releases/release:a?run={RUN}"),
        ("/api/releases?kiosk=1", "/api/kiosk"),
    ],
)
def test_a_page_leads_to_its_wall_screen(logged_in: FlaskClient, bearer: dict[str, str], asked: str, wall: str):
    answer = logged_in.get(asked, headers=bearer if asked.startswith("/api") else {})
    assert (answer.status_code, answer.location) == (302, wall)


def test_nothing_is_said_to_run_only_where_nothing_does(app: Flask):
    def said(*releases: Release) -> str:
        found = kiosk_rotation(listing(releases), NOW)
        page = KioskPage.of(Snapshot(None, NOW, "v"), None, KioskRotationView.of(found, None, 12), {})
        with app.test_request_context("/kiosk"):
            return render_template(page.fragment, page=page)

    assert "No releases in progress" in said(release("done", "completed", Status.COMPLETED))


@pytest.mark.parametrize("asked", ["every=4", "every=301", "every=x", "every=", "theme=blue", "phase=pending"])
def test_what_cannot_be_asked_for_is_said_on_the_screen(logged_in: FlaskClient, asked: str):
    for path in ("/kiosk", "/kiosk/releases/release:a"):
        answer = logged_in.get(f"{path}?{asked}")
        assert answer.status_code == 422
        assert 'class="wall"' in answer.text
