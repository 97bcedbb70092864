"""The settings: each user's own, as a page with plain forms and as JSON, and refused from elsewhere."""

import sqlite3
from typing import Any
from urllib.parse import quote

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from dashboard.auth.accounts import Accounts
from dashboard.database.models import User
from dashboard.settings.model import Settings
from dashboard.users.preferences.store import MAX_STARS, MAX_VIEWS, InvalidPreference, PreferencesStore
from tests.support.postgres import ON_EVERY_DATABASE_IN_FULL
from tests.web.conftest import PASSWORD

# Every way to change what is kept: method, path, and what a form or a script sends.
FORMS = {
    "/settings": {"zone": "Asia/Tokyo", "hours": "24"},
    "/settings/theme": {"theme": "dark"},
    "/views": {"name": "mine", "query": "q=a"},
    "/views/{view}": {"do": "remove"},
    "/stars": {"add": "release:a"},
}
CALLS: tuple[tuple[str, str, Any], ...] = (
    ("PUT", "/api/settings", {"zone": "Asia/Tokyo"}),
    ("POST", "/api/views", {"name": "mine", "query": "q=a"}),
    ("PUT", "/api/views/{view}", {"name": "mine", "query": "q=a"}),
    ("DELETE", "/api/views/{view}", None),
    ("PUT", "/api/stars/release:a", None),
    ("DELETE", "/api/stars/release:b", None),
)


@pytest.fixture
def zoe(app: Flask, accounts: Accounts) -> FlaskClient:
    """The browser of another user."""
    accounts.add("zoe@example.com", PASSWORD, name="Zoë")
    browser = app.test_client()
    browser.post("/login", data={"username": "zoe@example.com", "password": PASSWORD})
    return browser


@pytest.fixture
def view(logged_in: FlaskClient) -> str:
    """A view of the first user, who has starred a release as well."""
    logged_in.put("/api/stars/release:b")
    answer = logged_in.post("/api/views", json={"name": "Failed", "query": "phase=failed"})
    assert answer.status_code == 201
    return answer.get_json()["id"]


def kept(browser: FlaskClient) -> dict[str, Any]:
    return browser.get("/api/settings").get_json()


def page_of(answer: TestResponse) -> BeautifulSoup:
    return BeautifulSoup(answer.text, "html.parser")


def test_who_has_kept_nothing_is_told_how_to_begin(logged_in: FlaskClient):
    assert kept(logged_in) == {
        "zone": "",
        "hours": None,
        "theme": "auto",
        "views": [],
        "shared_views": [],
        "stars": [],
    }
    page = page_of(logged_in.get("/settings"))
    assert page.select_one("#zone")["value"] == ""
    assert len(page.select("#zones option")) > 300
    assert page.get_text().count("None yet.") == 2


def test_the_header_leads_there(logged_in: FlaskClient):
    assert page_of(logged_in.get("/settings")).select_one("header .menu > a[aria-current]")["href"] == "/settings"


def test_the_page_says_what_its_twin_says(logged_in: FlaskClient, zoe: FlaskClient, view: str):
    zoe.post("/api/views", json={"name": "Theirs <b>", "query": "q=b", "shared": True})
    logged_in.post("/api/views", json={"name": "Mine", "query": "since=24h&phase=failed,timed_out", "default": True})
    logged_in.put("/api/settings", json={"zone": "europe/berlin", "hours": 24})
    answer = logged_in.get("/settings")
    page, twin = page_of(answer), kept(logged_in)
    assert page.select_one("link[rel=alternate]")["href"] == "/api/settings"
    assert page.select_one("#zone")["value"] == twin["zone"] == "Europe/Berlin"
    assert page.select_one("[name=hours][checked]")["value"] == str(twin["hours"]) == "24"
    assert page.select_one("[name=theme][checked]")["value"] == twin["theme"]
    links = [(link.get_text(), link["href"]) for link in page.select("#views .kept div > a")]
    said = [(view["name"], f"/releases?{view['query']}") for view in twin["views"] + twin["shared_views"]]
    assert links == said
    assert links[1][1] == "/releases?phase=failed&phase=timed_out&since=24h"
    assert "phase failed or timed out · since 24h" in page.get_text()
    assert [link["href"] for link in page.select("#starred .kept a")] == [f"/releases/{id}" for id in twin["stars"]]
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_form_keeps_zone_and_hours_and_every_page_names_them(logged_in: FlaskClient, zoe: FlaskClient):
    answer = logged_in.post("/settings", data={"zone": "America/New_York", "hours": "12"})
    assert (answer.status_code, answer.location) == (303, "/settings")
    html = page_of(logged_in.get("/settings")).html
    assert (html["data-zone"], html["data-hours"]) == ("America/New_York", "12")
    others = page_of(zoe.get("/settings")).html
    assert (others["data-zone"], others["data-hours"]) == ("", "")
    logged_in.post("/settings", data={"zone": "", "hours": ""})
    assert kept(logged_in)["zone"] == ""
    assert page_of(logged_in.get("/nowhere")).html["data-hours"] == ""


@pytest.mark.parametrize(
    ("data", "said"),
    [({"zone": 'Mars/"Base"'}, "zone: must be a time zone name"), ({"hours": "13"}, "hours: must be 12 or 24")],
)
def test_a_wrong_value_shows_the_form_again_with_what_it_takes(logged_in: FlaskClient, data: dict[str, str], said: str):
    answer = logged_in.post("/settings", data=data)
    page = page_of(answer)
    assert answer.status_code == 422
    assert said in page.select_one("[role=alert]").get_text()
    assert page.select_one("#zone")["value"] == data.get("zone", "")
    assert kept(logged_in)["zone"] == ""


def test_the_theme_is_the_browsers(logged_in: FlaskClient):
    assert logged_in.post("/settings/theme", data={"theme": "dark"}).status_code == 303
    assert page_of(logged_in.get("/settings")).html["data-theme"] == kept(logged_in)["theme"] == "dark"
    assert logged_in.post("/settings/theme", data={"theme": "pink"}).status_code == 422


def test_a_view_is_saved_changed_and_removed_by_forms(logged_in: FlaskClient):
    answer = logged_in.post("/views", data={"name": "Failed", "query": "since=7d&phase=failed"})
    assert (answer.status_code, answer.location) == (303, "/releases?phase=failed&since=7d")
    (view,) = kept(logged_in)["views"]
    steps = {
        "share": ("shared", True),
        "default": ("default", True),
        "unshare": ("shared", False),
        "undefault": ("default", False),
    }
    for do, (field, value) in steps.items():
        there = f"/releases?{view['query']}"
        answer = logged_in.post(f"/views/{view['id']}", data={"do": do, "next": there})
        assert (answer.status_code, answer.location) == (303, there)
        assert kept(logged_in)["views"][0][field] is value
    logged_in.post(f"/views/{view['id']}", data={"do": "rename", "name": "Broken"})
    assert kept(logged_in)["views"][0]["name"] == "Broken"
    assert logged_in.post(f"/views/{view['id']}", data={"do": "odd"}).status_code == 422
    logged_in.post(f"/views/{view['id']}", data={"do": "remove"})
    assert kept(logged_in)["views"] == []


def test_a_form_leads_back_to_this_site_only(logged_in: FlaskClient):
    answer = logged_in.post("/stars", data={"add": "release:a", "next": "//example.org/"})
    assert answer.location == "/releases"


def test_the_default_view_is_where_the_dashboard_begins(app: Flask, logged_in: FlaskClient, user: User, view: str):
    assert logged_in.get("/").location == "/releases"
    logged_in.put(f"/api/views/{view}", json={"name": "Failed", "query": "phase=failed", "default": True})
    assert logged_in.get("/").location == "/releases?phase=failed"
    other_browser = app.test_client()
    after = other_browser.post("/login", data={"username": user.email, "password": PASSWORD})
    assert other_browser.get(after.location).location == "/releases?phase=failed"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"name": "a", "query": "page=2"}, "query"),
        ({"name": "a", "query": "starred=1"}, "query"),
        ({"name": "a", "query": ""}, "query"),
        ({"name": "a", "query": "q="}, "query"),
        ({"name": "a", "query": "phase=pending"}, "phase"),
        ({"name": "a", "query": "since=yesterday"}, "since"),
        ({"name": "", "query": "q=a"}, "name"),
        ({"name": "x" * 61, "query": "q=a"}, "name"),
        ({"name": 3, "query": "q=a"}, "name"),
        ({"query": "q=a"}, "name"),
        ({"name": "a", "query": "q=a", "shared": "yes"}, "shared"),
        ({"name": "a", "query": "q=a", "colour": "red"}, "colour"),
    ],
)
def test_what_cannot_be_a_view_is_refused_with_the_field(
    logged_in: FlaskClient, view: str, given: dict[str, Any], field: str
):
    answer = logged_in.post("/api/views", json=given)
    # Nothing is wrong with a name but that it is taken.
    assert answer.status_code == (409 if given.get("name") == "Failed" else 422)
    assert field in {each["field"] for each in answer.get_json()["error"]["fields"]}
    assert len(kept(logged_in)["views"]) == 1


def test_a_name_that_is_taken_does_not_fit_what_is_there(logged_in: FlaskClient, view: str):
    answer = logged_in.post("/api/views", json={"name": "Failed", "query": "q=a"})
    assert answer.status_code == 409
    error = answer.get_json()["error"]
    assert (error["code"], [each["field"] for each in error["fields"]]) == ("conflict", ["name"])
    assert logged_in.post("/views", data={"name": "Failed", "query": "q=a"}).status_code == 409
    assert len(kept(logged_in)["views"]) == 1


def test_the_longest_filter_can_be_kept(logged_in: FlaskClient):
    longest = f"q={'ä' * 255}&since=2026-01-31T09:30:00.123456Z&until=2026-02-28T09:30:00.123456Z&phase=" + ",".join(
        ("running", "succeeded", "failed", "cancelled", "terminated", "timed_out")
    )
    assert logged_in.post("/api/views", json={"name": "all", "query": longest}).status_code == 201


def test_only_ids_that_temporal_can_have_are_starred(logged_in: FlaskClient):
    assert logged_in.post("/stars", data={"add": "x" * 1001}).status_code == 422
    assert logged_in.post("/stars", data={"add": ""}).status_code == 422
    assert logged_in.put(f"/api/stars/{'x' * 1001}").status_code == 422
    assert kept(logged_in)["stars"] == []


@pytest.mark.parametrize(
    "release_id", ["release:a/b", "release:a~b?&#", "release:ä", "release:a'b\"c", "odd", "app:a", "release:a b"]
)
def test_every_id_of_a_release_can_be_starred(logged_in: FlaskClient, release_id: str):
    address = f"/api/stars/{quote(release_id.replace('~', '~7E').replace('/', '~2F'))}"
    assert logged_in.put(address).status_code == 204
    assert kept(logged_in)["stars"] == [release_id]
    assert logged_in.delete(address).status_code == 204
    logged_in.post("/stars", data={"add": release_id})
    assert kept(logged_in)["stars"] == [release_id]


def test_a_script_keeps_with_its_token_what_the_user_sees(
    client: FlaskClient, bearer: dict[str, str], logged_in: FlaskClient
):
    assert client.put("/api/settings", json={"zone": "UTC", "hours": 24}, headers=bearer).get_json()["zone"] == "UTC"
    assert client.put("/api/stars/release:x", headers=bearer).status_code == 204
    assert (kept(logged_in)["hours"], kept(logged_in)["stars"]) == (24, ["release:x"])


def test_no_user_sees_or_changes_what_is_anothers(logged_in: FlaskClient, zoe: FlaskClient, view: str):
    before = kept(logged_in)
    assert kept(zoe)["views"] == kept(zoe)["shared_views"] == kept(zoe)["stars"] == []
    for do in ("remove", "default", "share", "rename"):
        assert zoe.post(f"/views/{view}", data={"do": do, "name": "x"}).status_code == 404
    answer = zoe.put(f"/api/views/{view}", json={"name": "x", "query": "q=a"})
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (404, "view_not_found")
    assert zoe.delete(f"/api/views/{view}").status_code == 404
    zoe.delete("/api/stars/release:b")
    assert kept(logged_in) == before


def test_a_shared_view_is_seen_by_all_and_changed_by_its_owner_alone(
    logged_in: FlaskClient, zoe: FlaskClient, view: str
):
    logged_in.post(f"/views/{view}", data={"do": "share"})
    (shared,) = kept(zoe)["shared_views"]
    assert (shared["name"], shared["query"], shared["owner"]) == ("Failed", "phase=failed", "Rita")
    assert zoe.post(f"/views/{view}", data={"do": "remove"}).status_code == 404
    assert "by Rita" in page_of(zoe.get("/settings")).get_text()
    logged_in.post(f"/views/{view}", data={"do": "unshare"})
    assert kept(zoe)["shared_views"] == []


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://example.org"}], ids=str)
def test_another_site_changes_nothing(logged_in: FlaskClient, view: str, headers: dict[str, str]):
    before = kept(logged_in)
    for path, data in FORMS.items():
        assert logged_in.post(path.format(view=view), data=data, headers=headers).status_code == 403, path
    for method, path, given in CALLS:
        answer = logged_in.open(path.format(view=view), method=method, json=given, headers=headers)
        assert answer.status_code == 403, path
    assert kept(logged_in) == before


def test_while_temporal_does_not_answer_the_settings_are_there_and_nothing_is_said_of_the_stars(
    logged_in: FlaskClient, view: str
):
    for path in ("/releases?starred=1", "/api/releases?starred=1"):
        answer = logged_in.get(path)
        assert (answer.status_code, "Temporal" in answer.text) == (503, True)
        assert "release:b" not in answer.text
    assert logged_in.get("/settings").status_code == 200


def test_when_the_accounts_fail_the_page_of_the_error_is_whole(logged_in: FlaskClient, settings: Settings):
    with sqlite3.connect(settings.data_dir / "accounts.db") as connection:
        connection.execute("DROP TABLE preferences")
    connection.close()
    answer = logged_in.get("/settings")
    assert (answer.status_code, answer.text.rstrip().endswith("</html>")) == (503, True)
    assert 'data-zone=""' in answer.text


@ON_EVERY_DATABASE_IN_FULL
def test_what_is_one_too_many_is_refused(accounts: Accounts, user: User):
    kept = PreferencesStore(accounts)
    for number in range(MAX_VIEWS):
        kept.add_view(user.id, f"View {number}", "q=a")
    for number in range(MAX_STARS):
        kept.star(user.id, f"release:{number}")

    with pytest.raises(InvalidPreference):
        kept.add_view(user.id, "One more", "q=a")
    with pytest.raises(InvalidPreference):
        kept.star(user.id, "release:more")
    kept.star(user.id, "release:1")
    assert (len(kept.views(user.id)), len(kept.stars(user.id))) == (MAX_VIEWS, MAX_STARS)
