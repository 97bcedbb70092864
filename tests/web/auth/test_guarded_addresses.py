"""However an address is written: none leads around the guard."""

from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from pydantic import SecretStr

from dashboard.app import create_app
from dashboard.settings.model import Settings
from dashboard.web.services import services


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    settings = Settings(data_dir=tmp_path_factory.mktemp("guards"), secret_key=SecretStr("k" * 32))
    app = create_app(settings)
    yield app
    services(app).accounts.close()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def screen(app: Flask) -> FlaskClient:
    """A browser that sends the token of a link with everything that it asks for, as no browser would."""
    accounts = services(app).accounts
    maker = accounts.ensure("maker@example.com", "correct horse battery")
    screen = app.test_client()
    screen.set_cookie("release_dashboard_kiosk", accounts.kiosk_links.add(maker, "Kitchen"))
    return screen


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/kiosk/", 401),
        ("/kiosk/nowhere", 401),
        ("/kiosk/../releases", 401),
        ("/kiosk//releases/release:x", 401),
        ("/kiosk%2f..%2freleases", 401),
        ("/releases?kiosk=1", 302),
        ("//kiosk", 302),
        ("/KIOSK", 302),
    ],
)
def test_no_way_of_writing_an_address_lets_a_wall_screen_further_in(screen: FlaskClient, path: str, status: int):
    answer = screen.get(path)
    assert answer.status_code == status
    assert status == 401 or str(answer.location).startswith("/login")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api", 401),
        ("/api/", 401),
        ("/API/releases", 302),
        ("//releases", 302),
        ("//api/releases", 302),
        ("/api//releases", 401),
        ("/releases/", 302),
        ("/./releases", 302),
        ("/static", 302),
        ("/static/../releases", 404),
        ("/static/%2e%2e/releases", 404),
        ("/static/../../dashboard/settings.py", 404),
        ("/health/", 302),
        ("/health/../releases", 302),
        ("/login/../releases", 302),
        ("/login/", 302),
        ("/releases;/login", 302),
        ("/%72eleases", 302),
        ("/releases%00", 302),
        ("/nowhere", 302),
        ("/api/auth/me/", 401),
        ("/api/auth/login/x", 401),
    ],
)
def test_no_way_of_writing_an_address_leads_around_it(client: FlaskClient, path: str, status: int):
    assert client.get(path).status_code == status
