"""What is secret in DATABASE_URL is in nothing that is printed or logged, in whatever form it is given."""

import socket
import struct
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
import structlog
from click.testing import CliRunner
from sqlalchemy.exc import OperationalError

from dashboard.app import create_app
from dashboard.auth.accounts import Accounts
from dashboard.database.engine import create_accounts_engine
from dashboard.database.timeouts import DatabaseTimeouts
from dashboard.database.unit_of_work import AccountsUnavailable
from dashboard.database.url_masking import SecretMask, parse_database_url
from dashboard.settings.model import Settings, SettingsError
from dashboard.users.commands import db, users

# Nobody listens on this port.
HERE = "127.0.0.1:1/accounts"
SECRET = "hunter2"
FORMS = {
    "user": f"postgresql+psycopg://rita:{SECRET}@{HERE}",
    "encoded": f"postgresql+psycopg://rita:%68unter2%40%2F@{HERE}",
    "unencoded": f"postgresql+psycopg://rita:a@{SECRET}@{HERE}",
    "colon": f"postgresql+psycopg://rita:x@y:{SECRET}@{HERE}",
    "slash": f"postgresql+psycopg://rita:x@y/{SECRET}@{HERE}",
    "question": f"postgresql+psycopg://rita:{SECRET}?x=y@{HERE}",
    "query": f"postgresql+psycopg://{HERE}?password={SECRET}&sslmode=prefer",
    "encoded query": f"postgresql+psycopg://{HERE}?password=%68unter2",
    "name": f"postgresql+psycopg://{HERE}?pass%77ord={SECRET}",
    "both": f"postgresql+psycopg://rita:{SECRET}@{HERE}?password={SECRET}",
    "ssl": f"postgresql+psycopg://{HERE}?sslpassword={SECRET}",
    "file": f"postgresql+psycopg://{HERE}?passfile=/home/rita/{SECRET}",
    "options": f"postgresql+psycopg://{HERE}?options=-c%20app.key%3D{SECRET}",
    "unknown": f"postgresql+psycopg://{HERE}?pasword={SECRET}",
    "driver": f"nosuch+driver://rita:{SECRET}@{HERE}",
    "keywords": f"host=127.0.0.1 port=1 user=rita password='{SECRET} x' dbname=accounts",
}


@pytest.fixture(params=FORMS, ids=str)
def url(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    monkeypatch.chdir(tmp_path)
    return FORMS[request.param]


def test_no_command_prints_it(url: str, monkeypatch: pytest.MonkeyPatch):
    for module in (sys, threading):
        monkeypatch.setattr(module, "excepthook", module.excepthook)
    monkeypatch.setenv("DATABASE_URL", url)
    for command, arguments in ((users, ["list"]), (db, ["upgrade"])):
        answer = CliRunner().invoke(command, arguments)
        assert answer.exit_code == 2, answer.output
        assert "Cannot open the accounts database " in answer.output or "DATABASE_URL: " in answer.output
        assert SECRET not in answer.output


def test_no_start_tells_it_with_its_traceback(url: str, tmp_path: Path):
    with pytest.raises(SettingsError) as refused:
        create_app(Settings(data_dir=tmp_path, secret_key="k" * 32, database_url=url))

    # Whoever starts `wsgi:app` writes the traceback, with all causes that are not left out.
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__
    assert SECRET not in str(refused.value)


def test_the_url_is_shown_without_it(url: str):
    assert SECRET not in SecretMask(url).shown
    # Where a value holds more than the secret, it is hidden as a whole.
    value = {
        FORMS["file"]: f"/home/rita/{SECRET}",
        FORMS["options"]: f"-c app.key={SECRET}",
        FORMS["keywords"]: f"{SECRET} x",
    }.get(url, SECRET)
    assert SECRET not in SecretMask(url).text(f"cannot connect to {url}: no such host as a@{value}, {value!r}")


def test_what_is_no_secret_stays():
    shown = SecretMask(f"postgresql+psycopg://rita:{SECRET}@db.example.com:5432/a?sslmode=require&password=x").shown

    assert shown == "postgresql+psycopg://rita:***@db.example.com:5432/a?password=***&sslmode=require"
    assert SecretMask(f"sqlite:///accounts.db?uri=true&key={SECRET}").shown == "sqlite:///accounts.db?key=***&uri=true"
    assert SecretMask("sqlite:////home/rita@work/accounts.db").shown == "sqlite:////home/rita%40work/accounts.db"
    # A short one is hidden where it stands for itself.
    assert SecretMask("postgresql://rita:in@h/d").text("in a line of the log: 'in'") == "*** a line of the log: '***'"


def test_an_engine_is_not_shown_with_it_and_logs_in_with_it():
    with closing(socket.create_server(("127.0.0.1", 0))) as server, ThreadPoolExecutor(1) as pool:
        told = pool.submit(told_to, server)
        where = f"127.0.0.1:{server.getsockname()[1]}/a?password={SECRET}&sslmode=disable&gssencmode=disable"
        engine = create_accounts_engine(
            parse_database_url(f"postgresql+psycopg://rita@{where}"), DatabaseTimeouts(connect=60)
        )
        with pytest.raises(OperationalError):
            engine.connect()

        assert told.result(60) == SECRET
    assert SECRET not in f"{engine!r} {engine.url!s}"


def told_to(server: socket.socket) -> str:
    """The password that a client of PostgreSQL tells a server that asks for it as it is."""
    server.settimeout(60)
    connection, _ = server.accept()
    with connection:
        connection.settimeout(60)
        connection.recv(1_000)
        connection.sendall(b"R" + struct.pack("!II", 8, 3))
        return connection.recv(1_000)[5:-1].decode()


def test_no_line_of_the_log_has_it(
    settings: Settings, accounts: Accounts, capsys: pytest.CaptureFixture[str], open_accounts: Callable[..., Accounts]
):
    create_app(settings.model_copy(update={"database_url": None}), accounts=accounts)
    fields = {"database_url": f"postgresql+psycopg://rita:a@{SECRET}@{HERE}"}
    create_app(Settings(**settings.model_dump() | fields), accounts=accounts)
    with pytest.raises(AccountsUnavailable) as failed:
        open_accounts(fields["database_url"]).all()
    structlog.get_logger().error("accounts_unavailable", exc_info=failed.value)
    written = capsys.readouterr().err

    assert "accounts_unavailable" in written
    assert "psycopg" in written
    assert SECRET not in written


def test_no_traceback_has_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    for module in (sys, threading):
        monkeypatch.setattr(module, "excepthook", module.excepthook)
    SecretMask(FORMS["unencoded"]).mask_tracebacks()
    sys.excepthook(ValueError, ValueError(f"no host {SECRET}"), None)

    assert capsys.readouterr().err == "ValueError: no host ***\n"
