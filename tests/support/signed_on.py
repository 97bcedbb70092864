"""Who has come in by a provider, and what was written down of it."""

from flask.testing import FlaskClient
from sqlalchemy import text

from dashboard.auth.accounts import Accounts
from tests.support.oidc_provider import RITA

EMAIL = str(RITA["email"])

PASSWORD = "correct horse battery"


def me(browser: FlaskClient) -> dict[str, str] | None:
    answer = browser.get("/api/auth/me")
    return answer.get_json() if answer.status_code == 200 else None


def events(accounts: Accounts) -> list[tuple[str, str | None, str]]:
    with accounts.session() as session:
        return [tuple(row) for row in session.execute(text("SELECT event, actor, details FROM audit ORDER BY id"))]
