"""`release-dashboard users`: as typed, on a real file, and once on a real terminal."""

import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import text

from dashboard.audit.log import AuditQuery
from dashboard.auth.accounts import Accounts
from dashboard.auth.oidc.identities import IdentityStore, OidcIdentity
from dashboard.database.models import AuditRow, Role
from dashboard.users.commands import users

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def kept(data_dir: Path, open_accounts: Callable[[str], Accounts]) -> Accounts:
    return open_accounts(f"sqlite:///{data_dir}/accounts.db")


def run(*arguments: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(users, arguments, input=typed)


def add(email: str = "rita@example.com", *options: str, typed: str = PASSWORD) -> Result:
    return run("add", email, "--password-stdin", *options, typed=typed)


def test_it_works(kept: Accounts):
    added = add("Rita@Example.com", "--name", "Rita", "--admin")

    assert (added.exit_code, added.output) == (0, "Added rita@example.com as admin.\n")
    user = kept.authenticate("rita@example.com", PASSWORD)
    assert (user.name, user.role) == ("Rita", Role.admin)


def test_a_user_is_a_viewer_unless_said(kept: Accounts):
    add()

    assert kept.by_email("rita@example.com").role is Role.viewer


@pytest.mark.parametrize("typed", [PASSWORD, PASSWORD + "\n", PASSWORD + "\r\n", PASSWORD + "\nanother line\n"])
def test_the_password_is_one_line_of_the_input(kept: Accounts, typed: str):
    assert add(typed=typed).exit_code == 0
    assert kept.authenticate("rita@example.com", PASSWORD)


@pytest.mark.parametrize(("typed", "length"), [("", 0), ("\n", 0), ("admin123\n", 8), ("x" * 129, 129)])
def test_the_rule_for_passwords_is_told(kept: Accounts, typed: str, length: int):
    added = add(typed=typed)

    assert added.exit_code == 1
    assert added.stderr == f"Error: The password must have 12 to 128 characters; this one has {length}.\n"
    assert kept.all() == []


def test_ones_own_address_or_name_is_no_password(kept: Accounts):
    refused = [add("rita.levi@example.com", typed="ritalevi 2026\n")]
    refused += [add("rita.levi@example.com", "--name", "Zoé Montalcini", typed="zoé-montalcini\n")]
    assert kept.all() == []
    add("rita.levi@example.com")
    refused += [run("password", "Rita.Levi@example.com", "--password-stdin", typed="rita.levi@EXAMPLE.com")]

    assert [answer.exit_code for answer in refused] == [1, 1, 1]
    assert all("based on your e-mail address or name" in answer.stderr for answer in refused)
    assert kept.authenticate("rita.levi@example.com", PASSWORD)


def test_a_taken_address_is_told_before_a_password_is_asked_for(kept: Accounts):
    add()
    again = run("add", "RITA@example.com")

    assert (again.exit_code, again.stderr) == (1, "Error: A user rita@example.com already exists.\n")


def test_what_it_changes_is_written_down_without_the_password(kept: Accounts):
    add("rita@example.com", "--admin")
    run("disable", "Rita@example.com")
    run("enable", "rita@example.com")
    run("password", "rita@example.com", "--password-stdin", typed="another horse battery\n")
    run("list")
    entries = kept.audit.read(AuditQuery(), 10)[::-1]

    assert [(entry.event, entry.details) for entry in entries] == [
        ("user_added", {"role": "admin"}),
        ("user_disabled", {}),
        ("user_enabled", {}),
        ("password_reset", {}),
    ]
    assert {(entry.actor, entry.actor_id, entry.subject) for entry in entries} == {
        ("command line", None, "rita@example.com")
    }
    assert {(entry.address, entry.request_id) for entry in entries} == {(None, None)}


def test_it_changes_nothing_that_cannot_be_written_down(kept: Accounts):
    add()
    with kept.session() as session:
        session.execute(text("DROP TABLE audit"))
    answers = [add("bob@example.com"), run("disable", "rita@example.com")]
    answers += [run("password", "rita@example.com", "--password-stdin", typed="another horse battery")]

    assert [(answer.exit_code, answer.stderr) for answer in answers] == [
        (1, "Error: The accounts database is unavailable.\n")
    ] * 3
    assert [user.email for user in kept.all()] == ["rita@example.com"]
    assert kept.authenticate("rita@example.com", PASSWORD)


def test_what_is_refused_is_not_written_down(kept: Accounts):
    add()
    add()
    run("disable", "nobody@example.com")

    assert [entry.event for entry in kept.audit.read(AuditQuery(), 10)] == ["user_added"]


@pytest.mark.parametrize("command", ["add", "disable", "enable", "password"])
def test_what_is_no_address_is_told(command: str):
    answer = run(command, "rita")

    assert answer.exit_code == 1
    assert answer.stderr == "Error: Enter an e-mail address such as name@example.com, without spaces.\n"


def test_a_name_that_cannot_be_shown_is_told():
    assert "at most 200 printable characters" in add("rita@example.com", "--name", "\x1b[31m").stderr


def test_the_list_is_a_table(kept: Accounts):
    add("rita@example.com", "--name", "Rita Levi", "--admin")
    add("bob@example.com")
    run("disable", "bob@example.com")
    created = f"{kept.by_email('bob@example.com').created_at:%Y-%m-%d %H:%M} UTC"
    listed = run("list")

    assert listed.exit_code == 0
    assert listed.output.splitlines() == [
        "EMAIL             NAME       ROLE    STATE     CREATED",
        f"bob@example.com   -          viewer  disabled  {created}",
        f"rita@example.com  Rita Levi  admin   enabled   {created}",
    ]


def test_an_empty_list_says_how_to_begin():
    assert run("list").output == "No users yet. Add one: release-dashboard users add EMAIL\n"


def test_disable_ends_the_users_access(kept: Accounts):
    add()
    answer = run("disable", "Rita@example.com")

    assert (answer.exit_code, answer.output) == (0, "Disabled rita@example.com.\n")
    assert kept.authenticate("rita@example.com", PASSWORD) is None


def test_enable_lets_the_user_in_again(kept: Accounts):
    add()
    run("disable", "rita@example.com")
    answer = run("enable", "Rita@example.com")

    assert (answer.exit_code, answer.output) == (0, "Enabled rita@example.com.\n")
    assert kept.authenticate("rita@example.com", PASSWORD)


@pytest.mark.parametrize("typed", ["password1234", "Password123!", "QWERTYqwerty", "123456789012", "aaaaaaaaaaaa"])
def test_a_password_that_many_people_have_is_refused(kept: Accounts, typed: str):
    added = add(typed=typed)

    assert (added.exit_code, typed in added.output + added.stderr) == (1, False)
    assert "too common" in added.stderr
    assert kept.all() == []


def test_password_sets_another(kept: Accounts):
    add()
    answer = run("password", "rita@example.com", "--password-stdin", typed="another long password\n")

    assert (answer.exit_code, answer.output) == (0, "Changed the password of rita@example.com.\n")
    assert kept.authenticate("rita@example.com", PASSWORD) is None
    assert kept.authenticate("rita@example.com", "another long password")


def test_unlink_forgets_whose_account_of_a_provider_it_is(kept: Accounts):
    kept.prepare()
    identities = IdentityStore(kept)
    rita = OidcIdentity("https://login.example.com", "1", "rita@example.com", verified=True)
    identities.add(rita, Role.viewer)
    told = [run("unlink", "rita@example.com").output for _ in range(2)]

    assert told == [
        "rita@example.com is no longer linked to a provider account.\n",
        "rita@example.com was not linked to a provider account.\n",
    ]
    assert identities.find(rita) is None
    with kept.session() as session:
        assert session.query(AuditRow.event, AuditRow.actor).all() == [("user_unlinked", "command line")]


def test_password_says_that_a_disabled_user_stays_so():
    add()
    run("disable", "rita@example.com")
    answer = run("password", "rita@example.com", "--password-stdin", typed=PASSWORD)

    assert answer.output == "Changed the password of rita@example.com. The user is still disabled.\n"


@pytest.mark.parametrize("command", ["disable", "enable", "password", "unlink"])
def test_an_unknown_user_is_told(command: str):
    answer = run(command, "nobody@example.com")

    assert (answer.exit_code, answer.stderr) == (1, "Error: User nobody@example.com not found.\n")


def test_without_a_terminal_the_option_is_named():
    answer = run("add", "rita@example.com")

    assert answer.exit_code == 1
    assert "--password-stdin" in answer.stderr


def test_a_wrong_setting_is_told_with_exit_code_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").write_text("")
    for name, value in (("PORT", "x"), ("DATABASE_URL", "nonsense"), ("DATA_DIR", str(tmp_path / "file"))):
        with monkeypatch.context() as context:
            context.setenv(name, value)
            answer = run("list")
        assert answer.exit_code == 2
        assert "Error: " in answer.stderr
        assert answer.exception.__class__ is SystemExit


def test_a_password_is_never_echoed():
    for answer in (add(), add(), run("password", "rita@example.com", "--password-stdin", typed="x" * 200)):
        assert PASSWORD not in answer.output
        assert "xxx" not in answer.output


def test_on_a_terminal_it_asks_twice_and_shows_nothing(kept: Accounts):
    shown, exit_code = _on_a_terminal("add rita@example.com", [PASSWORD, PASSWORD])

    assert exit_code == 0, shown
    assert shown.split() == [
        "Password:",
        "Repeat",
        "for",
        "confirmation:",
        "Added",
        "rita@example.com",
        "as",
        "viewer.",
    ]
    assert kept.authenticate("rita@example.com", PASSWORD)


def test_on_a_terminal_two_that_differ_are_asked_for_again(kept: Accounts):
    shown, exit_code = _on_a_terminal("add rita@example.com", [PASSWORD, "another", PASSWORD, PASSWORD])

    assert exit_code == 0, shown
    assert shown.count("Password: ") == 2
    assert PASSWORD not in shown


def _on_a_terminal(command: str, typed: list[str]) -> tuple[str, int]:
    """Run `users` with a terminal of its own, and answer each question when it has been asked."""
    # getpass opens the terminal of the session, so the command takes ours as its own first.
    script = (
        "import fcntl, os, sys, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
        "from dashboard.users.commands import users; users(sys.argv[1:])"
    )
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", script, *command.split()], stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    shown, answers = "", iter(typed)
    while chunk := _read(ours):
        shown += chunk
        if chunk.rstrip(" ").endswith(":"):
            os.write(ours, f"{next(answers)}\n".encode())
    os.close(ours)
    return shown, process.wait(timeout=30)


def _read(terminal: int) -> str:
    try:
        return os.read(terminal, 1024).decode()
    except OSError:  # what Linux says when the other side has closed
        return ""
