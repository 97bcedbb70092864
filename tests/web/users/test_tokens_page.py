"""The page of one's own tokens, whose forms work without JavaScript."""

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from structlog.testing import capture_logs

from dashboard.auth.accounts import Accounts
from dashboard.auth.api_tokens import MAX_TOKENS_PER_USER, ApiTokens
from dashboard.database.models import User


def soup(html: str) -> BeautifulSoup:
    return BeautifulSoup(html, "html.parser")


def fill(browser: FlaskClient, **values: str) -> dict[str, str]:
    """What the page's form sends as it stands, but for these values."""
    form = soup(browser.get("/tokens").text).select_one("form[action='/tokens']")
    assert form is not None
    sent = {str(field["name"]): str(field.get("value", "")) for field in form.select("input[name]")}
    for choice in form.select("select"):
        chosen = choice.select_one("option[selected]") or choice.select_one("option")
        assert chosen is not None
        sent[str(choice["name"])] = str(chosen["value"])
    assert set(values) <= set(sent)
    return sent | values


def test_it_works(app: Flask, logged_in: FlaskClient, user: User):
    assert "No tokens yet" in logged_in.get("/tokens").text
    answer = logged_in.post("/tokens", data=fill(logged_in, name="Deploy job"))
    page = soup(answer.text)
    token = str(page.select_one("input.link")["value"])

    assert (answer.status_code, answer.headers["Cache-Control"]) == (201, "no-store")
    assert "it is not shown again" in page.select_one(".made").text
    me = app.test_client().get("/api/auth/me", headers={"Authorization": f"Bearer {token}"})
    assert me.get_json()["id"] == user.id
    listed = logged_in.get("/tokens")
    assert token not in listed.text
    assert listed.headers["Cache-Control"] == "no-store"
    row = [" ".join(cell.text.split()) for cell in soup(listed.text).select(".screens tbody tr > *")]
    assert row[0] == "Deploy job"
    assert row[1] == "access read-only"
    assert row[3] != "expires never", "90 days, unless something else is chosen"
    assert row[4] != "last used never"


def test_what_was_chosen_is_made(accounts: Accounts, logged_in: FlaskClient, user: User):
    logged_in.post("/tokens", data=fill(logged_in, name="Deploy job", scope="write", days=""))
    (token,) = ApiTokens(accounts.session).of(user)

    assert (token.scope, token.expires_at) == ("write", None)


def test_the_button_of_a_row_revokes_its_token(logged_in: FlaskClient):
    logged_in.post("/tokens", data=fill(logged_in, name="Deploy job"))
    form = soup(logged_in.get("/tokens").text).select_one(".screens form")
    with capture_logs() as logs:
        answer = logged_in.post(str(form["action"]))

    assert (answer.status_code, answer.location) == (303, "/tokens")
    assert [entry["event"] for entry in logs] == ["token_revoked"]
    page = soup(logged_in.get("/tokens").text)
    assert page.select_one(".screens tr.ended")
    assert not page.select(".screens form")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"name": ""}, "The name must have 1 to 60 printable characters"),
        ({"name": "x" * 61}, "The name must have 1 to 60 printable characters"),
        ({"name": "A", "scope": "admin"}, "The scope must be read or write"),
        ({"name": "A", "days": "366"}, "The lifetime must be 1 to 365 days"),
        ({"name": "A", "days": "0"}, "The lifetime must be 1 to 365 days"),
        ({"name": "A", "days": "-1"}, "The lifetime must be 1 to 365 days"),
        ({"name": "A", "days": "٣"}, "The lifetime must be 1 to 365 days"),
        ({"name": "A", "days": "9" * 5000}, "The lifetime must be 1 to 365 days"),
    ],
    ids=str,
)
def test_what_cannot_be_made_is_said_beside_the_form(logged_in: FlaskClient, values: dict[str, str], said: str):
    answer = logged_in.post("/tokens", data=fill(logged_in, **values))
    page = soup(answer.text)

    assert answer.status_code == 422
    assert said in page.select_one("[role=alert]").text
    wrong = page.select_one("[aria-invalid=true]")
    assert wrong["aria-describedby"] == page.select_one("[role=alert]")["id"]
    assert not page.select(".made, .screens")


def test_one_too_many_is_said(logged_in: FlaskClient, accounts: Accounts, user: User):
    for number in range(MAX_TOKENS_PER_USER):
        ApiTokens(accounts.session).add(user, f"Token {number}", "read")
    answer = logged_in.post("/tokens", data=fill(logged_in, name="One more"))

    assert answer.status_code == 409
    assert f"You have reached the limit of {MAX_TOKENS_PER_USER} tokens" in answer.text


def test_another_site_can_make_and_revoke_nothing(logged_in: FlaskClient, accounts: Accounts, user: User):
    token, _ = ApiTokens(accounts.session).add(user, "Deploy job", "read")
    elsewhere = {"Sec-Fetch-Site": "cross-site"}

    for path, sent in (("/tokens", {"name": "Theirs"}), (f"/tokens/{token.id}/revoke", {})):
        assert logged_in.post(path, data=sent, headers=elsewhere).status_code == 403
    assert [(kept.name, kept.valid) for kept in ApiTokens(accounts.session).of(user)] == [("Deploy job", True)]


def test_a_name_is_shown_as_text(logged_in: FlaskClient):
    answer = logged_in.post("/tokens", data=fill(logged_in, name="<img src=x>"))

    assert "<img" not in answer.text


def test_the_menu_and_the_search_lead_there(logged_in: FlaskClient):
    page = soup(logged_in.get("/tokens").text)

    assert page.select_one("#menu a[href='/tokens']")["aria-current"] == "page"
    assert page.select_one("link[rel=alternate][type='application/json']")["href"] == "/api/tokens"
