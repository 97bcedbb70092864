"""What is true of every login at a provider that came to nothing."""

import json

from bs4 import BeautifulSoup
from flask.testing import FlaskClient
from sqlalchemy import text
from werkzeug.test import TestResponse

from dashboard.auth.accounts import Accounts

BACK = "/login/oidc/callback"


def is_in(browser: FlaskClient) -> bool:
    return browser.get("/api/auth/me").status_code == 200


def said(answer: TestResponse) -> str:
    """What the page says is wrong. It is the login page, with its way to try again."""
    page = BeautifulSoup(answer.text, "html.parser")
    assert page.select_one("h1").text == "Sign in"
    assert page.select_one("main a.primary").text == "Sign in with Example"
    return page.select_one('[role="alert"]').text


def failures(accounts: Accounts) -> list[tuple[str | None, str]]:
    """Who failed to log in, and why, as the audit log has it."""
    with accounts.session() as session:
        found = session.execute(text("SELECT subject, details FROM audit WHERE event = 'login_failed' ORDER BY id"))
        return [(subject, json.loads(details)["reason"]) for subject, details in found]


def check_refused(
    answer: TestResponse, status: int, reason: str, browser: FlaskClient, accounts: Accounts, *, users: int = 0
) -> None:
    """Nobody was let in or added, the page says so, and the log says why."""
    assert (answer.status_code, [why for _, why in failures(accounts)]) == (status, [reason])
    assert len(said(answer)) > 20
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers.get("Retry-After") == ("5" if status == 503 else None)
    assert not is_in(browser)
    assert len(accounts.all()) == users
