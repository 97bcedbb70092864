"""The command `release-dashboard`, as far as it goes without serving."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from dashboard import __version__
from dashboard.cli import main
from dashboard.settings.model import SettingsError, load_settings


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("PORT", "LISTEN_HOST", "DATA_DIR", "DATABASE_URL", "SECRET_KEY", "LOG_LEVEL", "DASHBOARD_ENV_FILE"):
        monkeypatch.delenv(name, raising=False)


def test_it_lists_its_commands() -> None:
    result = CliRunner().invoke(main, ["--help"])
    assert result.exit_code == 0
    commands = result.output.partition("Commands:")[2]
    assert [line.split()[0] for line in commands.strip().splitlines()] == [
        *("db", "demo", "releases", "serve", "show", "users", "wait")
    ]


def test_it_knows_its_version() -> None:
    assert __version__ in CliRunner().invoke(main, ["--version"]).output


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("serve", ["--host", "--port"]),
        ("demo", ["--port", "--temporal-port", "--fresh", "--reload"]),
        ("db", ["upgrade"]),
        ("users", ["add", "list", "disable", "enable", "password"]),
        ("releases", ["--query", "--phase", "--since", "--limit", "--json", "DASHBOARD_TOKEN"]),
        ("show", ["--watch", "--json", "DASHBOARD_TOKEN"]),
        ("wait", ["--phase", "--timeout", "--json", "DASHBOARD_TOKEN"]),
    ],
)
def test_every_command_explains_itself(command: str, options: list[str]) -> None:
    result = CliRunner().invoke(main, [command, "--help"])
    assert result.exit_code == 0
    assert all(option in result.output for option in options)


@pytest.mark.parametrize("command", ["serve", "demo"])
def test_a_wrong_setting_is_named_before_anything_starts(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_LEVEL", "loud")
    result = CliRunner().invoke(main, [command])
    assert result.exit_code == 2
    assert result.stderr == "LOG_LEVEL: got 'loud'. Expected: DEBUG, INFO, WARNING or ERROR\n"
    assert list(Path.cwd().iterdir()) == []


def test_a_wrong_setting_that_only_the_app_can_tell_is_named_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "nothing://at-all")
    result = CliRunner().invoke(main, ["serve", "--port", "1024"])
    assert result.exit_code == 2
    assert result.stderr.startswith("SECRET_KEY: not given. Expected: ")
    assert list(Path.cwd().iterdir()) == []

    monkeypatch.setenv("SECRET_KEY", "k" * 32)
    result = CliRunner().invoke(main, ["serve", "--port", "1024"])
    assert result.exit_code == 2
    assert result.stderr.startswith("DATABASE_URL: got ")


def test_a_busy_port_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        result = CliRunner().invoke(main, ["serve", "--port", str(port)])
    assert result.exit_code == 2
    assert result.stderr == f"Port {port} on 127.0.0.1 is busy. Choose another with PORT or --port.\n"


@pytest.mark.parametrize("port", ["0", "65536", "http"])
def test_a_port_that_is_none_is_wrong_usage(port: str) -> None:
    assert CliRunner().invoke(main, ["serve", "--port", port]).exit_code == 2


def test_help_does_not_wait_for_what_only_the_commands_need() -> None:
    code = "import sys, dashboard.cli; sys.exit(bool({'temporalio', 'sqlalchemy', 'granian'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_client_does_not_wait_for_what_only_the_server_needs() -> None:
    server = "{'temporalio', 'sqlalchemy', 'flask'}"
    code = f"import sys, dashboard.client.commands; sys.exit(bool({server} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_another_file_of_settings_can_be_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PORT=8001")
    (tmp_path / "other.env").write_text("PORT=8002")
    assert load_settings({}).port == 8001
    assert load_settings({"DASHBOARD_ENV_FILE": "other.env"}).port == 8002
    assert load_settings({"DASHBOARD_ENV_FILE": "/dev/null"}).port == 8000
    with pytest.raises(SettingsError, match=r"DASHBOARD_ENV_FILE: got 'missing\.env'"):
        load_settings({"DASHBOARD_ENV_FILE": "missing.env"})
