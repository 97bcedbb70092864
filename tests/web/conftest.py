"""The app as it is served, over its test client. Nothing here asks Temporal."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from pydantic import SecretStr

from dashboard.app import create_app
from dashboard.auth.accounts import Accounts
from dashboard.auth.passwords import PasswordHashing
from dashboard.database.models import User
from dashboard.settings.model import Settings
from dashboard.web.services import services
from tests.support.harness import CHEAP, UNHURRIED
from tests.support.oidc_provider import OpenIdProvider, provided
from tests.support.postgres import Postgres, binaries, own_database, running
from tests.support.prepared_databases import make_ready
from tests.support.shared_services import folder_of_run, shared

EMAIL = "rita@example.com"
PASSWORD = "correct horse battery"


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """PostgreSQL, one for the whole run, and in it a database for this process."""
    if binaries() is None and os.environ.get("CI") != "true":
        pytest.skip("PostgreSQL is not installed: run `make postgres`")

    @contextmanager
    def started() -> Iterator[str]:
        with running() as postgres:
            yield str(postgres.port)

    with shared(folder_of_run(tmp_path_factory) / "postgres", started) as port, own_database(int(port)) as postgres:
        yield postgres


@pytest.fixture
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Settings of an app whose accounts are on SQLite, or where the test's parameter says."""
    settings = Settings(data_dir=tmp_path / "var", secret_key=SecretStr("k" * 32))
    if getattr(request, "param", "sqlite") == "sqlite":
        return settings
    postgres: Postgres = request.getfixturevalue("postgres")
    return settings.model_copy(update={"database_url": SecretStr(postgres.emptied())})


@pytest.fixture
def open_accounts() -> Iterator[Callable[..., Accounts]]:
    """Opens accounts as `Accounts` does, and closes them when the test is over."""
    with ExitStack() as stack:

        def opened(url: str, passwords: PasswordHashing | None = None) -> Accounts:
            accounts = Accounts(url, passwords or CHEAP, UNHURRIED)
            stack.callback(accounts.close)
            return accounts

        yield opened


@pytest.fixture
def accounts(settings: Settings, open_accounts: Callable[..., Accounts]) -> Accounts:
    make_ready(settings)
    return open_accounts(settings.accounts_url)


@pytest.fixture
def app(settings: Settings, accounts: Accounts) -> Flask:
    app = create_app(settings, accounts=accounts)
    app.testing = True
    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def user(accounts: Accounts) -> User:
    return accounts.add(EMAIL, PASSWORD, name="Rita")


@pytest.fixture
def logged_in(app: Flask, user: User) -> FlaskClient:
    """A second browser, in which the user has logged in."""
    browser = app.test_client()
    assert browser.post("/login", data={"username": user.email, "password": PASSWORD}).status_code == 303
    return browser


@pytest.fixture
def bearer(app: Flask, user: User) -> dict[str, str]:
    answer = app.test_client().post("/api/auth/login", data={"username": user.email, "password": PASSWORD})
    return {"Authorization": f"Bearer {answer.get_json()['access_token']}"}


@pytest.fixture
def provider() -> Iterator[OpenIdProvider]:
    """An OpenID provider that knows Rita."""
    with provided() as provider:
        yield provider


@pytest.fixture
def sign_on_app(settings: Settings, accounts: Accounts, provider: OpenIdProvider) -> Iterator[Callable[..., Flask]]:
    """Makes dashboards that let in whom the provider knows, with more settings."""
    with ExitStack() as stack:

        def made(**more: object) -> Flask:
            app = create_app(settings.model_copy(update=provider.settings(**more)), accounts=accounts)
            stack.callback(services(app).sign_on.provider.close)
            app.testing = True
            return app

        yield made


@pytest.fixture
def visitor(sign_on_app: Callable[..., Flask]) -> FlaskClient:
    """A browser at such a dashboard, whose user is a viewer at first."""
    return sign_on_app().test_client()
